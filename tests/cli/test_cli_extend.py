"""`prunescope extend`: what is added is made once, whatever stops it, and the rest stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli import app
from core.engine.pipeline import run_study
from core.study import paths, store
from core.study.config import StudyConfig, read_config
from core.study.growth import extended
from tests.engine.small_study import STUDY, assert_equal_studies
from tests.waiting import until

ROOT = Path(__file__).parents[2]
NEW = (0.2, 0.7, 0.95)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyConfig, Path]:
    """A finished study of one run, and its cache."""
    folder = tmp_path_factory.mktemp("extend")
    (folder / "small.toml").write_text(STUDY.replace("count = 2", "count = 1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        config = read_config(folder / "small.toml")
        run_study(config)
    return config, folder / "cache"


@pytest.fixture
def folder(finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study's, in a copy of its cache."""
    config, cache = finished
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return paths.study_dir(config)


def asked(*words: str):
    return CliRunner().invoke(app, ["extend", "small", *words])


def cells(folder: Path) -> dict[Path, int]:
    """Every finished cell, and when it was written."""
    found = folder.glob("predictions/*/*.parquet")
    return {path: path.stat().st_mtime_ns for path in found}


def test_an_extension_killed_halfway_goes_on_and_loses_and_repeats_nothing(
    folder: Path, finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cells(folder)
    words = [sys.executable, "-m", "core.cli", "extend", "small", "--sparsities", "20, 70 95 %"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until(lambda: len(cells(folder)) > len(before) or process.poll() is not None)
    process.kill()
    process.wait()
    halfway = cells(folder)
    assert len(halfway) > len(before)
    assert before.items() <= halfway.items()
    again = asked("--sparsities", "20,70,95")
    assert again.exit_code == 0, again.output
    after = cells(folder)
    assert halfway.items() <= after.items(), "what was finished is not made again"
    assert len(after) == 6
    grid = [0, 0.2, 0.5, 0.7, 0.9, 0.95]
    assert list(store.read_config(folder).sweep.sparsities) == grid
    metrics = store.read_class_metrics(folder)
    assert not metrics.duplicated(["run", "sparsity", "class_name"]).any()
    assert sorted(metrics["sparsity"].unique()) == grid
    # As if nothing had happened.
    config, cache = finished
    shutil.copytree(cache, tmp_path / "other")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "other"))
    assert_equal_studies(folder, run_study(extended(config, NEW)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sparsities", "50,90"), "has these sparsities already"),
        (("--sparsities", "0"), "Say what to add"),
        ((), "Say what to add"),
        (("--sparsities", "101"), "'101' is no sparsity"),
        (("--sparsities", "0.5"), "'0.5' is no sparsity. Give whole percents"),
    ],
)
def test_what_adds_nothing_is_refused(folder: Path, words: tuple[str, ...], said: str) -> None:
    refused = asked(*words)
    assert refused.exit_code == 2
    assert said in refused.output
    assert len(cells(folder)) == 3
