"""A study of a library's checkpoint has the probabilities of that library's own forward."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from core.checkpoints.analyses import analysis_config
from core.checkpoints.preflight import PreflightOptions, lines
from core.datasets import load_labels
from core.engine.foreign.against import the_owners
from core.engine.foreign.guessing import match
from core.engine.foreign.preflight import preflight
from core.engine.foreign.proposing import usual_framing, usual_preprocessing
from core.engine.foreign.reading import Reader
from core.engine.foreign.sidecar import Sidecar
from core.engine.models import build_model
from core.engine.pipeline import run_study
from core.errors import InputError
from core.pictures.images import read_grey
from core.study import paths, store
from core.study.config import StudyConfig, parse_config
from core.study.settings import CheckpointSettings
from tests.engine.foreign.test_libraries import made


@pytest.fixture(scope="module")
def reader():
    with Reader() as running:
        yield running


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A dataset of a few phantoms."""
    raw = {
        "study": {"name": "few"},
        "dataset": {"kind": "phantom", "n_patients": 20, "size": 64},
        "model": {"architecture": "resnet_small", "image_size": 64},
        "sweep": {"sparsities": [0]},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield parse_config(raw, "few")


def studied(report) -> tuple[StudyConfig, np.ndarray, np.ndarray]:
    """The study's config, its dense probabilities, and the grey test images."""
    config = analysis_config(report, None, ("sweep.precision=fp32",))
    folder = run_study(config)
    test = store.read_labels(folder).split("test")
    names = store.read_labels(folder).class_names
    found = store.read_predictions(paths.prediction_path(folder, 0, 0.0), test["image_id"], names)
    images = paths.images_dir(config.dataset)
    return config, found, np.stack([read_grey(images / path) for path in test["path"]])


def test_torchxrayvisions_network_with_its_operating_points(base, reader, tmp_path):
    from torchxrayvision.datasets import normalize

    names = load_labels(base.dataset).class_names
    model = made("torchxrayvision/densenet121", n_classes=3, channels=1)
    model.op_threshs = torch.tensor([0.3, float("nan"), 0.6])
    torch.save(
        {"state_dict": model.state_dict(), "class_names": list(names[:3])}, tmp_path / "x.pt"
    )
    options = PreflightOptions(image_size=64)
    report = preflight(tmp_path / "x.pt", base, options, reader=reader)
    assert report.fit, report.refusal
    assert "as torchxrayvision does" in report.seen.reason
    config, found, greys = studied(report)
    assert config.checkpoint.operating_points == pytest.approx((0.3, 0, 0.6))
    assert (config.checkpoint.preprocessing, config.checkpoint.centre_crop) == ("xrv", 1)
    # Its own forward would scale 64 px up to 224: what its layers make of 64 px is compared.
    inputs = torch.from_numpy(normalize(greys.astype(np.float32), 255)[:, None])
    with torch.inference_mode():
        features = torch.relu(model.features(inputs)).mean(dim=(2, 3))
        from torchxrayvision.models import op_norm

        expected = op_norm(torch.sigmoid(model.classifier(features)), model.op_threshs)
    assert np.abs(found - expected.numpy()).max() < 1e-5


def test_a_person_says_which_of_two_twins_it_is_and_the_one_predicts_as_timms(
    base, reader, tmp_path
):
    names = load_labels(base.dataset).class_names
    model = made("timm/resnetblur50", n_classes=len(names))
    torch.save(model.state_dict(), tmp_path / "blur.pt")
    options = PreflightOptions(image_size=64, seeing=("checkpoint.centre_crop=0",))
    unsaid = preflight(tmp_path / "blur.pt", base, options, reader=reader)
    known = {"resnet50", "timm/resnetaa50", "timm/resnetblur50"}
    assert {twin.name for twin in unsaid.twins} == known
    best, *others = (twin.mean_auroc for twin in unsaid.twins)
    assert all(best >= other for other in others)
    asked = f"{unsaid.twins[0].name} predicts them best. Say which it is: --arch "
    assert asked in unsaid.refusal
    assert not unsaid.fit
    chosen = replace(options, architecture="timm/resnetblur50")
    report = preflight(tmp_path / "blur.pt", base, chosen, reader=reader)
    assert report.fit, report.refusal
    measured = {twin.name: twin.mean_auroc for twin in unsaid.twins}
    assert measured["timm/resnetblur50"] == pytest.approx(report.check.mean_auroc)
    assert "Architecture: timm/resnetblur50, chosen" in "\n".join(lines(report))
    _, found, greys = studied(report)
    unit = torch.from_numpy(greys).float()[:, None].expand(-1, 3, -1, -1) / 255
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (report.seen.mean, report.seen.std))
    with torch.inference_mode():
        expected = torch.sigmoid(model((unit - mean) / std))
    assert np.abs(found - expected.numpy()).max() < 1e-5


def test_how_a_network_sees_is_checked(base, reader, tmp_path):
    names = load_labels(base.dataset).class_names
    torch.save(made("timm/resnet18", n_classes=len(names)).state_dict(), tmp_path / "r.pt")
    for seeing, words in {
        "checkpoint.centre_crop=0.1": "centre_crop: it is 0, or from 0.5 to 1",
        "checkpoint.activation=tanh": "activation",
        "checkpoint.mean=[0.1, 0.2]": "2 and 3 values",
    }.items():
        options = PreflightOptions(image_size=64, seeing=(seeing,))
        try:
            said = preflight(tmp_path / "r.pt", base, options, reader=reader).refusal
        except InputError as error:
            said = str(error)
        assert words in said


def test_the_owners_probabilities_are_compared_with_those_of_the_study(base):
    """With its own mean and activation; until they were, only the usual ones agreed."""
    labels = load_labels(base.dataset)
    model = build_model(base.model, len(labels.class_names), seed=0).eval()
    given = CheckpointSettings(
        sha256="0" * 64, classes=labels.class_names, mean=(0.2,), std=(0.1,), activation="softmax"
    )
    config = base.model_copy(update={"checkpoint": given})
    rows = labels.table.iloc[:3]
    greys = np.stack([read_grey(paths.images_dir(base.dataset) / p, 64) for p in rows["path"]])
    inputs = ((torch.from_numpy(greys).float() / 255 - 0.2) / 0.1)[:, None].expand(-1, 3, -1, -1)
    with torch.inference_mode():
        theirs = model(inputs).softmax(dim=1).numpy()
    table = pd.DataFrame(theirs, index=rows["image_id"], columns=list(labels.class_names))
    found = the_owners(table.to_csv(), model, labels, config).found["reference"]
    assert found.largest < 1e-5


def test_a_monai_densenet_of_one_channel_is_not_torchxrayvisions(base):
    model = made("torchvision/densenet121", n_classes=18, channels=1)
    words = (
        ("denselayer", r"(denselayer\d+)\.", r"\1.layers."),
        ("classifier", "classifier", "class_layers.out"),
    )
    state = model.state_dict()
    for start, pattern, new in words:
        state = {re.sub(pattern, new, n) if start in n else n: t for n, t in state.items()}
    found = match(state, None, 64)
    warnings: list[str] = []
    assert usual_preprocessing(found, Sidecar(), warnings)[0] == "unit"
    assert "takes one channel" in warnings[0]
    assert "centre_crop" not in usual_framing(found, PreflightOptions(), Sidecar())
    plain = match(model.state_dict(), None, 64)
    assert usual_preprocessing(plain, Sidecar(), [])[0] == "xrv"
