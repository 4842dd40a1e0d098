"""SIGKILL of the worker and of the server amid a real study: it ends finished, no (run, sparsity)
is computed again once it is there, and nothing differs from an undisturbed study."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from core import jobs
from core.engine.pipeline import run_study
from core.study import paths, progress, store
from core.study.config import StudyConfig, read_config
from core.study.progress import read_progress
from tests import waiting
from tests.engine.small_study import STUDY, assert_equal_studies
from tests.ports import free_port
from tests.shared import made_once

ROOT = Path(__file__).parents[2]
LONGEST_LIFE = 1.2  # seconds of work between two kills
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StudyConfig:
    path = tmp_path_factory.mktemp("kill") / "small.toml"
    path.write_text(STUDY)
    return read_config(path)


@pytest.fixture(scope="module")
def undisturbed(config: StudyConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study as a process made it that nobody disturbed."""
    cache = made_once(tmp_path_factory, "undisturbed", lambda: run_study(config))
    return cache / "studies" / config.id


def worker_command() -> list[str]:
    return [sys.executable, "-m", "core.cli", "worker"]


def server_command() -> list[str]:
    return [sys.executable, "-m", "core.cli", "serve", "--port", str(free_port())]


@contextlib.contextmanager
def life(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours until it is killed: SIGKILL, to it alone."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


until = partial(waiting.until, told=jobs.jobs)


def finish(job_id: str) -> None:
    until(lambda: jobs.find(job_id).status not in jobs.UNFINISHED)
    assert jobs.find(job_id).status == "finished", jobs.find(job_id)


def finished_cells(config: StudyConfig) -> dict[Path, int]:
    """When each (run, sparsity) on disk was written."""
    found = paths.study_dir(config).glob("predictions/*/sparsity=*.parquet")
    return {path: path.stat().st_mtime_ns for path in found}


def live_and_die(
    command: list[str], config: StudyConfig, job_id: str, chance: random.Random
) -> bool:
    """One life of a worker or server, ended at a random moment of its work; whether it was hit."""
    begun = time.time()
    folder = paths.study_dir(config)

    def at_work() -> bool:
        report = read_progress(folder)
        return bool(report and report.updated > begun) or job_is_over()

    def job_is_over() -> bool:
        return jobs.find(job_id).status not in jobs.UNFINISHED

    with life(command):
        until(at_work)
        time.sleep(chance.uniform(0, LONGEST_LIFE))
        hit = not job_is_over()
    until(lambda: not jobs.worker_running())  # a server's worker ends with it
    return hit


@pytest.mark.parametrize(
    ("worker_kills", "server_kills"),
    [(3, 1), pytest.param(20, 5, marks=pytest.mark.slow)],
)
def test_a_job_whose_worker_and_server_are_killed_ends_as_if_nothing_had_happened(
    config: StudyConfig,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    worker_kills: int,
    server_kills: int,
) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    chance = random.Random(worker_kills)
    commands = [worker_command()] * worker_kills + [server_command()] * server_kills
    chance.shuffle(commands)
    job_id, hits, written = jobs.submit(config), 0, {}
    for command in commands:
        hits += live_and_die(command, config, job_id, chance)
        written = written | finished_cells(config) | written  # the first time counts
    assert hits
    with life(worker_command()):
        finish(job_id)
    assert {path: finished_cells(config)[path] for path in written} == written
    folder = paths.study_dir(config)
    assert len(store.finished_cells(folder)) == config.runs.count * len(config.sweep.sparsities)
    assert_equal_studies(folder, undisturbed)
    for cell in sorted(undisturbed.glob("predictions/*/*.parquet")):
        assert (folder / cell.relative_to(undisturbed)).read_bytes() == cell.read_bytes()
    assert not list(folder.rglob("*.tmp"))


STAGES = ("Reading", "Decoding", "Training run 1", "Pruning and predicting run 2", "Averaging")


def test_a_study_cancelled_and_resumed_in_every_stage_equals_one_that_nobody_cancelled(
    config: StudyConfig, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_WRITES", 0)  # stages here are shorter than that
    folder = paths.study_dir(config)
    for stage in STAGES:
        seen: list[progress.Report] = []
        asked = partial(is_amid, stage, seen)
        with pytest.raises(progress.Cancelled):
            run_study(config, listener=seen.append, cancelled=asked)
        assert seen[-2].stage.startswith(stage)
        report = read_progress(folder)
        assert report is not None
        assert report.state == "cancelled"
        kept = finished_cells(config)
    run_study(config)
    assert {path: finished_cells(config)[path] for path in kept} == kept
    assert_equal_studies(folder, undisturbed)


def is_amid(stage: str, seen: list[progress.Report]) -> bool:
    return seen[-1].stage.startswith(stage) and seen[-1].done > 0
