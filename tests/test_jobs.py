"""Jobs: a real worker process on a real database, killed, stopped, cancelled and refused."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core import jobs, store
from core.errors import InputError, WorkError
from core.progress import Progress, read_progress
from core.study import StudyConfig, jobs_database, study_dir, study_json
from tests.toys import toy_config

ROOT = Path(__file__).parents[1]
N_STEPS = 15
STEP_SECONDS = {"slow": 0.25}


def step_by_step(
    config: StudyConfig, listener: object = None, cancelled: Callable[[], bool] | None = None
) -> Path:
    """In the engine's place: short steps that leave a file each, skipped where it is there."""
    folder = study_dir(config)
    if config.study.name == "bad-input":
        raise InputError("labels.csv lacks the column 'Image Index'.")
    if config.study.name == "bug":
        raise KeyError("nobody foresaw this")
    provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
    store.write_json(provenance, study_json(folder))
    progress = Progress(folder, 1, cancelled=cancelled)
    advance = progress.start("stepping", "steps")
    with open(folder / "starts.txt", "a") as starts:
        starts.write(f"{os.getpid()}\n")
    for step in range(N_STEPS):
        path = folder / f"step-{step:02d}"
        if not path.exists():
            time.sleep(STEP_SECONDS.get(config.study.name, 0.08))
            with open(folder / "done.txt", "a") as done:
                done.write(f"{step}\n")
            path.touch()
        advance(step + 1, N_STEPS)
    progress.end("finished")
    return folder


class Workers:
    """Worker processes of one test; all are gone after it."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        code = "from core.jobs import run_worker; run_worker(runner='tests.test_jobs:step_by_step')"
        worker = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        self.started.append(worker)
        return worker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a cache"  # with a space, as in many a home folder
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(folder))
    monkeypatch.delenv(jobs.DATABASE_VARIABLE, raising=False)
    return folder


@pytest.fixture
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    for worker in started.started:
        worker.kill()
        worker.wait()
        if worker.stderr:
            worker.stderr.close()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until the condition holds; fail the test where it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s; jobs: {jobs.jobs()}"
        time.sleep(0.1)


def job(job_id: str) -> jobs.Job:
    return next(job for job in jobs.jobs() if job.id == job_id)


def n_done(config: StudyConfig) -> int:
    return len(list(study_dir(config).glob("step-*")))


def test_nobody_has_submitted_anything() -> None:
    assert jobs.jobs() == []
    assert not jobs_database().exists()
    assert not jobs.worker_running()


def test_a_submitted_study_waits_for_a_worker_and_is_submitted_once() -> None:
    config = toy_config()
    job_id = jobs.submit(config)
    assert job_id == f"{config.id}.1"
    assert jobs.submit(config) == job_id
    (waiting,) = jobs.jobs()
    assert (waiting.status, waiting.study_name, waiting.started) == ("queued", "toy", None)
    assert abs(waiting.submitted - time.time()) < 5


def test_studies_with_equal_beginnings_are_different_jobs() -> None:
    short, long = toy_config("toy"), toy_config("toy-2")
    assert {jobs.submit(short), jobs.submit(long)} == {f"{short.id}.1", f"{long.id}.1"}


def test_a_job_that_waits_can_be_cancelled_and_resumed_as_a_new_attempt() -> None:
    job_id = jobs.submit(toy_config())
    jobs.cancel(job_id)
    assert job(job_id).status == "cancelled"
    again = jobs.resume(job_id)
    assert again == f"{toy_config().id}.2"
    assert [job.status for job in jobs.jobs()] == ["queued", "cancelled"]


def test_an_unknown_job_is_refused_with_the_known_ones() -> None:
    job_id = jobs.submit(toy_config())
    with pytest.raises(InputError, match=f"no job 'none'.*{job_id}"):
        jobs.cancel("none")
    with pytest.raises(InputError, match="no job 'none'"):
        jobs.resume("none")


def test_an_unusable_database_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jobs.DATABASE_VARIABLE, "mysql://me:secret@host/jobs")
    with pytest.raises(InputError, match=r"'mysql'; allowed") as refusal:
        jobs.jobs()
    assert "secret" not in str(refusal.value)


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(jobs.DATABASE_VARIABLE, "postgresql://me:secret@127.0.0.1:9/jobs")
    with pytest.raises(WorkError, match="jobs database postgresql") as failure:
        jobs.jobs()
    assert "secret" not in str(failure.value)


def test_a_killed_workers_job_is_finished_by_the_one_that_stood_by_with_nothing_done_twice(
    workers: Workers,
) -> None:
    config = toy_config("slow")
    job_id = jobs.submit(config)
    first = workers.start()
    until(lambda: n_done(config) >= 2)
    second = workers.start()
    assert second.stderr is not None
    assert "standing by" in second.stderr.readline()
    assert job(job_id).status == "running"
    first.kill()
    until(lambda: job(job_id).status == "finished")
    folder = study_dir(config)
    # At most the step that was cut short is begun again; none is done twice.
    steps = (folder / "done.txt").read_text().split()
    assert steps == [str(step) for step in range(N_STEPS)]
    starts = (folder / "starts.txt").read_text().split()
    assert starts == [str(first.pid), str(second.pid)]
    # Submitting what is finished is done at once.
    again = jobs.submit(config)
    assert again == f"{config.id}.2"
    until(lambda: job(again).status == "finished")
    assert (folder / "done.txt").read_text().split() == steps


def test_a_terminated_worker_ends_within_seconds_and_its_job_waits_for_the_next(
    workers: Workers,
) -> None:
    config = toy_config()
    job_id = jobs.submit(config)
    first = workers.start()
    until(lambda: n_done(config) >= 1)
    first.terminate()
    assert first.wait(timeout=5) == 0
    assert job(job_id).status == "queued"
    workers.start()
    until(lambda: job(job_id).status == "finished")


def test_cancelling_stops_the_work_within_seconds_and_the_next_job_follows(
    workers: Workers,
) -> None:
    config, other = toy_config("slow"), toy_config("quick")
    job_id, next_id = jobs.submit(config), jobs.submit(other)
    workers.start()
    until(lambda: n_done(config) >= 2)
    assert job(next_id).status == "queued"  # one at a time
    jobs.cancel(job_id)
    until(lambda: n_done(other) >= 1, seconds=6)
    assert n_done(config) < N_STEPS
    assert job(job_id).status == "cancelled"
    again = jobs.resume(job_id)
    until(lambda: job(again).status == "finished")
    assert job(next_id).status == "finished"
    assert n_done(config) == N_STEPS
    assert read_progress(study_dir(config)).state == "finished"


def test_failures_end_in_words_and_are_not_tried_again(workers: Workers) -> None:
    refused, bug = jobs.submit(toy_config("bad-input")), jobs.submit(toy_config("bug"))
    workers.start()
    until(lambda: job(refused).status == job(bug).status == "failed")
    assert job(refused).error == "labels.csv lacks the column 'Image Index'."
    assert "KeyError" in job(bug).error
    assert "nobody foresaw this" in job(bug).error
    time.sleep(1)
    assert [job.status for job in jobs.jobs()] == ["failed", "failed"]


def test_a_worker_that_stands_by_can_be_stopped(workers: Workers) -> None:
    workers.start()
    until(jobs.worker_running)
    second = workers.start()
    assert second.stderr is not None
    assert "standing by" in second.stderr.readline()
    second.terminate()
    assert second.wait(timeout=5) == 0
