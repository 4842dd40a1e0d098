"""What is said of a file before anything is run on it is what a run would find."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from core.actions.looking import look, look_at_study
from core.cli import app
from core.engine.models import build_model
from core.errors import InputError
from core.pictures import dicom
from core.pictures.images import read_grey
from core.study.config import parse_config
from core.study.settings import ModelSettings
from tests.dicoms import write_dicom
from tests.engine.foreign import graphs

SMALL = ModelSettings(architecture="resnet_small")
SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "nih-cxr-64" / "Data_Entry.csv"
TABLE = {
    "path": [f"p{n // 2}/{n}.png" for n in range(20)],
    "subject_id": [n // 2 for n in range(20)],
    "Mass": [1, 0, -1, None] * 5,
    "Hernia": [0, 1] * 10,
    "ward": ["A"] * 20,
}


def asked(*words: object):
    return CliRunner().invoke(app, ["look", *map(str, words)])


def test_a_table_is_counted_as_pandas_counts_it(tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame(TABLE).to_csv(path, index=False)
    found = look(path)
    assert found.what == "labels"
    assert (found.facts["n_images"], found.facts["n_patients"]) == (20, 10)
    assert (found.facts["image_column"], found.facts["patient_column"]) == ("path", "subject_id")
    assert found.facts["classes"]["Mass"] == {"positives": 5, "negatives": 5, "uncertain": 10}
    assert found.facts["classes"]["Hernia"] == {"positives": 10, "negatives": 10, "uncertain": 0}
    assert found.facts["attributes"] == ["ward"]
    assert sum(found.facts["splits"].values()) == 20
    assert found.warnings == [
        f"{path}: taken as classes: Mass, Hernia",
        f"{path}: kept as further columns, no classes: ward",
    ]


def test_settings_and_presets_are_taken(tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame(TABLE).to_csv(path, index=False)
    found = look(path, {"class_columns": ("Mass",), "blank": "negative"})
    assert found.facts["classes"] == {"Mass": {"positives": 5, "negatives": 10, "uncertain": 5}}
    with pytest.raises(InputError, match=r"mimic-cxr-.*-chexpert\.csv"):
        look(tmp_path, {"preset": "mimic-cxr-jpg"})
    with pytest.raises(InputError, match=r"dataset\.preset: Input should be 'chexpert', "):
        look(path, {"preset": "chex"})


def test_the_command_prints_the_same_twice(tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame(TABLE).to_csv(path, index=False)
    printed = asked(path)
    assert printed.exit_code == 0, printed.stderr
    assert "Hernia" in printed.stdout
    assert "Warning: " in printed.stdout
    whole = json.loads(asked(path, "--json", "--set", "class_columns=Hernia").stdout)
    assert whole["what"] == "labels"
    assert list(whole["classes"]) == ["Hernia"]


def test_an_image_is_shown_as_the_model_sees_it(tmp_path):
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    found = look(tmp_path / "deep.png")
    assert (found.what, found.facts["kind"]) == ("image", "PNG")
    assert (found.facts["width"], found.facts["height"]) == (64, 48)
    assert found.facts["depth_bits"] == 16
    out = tmp_path / "out.png"
    assert asked(tmp_path / "deep.png", "--out", out).exit_code == 0
    assert np.array_equal(np.asarray(Image.open(out)), read_grey(tmp_path / "deep.png"))


def test_an_x_ray_is_never_overwritten_by_its_own_picture(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((20, 20), 900, np.uint16)).save(path)
    before = path.read_bytes()
    assert "is the X-ray itself" in asked(path, "--out", path).output
    assert path.read_bytes() == before


def test_an_image_is_decoded_once(tmp_path, monkeypatch):
    path = write_dicom(tmp_path / "x", np.arange(64, dtype=np.uint16).reshape(8, 8))
    decoded, decode = [], dicom._decoded
    monkeypatch.setattr(dicom, "_decoded", lambda *given: decoded.append(given) or decode(*given))
    look(path)
    assert len(decoded) == 1


def test_repairs_of_a_dicom_are_said(tmp_path):
    path = write_dicom(
        tmp_path / "x",
        np.arange(64, dtype=np.uint16).reshape(8, 8),
        RescaleSlope="0",
        RescaleIntercept="0",
    )
    found = look(path)
    assert found.facts["kind"] == "DICOM"
    assert any("slope is 0" in warning for warning in found.warnings)


def test_predictions_are_named_by_run_and_sparsity(tmp_path):
    for seed, prune in ((0, "0"), (0, "0.9"), (1, "0")):
        scores = pd.DataFrame({"image_id": TABLE["path"], "Mass": np.linspace(0.1, 0.9, 20) + seed})
        scores.to_csv(tmp_path / f"table_vgg_seed-{seed}_prune-{prune}.csv", index=False)
    found = look(tmp_path)
    assert found.facts["seeds"] == [0, 1]
    assert found.facts["sparsities"] == [0.0, 0.9]
    assert found.facts["missing"] == ["seed 1 at sparsity 0.9"]
    assert found.facts["classes"] == {"Mass": {"least": 0.1, "most": 0.9, "missing": 0}}
    assert found.facts["order_check"].endswith("give them with --labels")


def test_predictions_are_compared_with_their_labels(tmp_path):
    labels = pd.DataFrame(TABLE)[["path", "Mass"]].assign(split=["train", "test"] * 10)
    labels.to_csv(tmp_path / "labels.csv", index=False)
    tests, folder = labels["path"][labels["split"] == "test"], tmp_path / "preds"
    folder.mkdir()
    for prune, last in (("0", 0.9), ("0.5", 1.9)):
        scores = pd.DataFrame({"path": tests[::-1], "Mass": np.linspace(0.1, last, 10)})
        scores.to_csv(folder / f"table_vgg_seed-0_prune-{prune}.csv", index=False)
    printed = asked(folder, "--labels", tmp_path / "labels.csv")
    assert printed.exit_code == 0, printed.stderr
    assert "order check: 1 of 2 files fit the labels" in printed.stdout
    assert "is 1.9; a probability is between 0 and 1" in printed.stdout


@pytest.mark.parametrize(
    ("values", "bits"),
    [
        (np.full((9, 9), 999, np.uint16), 16),
        (np.full((9, 9), 99, np.uint8), 8),
        (np.full((9, 9), 0.5, np.float32), 32),
    ],
)
def test_depth_is_the_files_whatever_its_brightest_pixel_is(tmp_path, values, bits):
    Image.fromarray(values).save(tmp_path / "x.tif")
    facts = look(tmp_path / "x.tif").facts
    assert facts["depth_bits"] == bits
    assert facts["highest_value"] == values.max()


def test_what_a_preset_leaves_out_is_said_once(tmp_path):
    rows = pd.DataFrame({"ImageID": [f"{n}.png" for n in range(9)], "ImageDir": "0"})
    rows = rows.assign(PatientID=range(9), Labels=["['nodule']"] * 8 + ["['exclude']"])
    rows.to_csv(tmp_path / "padchest.csv", index=False)
    said = look(tmp_path / "padchest.csv", {"preset": "padchest"}).warnings
    assert sum("are left out" in warning for warning in said) == 1


def test_a_study_file_is_read_as_a_run_would_read_it(tmp_path):
    path = tmp_path / "labels.csv"
    pd.DataFrame(TABLE).to_csv(path, index=False)
    for name in TABLE["path"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    raw = {
        "study": {"name": "mine"},
        "dataset": {"kind": "table", "images": tmp_path, "labels": path},
        "model": {"architecture": "resnet_small"},
    }
    found = look_at_study(parse_config(raw, "test"))
    assert found.facts["n_patients"] == 10
    phantoms = raw | {"dataset": {"kind": "phantom", "n_patients": 50}}
    assert look_at_study(parse_config(phantoms, "test")).facts["n_patients"] == 50


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Weights of a small ResNet with three named outputs, under a wrapper, half of a layer zero."""
    weights = build_model(SMALL, 3, seed=0).state_dict()
    weights["stem.0.weight"].view(-1)[::2] = 0
    weights["classifier.weight"][0] = 0
    path = tmp_path_factory.mktemp("given") / "mine"  # whatever its name is
    torch.save({"net": weights, "classes": ["Mass", "Hernia", "Nodule"], "epoch": 3}, path)
    return path


