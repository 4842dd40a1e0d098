"""Studies that differ only after training share it: it is done once, by one, and never lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from core.engine.pipeline import run_study
from core.study import paths, store
from core.study.config import StudyConfig, with_overrides
from core.study.growth import extended
from core.study.progress import Cancelled, Report
from core.study.study import Study
from core.study.trainings import trained_checkpoint
from tests.engine.small_study import assert_equal_studies

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(undisturbed, tmp_path, monkeypatch) -> StudyConfig:
    """That of a finished study, in a copy of its cache."""
    config, cache = undisturbed
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return config


@pytest.fixture
def at_random(config) -> StudyConfig:
    """The same study, pruned in another way."""
    return with_overrides(config, ("study.name=at-random", "pruning.method=random_global"))


def trained(reports: list[Report]) -> set[str]:
    """Stages in which a network saw a training image."""
    return {one.stage for one in reports if one.stage.startswith("Training") and one.done}


def test_studies_that_differ_only_in_pruning_train_once(config, at_random):
    weights = [trained_checkpoint(paths.study_dir(config), run) for run in (0, 1)]
    before = [path.stat().st_mtime_ns for path in weights]
    reports: list[Report] = []
    folder = run_study(at_random, listener=reports.append)
    assert trained(reports) == set()
    assert [trained_checkpoint(folder, run) for run in (0, 1)] == weights
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert not (folder / "checkpoints").exists()
    labels = store.read_labels(folder)
    ids = labels.split("test")["image_id"]
    for sparsity, same in ((0.0, True), (0.5, False)):
        ours, theirs = (
            store.read_predictions(paths.prediction_path(one, 1, sparsity), ids, labels.class_names)
            for one in (folder, paths.study_dir(config))
        )
        assert np.array_equal(ours, theirs) == same


def test_a_further_run_is_trained_and_those_before_it_are_not(config, at_random):
    reports: list[Report] = []
    run_study(with_overrides(at_random, ("runs.count=3",)), listener=reports.append)
    assert trained(reports) == {"Training run 3 of 3"}


def as_an_older_version_left_it(config: StudyConfig) -> Path:
    folder = paths.study_dir(config)
    provenance = store.read_provenance(folder)
    paths.training_dir(provenance.pop("training")).rename(folder / "checkpoints")
    store.write_json(provenance, paths.study_json(folder))
    return folder


def test_an_older_study_goes_on_with_its_own_checkpoints(config, undisturbed):
    folder = as_an_older_version_left_it(config)
    paths.prediction_path(folder, 1, 0.5).unlink()
    reports: list[Report] = []
    run_study(config, listener=reports.append)
    assert trained(reports) == set()
    assert not list((paths.cache_dir() / "trainings").iterdir())
    cells = list((undisturbed[1] / "studies" / config.id).glob("predictions/*/*.parquet"))
    assert len(cells) == 6
    for cell in cells:
        assert (folder / "predictions" / cell.parent.name / cell.name).read_bytes() == (
            cell.read_bytes()
        )


def test_an_older_study_that_is_not_at_its_end_ends_in_its_own_folder(config, undisturbed):
    folder = as_an_older_version_left_it(config)
    own = paths.checkpoint_path(folder / "checkpoints", 1)
    own.unlink()
    reports: list[Report] = []
    run_study(config, listener=reports.append)
    assert trained(reports) == {"Training run 2 of 2"}
    (training,) = (undisturbed[1] / "trainings").iterdir()
    assert own.read_bytes() == paths.checkpoint_path(training, 1).read_bytes()
    assert not list((paths.cache_dir() / "trainings").iterdir())


def half_trained(config: StudyConfig) -> None:
    """The cache with run 0 stopped in its last epoch, and nothing else of the study."""
    shutil.rmtree(paths.cache_dir() / "trainings")
    shutil.rmtree(paths.study_dir(config))
    seen: list[Report] = []

    def cancelled() -> bool:
        return bool(seen) and trained(seen) != set() and seen[-1].done > seen[-1].total * 0.8

    with pytest.raises(Cancelled):
        run_study(config, listener=seen.append, cancelled=cancelled)


def test_what_one_study_has_trained_of_a_run_another_takes_up(
    config, at_random, undisturbed, monkeypatch
):
    monkeypatch.setattr("core.study.progress.SECONDS_BETWEEN_WRITES", 0)
    half_trained(config)
    reports: list[Report] = []
    run_study(at_random, listener=reports.append)
    first = [one for one in reports if one.stage == "Training run 1 of 2" and one.total]
    assert min(one.done for one in first) > first[0].total * 0.6, "two of three epochs were there"
    run_study(config)
    assert_equal_studies(paths.study_dir(config), undisturbed[1] / "studies" / config.id)


def test_a_run_that_another_study_trains_is_waited_for_and_not_trained(config, at_random):
    weights = trained_checkpoint(paths.study_dir(config), 0)
    away = weights.with_name("away")
    weights.rename(away)
    other = FileLock(paths.training_lock_path(weights))
    reports: list[Report] = []

    def listen(report: Report) -> None:
        reports.append(report)
        if report.stage.startswith("Waiting") and other.is_locked and len(waited(reports)) > 2:
            away.rename(weights)  # the other study is at its end
            other.release()

    other.acquire()
    run_study(at_random, listener=listen)
    assert waited(reports)[0].stage == ("Waiting for run 1 of 2, which another study is training")
    assert trained(reports) == set()
    stages = [one.stage_number for one in reports]
    assert stages == sorted(stages)
    assert max(stages) == reports[0].n_stages


def waited(reports: list[Report]) -> list[Report]:
    return [one for one in reports if one.stage.startswith("Waiting")]


def test_who_waits_can_be_stopped(config, at_random):
    weights = trained_checkpoint(paths.study_dir(config), 0)
    seen: list[Report] = []
    with FileLock(paths.training_lock_path(weights)), pytest.raises(Cancelled):
        run_study(at_random, listener=seen.append, cancelled=lambda: bool(waited(seen)))


SCRIPT = """
import sys
from core.engine.pipeline import run_study
from core.study.config import read_config

