"""`prunescope preflight` and `analyze`: facts on standard output, a refusal in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from core import jobs
from core.cli import app
from core.study import paths, store

STUDY_FILE = """
study = { name = "grey-lungs" }
dataset = { kind = "phantom", n_patients = 40, size = 32 }
model = { architecture = "resnet18", image_size = 256 }
sweep = { sparsities = [0, 0.9] }
"""


@pytest.fixture
def study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
    path = tmp_path / "grey-lungs.toml"
    path.write_text(STUDY_FILE)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    settings = ModelSettings(architecture="resnet_small", image_size=32)
    state = build_model(settings, 20, seed=0).state_dict()
    torch.save({"state_dict": state}, tmp_path / "Best model (2).pt")
    return tmp_path / "Best model (2).pt"


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_checkpoint_is_looked_at_and_then_studied(study_file: Path, checkpoint: Path) -> None:
    small = ("--set", "model.image_size=32")
    status, out, err = call("preflight", checkpoint, "--dataset", study_file, *small)
    assert status == 0, err
    assert "Architecture: resnet_small, guessed from names and shapes" in out
    assert "Warning: the file names no classes" in out
    assert out.rstrip().endswith("Fit to run.")
    assert not store.list_studies()

    arguments = (checkpoint, "--dataset", study_file, *small, "--arch", "resnet_small")
    status, out, err = call("analyze", *arguments)
    assert status == 0, err
    (folder,) = store.list_studies()
    config = store.read_config(folder)
    assert config.study.name == "best-model-2-on-grey-lungs"
    assert f"{config.study.name} is finished: {folder}" in out
    assert (config.runs.count, config.model.image_size) == (1, 32)
    assert store.finished_cells(folder) == [(0, 0.0), (0, 0.9)]

    # On that study's own dataset, by its name, with other choices, and left to the worker.
    other = (checkpoint, "--dataset", config.study.name, *small, "--study", "second")
    status, out, err = call("analyze", *other, "--set", "sweep.sparsities=[0,0.5]", "--background")
    assert status == 0, err
    (job,) = jobs.jobs()
    assert (job.study_name, job.status) == ("second", "queued")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--classes", "A,B,-"), "3 classes were given for 20 outputs"),
        (("--arch", "resnet50"), "not those of resnet50"),
        (("--preprocessing", "none"), "there are: imagenet, xrv, half, unit"),
        (("--set", "training.epochs=3"), "the checkpoint decides that"),
        (("--set", "model.image_size=big"), "whole numbers, 16 to 1024"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_status_2(
    study_file: Path, checkpoint: Path, arguments: tuple[str, str], words: str
) -> None:
    for command in ("preflight", "analyze"):
        status, _, err = call(command, checkpoint, "--dataset", study_file, *arguments)
        assert status == 2
        refusal = [line for line in err.splitlines() if words in line]
        assert refusal == err.splitlines()[-1:]
        assert not paths.studies_dir().exists()


def test_no_checkpoint_is_one_sentence(study_file: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.pt").write_bytes(b"\xff\xd8\xff\xe0" + bytes(90))
    status, out, err = call("preflight", tmp_path / "photo.pt", "--dataset", study_file)
    assert (status, out) == (2, "")
    assert "photo.pt is a JPEG image" in err.splitlines()[-1]
    status, _, err = call("preflight", tmp_path / "gone.pt", "--dataset", study_file)
    assert status == 2
    assert "No such file" in err.splitlines()[-1]