def test_a_checkpoint_is_described_without_a_dataset(network):
    printed = asked(network, "--json")
    assert printed.exit_code == 0, printed.stderr
    found = json.loads(printed.stdout)
    assert (found["what"], found["format"]) == ("checkpoint", "torch archive")
    assert "weights under 'net'" in found["in_the_file"]
    assert (found["architecture"], found["channels"]) == ("resnet_small", 3)
    assert found["candidates"]["resnet_small"] == "100.0%"
    assert (found["outputs"], found["output_names"]) == (3, ["Mass", "Hernia", "Nodule"])
    layer, last = found["layers"]["stem.0"], found["layers"]["classifier"]
    assert layer["zeros"] == layer["weights"] / 2
    assert last["zeros"] == last["weights"] / 3
    assert sum(one["zeros"] for one in found["layers"].values()) == layer["zeros"] + last["zeros"]
    assert found["warnings"] == []


def test_a_checkpoint_is_said_in_lines(network):
    lines = asked(network).stdout.splitlines()
    assert lines[0] == "This is: checkpoint"
    assert "architecture: resnet_small" in lines
    assert "output names: Mass, Hernia, Nodule" in lines
    assert any(line.split()[:1] == ["stem.0"] for line in lines)


def test_weights_of_no_known_network_are_described_all_the_same(tmp_path):
    torch.save({"a.weight": torch.ones(3, 4)}, tmp_path / "odd.pt")
    found = json.loads(asked(tmp_path / "odd.pt", "--json").stdout)
    assert found["tensors"] == {"float32": 1}
    assert "No network known here" in found["warnings"][0]


