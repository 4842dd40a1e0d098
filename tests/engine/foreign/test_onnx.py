"""ONNX files: what they say of themselves, what is refused, and that their numbers are right."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from core.checkpoints.analyses import AUTO_PRECISION, analysis_config
from core.checkpoints.preflight import PreflightOptions, lines
from core.datasets import load_labels
from core.engine import onnx as module
from core.engine.foreign.preflight import preflight
from core.engine.foreign.reading import Reader
from core.engine.onnx import OnnxNetwork, describe
from core.engine.pipeline import run_study
from core.errors import InputError
from core.pictures.images import read_grey
from core.study import paths, store
from core.study.config import parse_config
from tests.engine.foreign import graphs
from tests.engine.foreign.graphs import N_CLASSES, SIDE, answer_of, graph


def network(data: bytes, image_size: int | None = None) -> OnnxNetwork:
    output, _, n = describe(data, image_size).outputs[0]
    return OnnxNetwork.of(data, output, n)


def images(n: int, channels: int = 3, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, channels, side, side)).astype("f")


@pytest.mark.parametrize(
    ("made", "channels"),
    [
        ({}, 3),
        ({"batch": 1}, 3),
        ({"batch": 4}, 3),
        ({"last": True}, 3),
        ({"last": True, "batch": 2, "channels": 1}, 1),
        ({"side": "side"}, 3),
        ({"kind": TensorProto.DOUBLE}, 3),
    ],
)
def test_every_layout_and_batch_gives_the_same_numbers(made, channels):
    given = images(5, channels)
    found = network(graph(**made), SIDE)(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, answer_of(given), atol=1e-5)


def test_half_precision_is_taken_as_it_is():
    given = images(3)
    found = network(graph(kind=TensorProto.FLOAT16))(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, answer_of(given), atol=0.01)


def test_whole_numbers_are_the_greys_of_the_image():
    given = np.random.default_rng(1).integers(0, 256, (3, 3, SIDE, SIDE)).astype("f")
    found = network(graph(kind=TensorProto.UINT8))(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(found, answer_of(given), atol=1e-3)


def test_outputs_that_are_kept_come_in_their_order():
    given, one = images(2), network(graph())
    one.keep([2, 0])
    np.testing.assert_allclose(
        one(torch.from_numpy(given)).numpy(), answer_of(given)[:, [2, 0]], atol=1e-5
    )


def test_many_images_go_in_several_questions(monkeypatch):
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 3 * SIDE**2 * 2)
    assert network(graph()).images_at_once(SIDE) == 2


def test_a_graph_says_what_it_takes_and_gives():
    found = describe(graph(end="Sigmoid", last=True, batch=2, scale=True)).facts
    assert (found.input.layout, found.input.batch, found.input.side) == ("NHWC", 2, SIDE)
    assert (found.ends, found.first, found.opset) == ({"y": "Sigmoid"}, "Sub", 17)
    assert found.n_weights == N_CLASSES * 4 + 1


WHY = {
    "weights in another file": "another file",
    "weights up the tree": "another file",
    "a constant in another file": "another file",
    "an operator of its own": "Shell of com.odd, which is not in the ONNX standard",
    "a function of its own": "functions",
    "a graph in a graph": "other graphs",
    "another format's mark": "damaged",
    "a graph twice": "several",
    "values that it lacks": "400,000,000 values where the file holds fewer",
    "sparse weights": "sparse",
    "memory without end": "",
    "time without end": "more time or memory",
    "random numbers": "random",
    "operators without end": "more than 50,000 operators",
    "two inputs": "2 inputs (image, other)",
    "cut": "cut off",
    "a length beyond the end": "cut off",
    "not finite": "NaN",
    "no classes": "no output with a number for each class",
    "too many images": "100,000 images at once",
    "no square": "16x32 pixels",
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    canary = tmp_path_factory.mktemp("canary") / "secret.bin"
    canary.write_bytes(np.full(N_CLASSES, 7, "f").tobytes())
    return graphs.hostile(str(canary))


def test_every_bad_file_has_its_reason(bad):
    assert set(bad) == set(WHY)


@pytest.mark.parametrize("name", WHY)
def test_a_bad_file_is_refused_in_a_sentence(name, bad, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_OPEN", 1.0)
    monkeypatch.setattr(module, "SECONDS_AN_IMAGE", 0.5)
    with pytest.raises(InputError) as refused:
        network(bad[name])(torch.zeros(1, 3, SIDE, SIDE))
    assert WHY[name] in str(refused.value)
    assert len(str(refused.value)) < 400
    # The next one is served all the same.
    assert network(graph())(torch.zeros(1, 3, SIDE, SIDE)).shape == (1, N_CLASSES)


@pytest.fixture(scope="module")
def reader():
    with Reader() as running:
        yield running


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A dataset of a few phantoms, and a grid that an ONNX file does not take."""
    raw = {
        "study": {"name": "few"},
        "dataset": {"kind": "phantom", "n_patients": 20, "size": 64},
        "model": {"architecture": "resnet_small", "image_size": 64},
        "sweep": {"sparsities": [0, 0.5]},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield parse_config(raw, "few")


def brought(tmp_path, data: bytes):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    return path


def names_of(base, n: int = N_CLASSES) -> tuple[str, ...]:
    return load_labels(base.dataset).class_names[:n]


def test_a_study_has_the_probabilities_of_the_network_that_was_exported(base, reader, tmp_path):
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    names = names_of(base)
    settings = ModelSettings(architecture="resnet_small", image_size=64)
    model = build_model(settings, N_CLASSES, seed=3).eval()
    blank, path = torch.zeros(1, 3, 64, 64), tmp_path / "model.onnx"
    with warnings.catch_warnings():  # this exporter is the old one, which needs no more packages
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (blank,), path, dynamo=False, input_names=["image"])
    written = onnx.load(path)
    onnx.helper.set_model_props(written, {"class_names": str(list(names)).replace("'", '"')})
    onnx.save(written, path)
    report = preflight(path, base, reader=reader)
    assert report.fit, report.refusal
    assert report.outputs.named_by == "file"
    assert any("An ONNX file is analysed unpruned" in line for line in lines(report))
    config = analysis_config(report, None, (AUTO_PRECISION,))
    assert (config.sweep.sparsities, config.sweep.precision) == ((0.0,), "fp32")
    folder = run_study(config)
    test = store.read_labels(folder).split("test")
    images_dir = paths.images_dir(config.dataset)
    greys = np.stack([read_grey(images_dir / one) for one in test["path"]]).astype("f") / 255
    mean, std = (np.array(one, "f") for one in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    given = (greys[:, None] - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        expected = model(torch.from_numpy(given)).sigmoid().numpy()
    order = [names.index(one) for one in store.read_labels(folder).class_names]
    cell = paths.prediction_path(folder, 0, 0.0)
    found = store.read_predictions(cell, test["image_id"], tuple(names[i] for i in order))
    np.testing.assert_allclose(found, expected[:, order], atol=1e-5)
    written_at = cell.stat().st_mtime_ns
    assert run_study(config) == folder  # again: nothing is left to do
    assert cell.stat().st_mtime_ns == written_at


@pytest.mark.parametrize(
    ("end", "activation"), [("Sigmoid", "none"), ("Softmax", "none"), ("LogSoftmax", "softmax")]
)
def test_probabilities_inside_the_graph_are_not_squeezed_again(
    base, reader, tmp_path, end, activation
):
    options = PreflightOptions(classes=names_of(base), image_size=64, n_images=4)
    data = graph(end=end, side="side")
    report = preflight(brought(tmp_path, data), base, options, reader=reader)
    assert report.fit, report.refusal
    assert report.config.checkpoint.activation == activation


def test_an_activation_that_does_not_fit_is_refused_or_warned_of(base, reader, tmp_path):
    names, path = names_of(base), brought(tmp_path, graph(end="Sigmoid", side="side"))
    chosen = {"classes": names, "image_size": 64, "n_images": 4}
    twice = PreflightOptions(**chosen, seeing=("checkpoint.activation=sigmoid",))
    report = preflight(path, base, twice, reader=reader)
    assert any("as if a sigmoid were taken of probabilities" in one for one in report.warnings)
    none = PreflightOptions(**chosen, seeing=("checkpoint.activation=none",))
    path.write_bytes(graph(side="side"))
    assert "Choose sigmoid or softmax" in preflight(path, base, none, reader=reader).refusal


def test_of_several_outputs_a_person_chooses(base, reader, tmp_path):
    path = brought(tmp_path, graph(features=True, side="side"))
    options = PreflightOptions(classes=names_of(base), image_size=64, n_images=4)
    report = preflight(path, base, options, reader=reader)
    assert "2 outputs: y (3 classes) and features (3 classes)" in report.refusal
    chosen = PreflightOptions(**{**vars(options), "network": "y"})
    assert preflight(path, base, chosen, reader=reader).fit


def test_a_graph_that_was_left_in_training_is_refused(base, reader, tmp_path):
    model = onnx.load_from_string(graph(end="Identity", side="side"))
    model.graph.node.pop()
    # Less the mean over the batch, as batch norm does in training.
    model.graph.node.extend(
        [
            onnx.helper.make_node("ReduceMean", ["linear"], ["mean"], axes=[0]),
            onnx.helper.make_node("Sub", ["linear", "mean"], ["y"]),
        ]
    )
    path = brought(tmp_path, model.SerializeToString())
    options = PreflightOptions(classes=names_of(base), image_size=64, n_images=4)
    assert "exported in training mode" in preflight(path, base, options, reader=reader).refusal


def test_whole_numbers_take_no_other_preprocessing(base, reader, tmp_path):
    path = brought(tmp_path, graph(kind=TensorProto.UINT8, side="side"))
    options = PreflightOptions(classes=names_of(base), image_size=64, n_images=4)
    report = preflight(path, base, options, reader=reader)
    assert report.config.checkpoint.std == pytest.approx((1 / 255,))
    assert report.seen.name == "unit"


def test_a_graph_takes_no_architecture_and_no_grid(base, reader, tmp_path):
    path = brought(tmp_path, graph(side="side"))
    chosen = {"classes": names_of(base), "image_size": 64, "n_images": 4}
    options = PreflightOptions(**chosen, architecture="resnet18")
    assert "leave --arch out" in preflight(path, base, options, reader=reader).refusal
    report = preflight(path, base, PreflightOptions(**chosen), reader=reader)
    with pytest.raises(InputError, match="analysed unpruned"):
        analysis_config(report, None, ("sweep.sparsities=[0, 0.5]",))


def test_only_a_given_file_has_the_architecture_onnx():
    raw = {
        "study": {"name": "few"},
        "dataset": {"kind": "phantom"},
        "model": {"architecture": "onnx"},
        "sweep": {"sparsities": [0]},
    }
    with pytest.raises(InputError, match="only for a given ONNX file"):
        parse_config(raw, "few")