def listen(report):
    if report.stage.startswith("Training") and report.done:
        print(report.stage, flush=True)

run_study(read_config(sys.argv[1], tuple(sys.argv[2:])), listener=listen)
"""


def test_two_processes_at_once_train_every_run_once(config, at_random, study_file, undisturbed):
    shutil.rmtree(paths.cache_dir() / "trainings")
    shutil.rmtree(paths.study_dir(config))
    overrides = ([], ["study.name=at-random", "pruning.method=random_global"])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(study_file), *more],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for more in overrides
    ]
    said = [process.communicate(timeout=300)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert not set(said[0]) & set(said[1])
    assert set(said[0]) | set(said[1]) == {"Training run 1 of 2", "Training run 2 of 2"}
    assert_equal_studies(paths.study_dir(config), undisturbed[1] / "studies" / config.id)
    assert paths.study_dir(at_random).is_dir()


def test_what_is_added_to_a_finished_study_is_made_and_nothing_else(config):
    """A run and a sparsity more: equal to the study that was begun with both."""
    folder = paths.study_dir(config)
    before = {
        path: path.stat().st_mtime_ns
        for name in ("predictions", "validation")
        for path in (folder / name).rglob("*.parquet")
    }
    assert run_study(extended(config, (0.7,), more_runs=1)) == folder
    assert {path: path.stat().st_mtime_ns for path in before} == before
    study = Study(folder)
    assert study.config.id == folder.name
    assert study.grid == [0, 0.5, 0.7, 0.9]
    assert study.runs(0, 0.5, 0.7, 0.9) == [0, 1, 2]
    assert store.read_provenance(folder)["seeds"] == [0, 1, 2]
    mean = np.mean([study.predictions(run, 0.5) for run in range(3)], axis=0)
    assert study.ensemble(0.5) == pytest.approx(mean, abs=1e-6)
    assert run_study(config) == folder, "its study file, run again, takes nothing away"
    assert Study(folder).grid == study.grid
    assert Study(folder).config == study.config