def test_an_onnx_network_is_looked_at_without_a_dataset(tmp_path):
    notes = {"classes": '["Mass", "Hernia", "Nodule"]'}
    (tmp_path / "model.onnx").write_bytes(graphs.graph(end="Sigmoid", notes=notes))
    found = json.loads(asked(tmp_path / "model.onnx", "--json").stdout)
    assert (found["format"], found["outputs"]) == ("onnx", 3)
    assert found["output_names"] == ["Mass", "Hernia", "Nodule"]
    assert "takes any number of images of 16 px" in found["graph"]
    assert "analysed unpruned" in found["analysed"]
    whole = graphs.graph()
    (tmp_path / "version-last.onnx").write_bytes(whole[2:] + whole[:2])
    assert json.loads(asked(tmp_path / "version-last.onnx", "--json").stdout)["format"] == "onnx"


@pytest.mark.parametrize("start", [b"\x08\x0a\x12\x07pytorch\x1a\x05", b"\x08\x04\x3a\x90\x01"])
def test_a_damaged_onnx_network_is_said_to_be_one(tmp_path, start):
    (tmp_path / "model.onnx").write_bytes(start + bytes(range(256)))
    refused = asked(tmp_path / "model.onnx")
    assert refused.exit_code == 2
    assert "model.onnx: the file " in refused.stderr


def test_with_a_dataset_it_is_the_preflight(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    pd.DataFrame(TABLE).to_csv(tmp_path / "labels.csv", index=False)
    for name in TABLE["path"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    study = tmp_path / "mine.toml"
    study.write_text(
        f'study = {{ name = "mine" }}\nmodel = {{ architecture = "resnet_small" }}\n[dataset]\n'
        f'kind = "table"\nimages = "{tmp_path}"\nlabels = "{tmp_path}/labels.csv"\n'
    )
    torch.save({"a.weight": torch.ones(3, 4)}, tmp_path / "odd.pt")
    refused = asked(tmp_path / "odd.pt", "--dataset", study, "--json")
    assert refused.exit_code == 2
    said = json.loads(refused.stdout)
    assert said["dataset_fingerprint"]
    assert "No network known here" in said["refusal"]
    assert said["refusal"] in refused.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.pt", "no checkpoint"),
        ("gone.csv", "There is no file"),
        ("empty.csv", "readable CSV|no rows"),
        ("text.png", "no image in a known format"),
    ],
)
def test_what_is_not_understood_is_said_in_a_sentence(tmp_path, name, words):
    if name != "gone.csv":
        (tmp_path / name).write_bytes(b"" if name == "empty.csv" else b"nothing of the kind")
    refused = asked(tmp_path / name)
    assert refused.exit_code == 2
    assert pd.Series([refused.stderr]).str.contains(words).all()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".dcm", ".png", ".tif"])
def test_noise_ends_in_a_sentence(tmp_path, suffix):
    """Damaged files of every kind: understood or refused, never a trace."""
    rng = random.Random(suffix)
    pd.DataFrame(TABLE).to_csv(tmp_path / "t.csv", index=False)
    whole = bytearray((tmp_path / "t.csv").read_bytes())
    for at in range(40):
        broken = bytearray(whole) if at % 2 else bytearray(rng.randbytes(300))
        for _ in range(at):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path = tmp_path / f"broken{suffix}"
        path.write_bytes(broken)
        try:
            look(path)
        except InputError:
            continue


@pytest.mark.skipif(not SAMPLE.is_file(), reason="the real NIH sample is not at ../shared/data")
def test_the_real_labels_are_understood():
    found = look(SAMPLE)
    assert found.facts["n_patients"] == 211
    assert found.facts["n_images"] == 769
