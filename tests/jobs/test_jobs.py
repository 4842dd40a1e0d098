"""Jobs: a real worker process on a real database, killed, stopped, cancelled and refused."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from core import jobs
from core.errors import InputError, WorkError
from core.jobs import log
from core.study import store
from core.study.config import StudyConfig
from core.study.paths import cache_dir, jobs_database, study_dir, study_json
from core.study.progress import Progress, Report, read_progress
from tests import waiting
from tests.toys import toy_config
from tests.waiting import children_of, lives

ROOT = Path(__file__).parents[2]
N_STEPS = 15
HELD_AT = 2  # steps, after which "held" waits until it is let go
IDLE_MB, HEAVY_MB = 250, 600
LARGEST_FILE = 1_000_000  # bytes; the database has a quarter of it


def step_by_step(
    config: StudyConfig,
    listener: Callable[[Report], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """In the engine's place: steps that leave a file each, skipped where it is there."""
    folder = study_dir(config)
    if config.study.name == "bad-input":
        raise InputError("labels.csv lacks the column 'Image Index'.")
    if config.study.name == "bug":
        raise KeyError("nobody foresaw this")
    provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
    store.write_json(provenance, study_json(folder))
    progress = Progress(folder, 1, listener, cancelled=cancelled)
    advance = progress.start("stepping", "steps")
    if config.study.name == "deaf":
        (folder / "deaf").touch()
        time.sleep(600)
    if config.study.name == "heavy":
        import_module("torch")
        held = b"\1" * (HEAVY_MB << 20)
        (folder / "step-00").write_bytes(held[:1])
    if config.study.name == "large-files":
        (folder / "weights").write_bytes(bytes(20 * LARGEST_FILE))
    with open(folder / "starts.txt", "a") as starts:
        starts.write(f"{os.getpid()}\n")
    for step in range(N_STEPS):
        path = folder / f"step-{step:02d}"
        while config.study.name == "held" and step == HELD_AT and not gate().exists():
            time.sleep(0.05)
            advance(step, N_STEPS)
        if not path.exists():
            with open(folder / "done.txt", "a") as done:
                done.write(f"{step}\n")
            path.touch()
        advance(step + 1, N_STEPS)
    progress.end("finished")
    return folder


def gate() -> Path:
    return cache_dir() / "go-on"


class Workers:
    """Worker processes of one test; all are gone after it."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def start(self, prepare: Callable[[], None] | None = None) -> subprocess.Popen[str]:
        runner = "tests.jobs.test_jobs:step_by_step"
        code = f"from core.jobs.worker import run_worker; run_worker(runner='{runner}')"
        worker = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
        )
        self.started.append(worker)
        return worker


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a cache"  # with a space, as in many a home folder
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(folder))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
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


until = partial(waiting.until, told=jobs.jobs)


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
    before = time.time()
    job_id = jobs.submit(config)
    assert job_id == f"{config.id}.1"
    assert jobs.submit(config) == job_id
    (submitted,) = jobs.jobs()
    assert (submitted.status, submitted.study_name, submitted.started) == ("queued", "toy", None)
    assert before - 1 <= submitted.submitted <= time.time()


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


def test_an_unknown_job_is_refused() -> None:
    jobs.submit(toy_config())
    with pytest.raises(InputError, match=r"no job 'none'.*prunescope jobs lists them"):
        jobs.cancel("none")
    with pytest.raises(InputError, match="no job 'none'"):
        jobs.resume("none")


def test_an_unusable_database_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_JOBS_DATABASE", "mysql://me:secret@host/jobs")
    with pytest.raises(InputError, match=r"'mysql'; allowed") as refusal:
        jobs.jobs()
    assert "secret" not in str(refusal.value)


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRUNESCOPE_JOBS_DATABASE", "postgresql://me:secret@127.0.0.1:9/jobs")
    with pytest.raises(WorkError, match="jobs database postgresql") as failure:
        jobs.jobs()
    assert "secret" not in str(failure.value)


def test_a_killed_workers_job_is_finished_by_the_one_that_stood_by_with_nothing_done_twice(
    workers: Workers,
) -> None:
    config = toy_config("held")
    first = workers.start()
    until(jobs.worker_running)
    second = workers.start()
    assert second.stderr is not None
    assert "standing by" in second.stderr.readline()
    job_id = jobs.submit(config)
    until(lambda: n_done(config) >= HELD_AT)
    assert job(job_id).status == "running"
    first.kill()
    first.wait(waiting.SECONDS)
    gate().touch()
    until(lambda: job(job_id).status == "finished")
    folder = study_dir(config)
    # At most the step that was cut short is begun again; none is done twice.
    steps = (folder / "done.txt").read_text().split()
    assert steps == [str(step) for step in range(N_STEPS)]
    one, other = map(int, (folder / "starts.txt").read_text().split())
    assert len({one, other, first.pid, second.pid}) == 4
    # Submitting what is finished is done at once.
    again = jobs.submit(config)
    assert again == f"{config.id}.2"
    until(lambda: job(again).status == "finished")
    assert (folder / "done.txt").read_text().split() == steps


def test_a_terminated_worker_ends_amid_its_job_which_waits_for_the_next(
    workers: Workers,
) -> None:
    config = toy_config("held")
    job_id = jobs.submit(config)
    first = workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    first.terminate()
    assert first.wait(waiting.SECONDS) == 0
    assert job(job_id).status == "interrupted"
    gate().touch()
    workers.start()
    until(lambda: job(job_id).status == "finished")


def test_cancelling_stops_the_work_and_the_next_job_follows(
    workers: Workers,
) -> None:
    config, other = toy_config("held"), toy_config("quick")
    job_id, next_id = jobs.submit(config), jobs.submit(other)
    workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    assert job(next_id).status == "queued"  # one at a time
    jobs.cancel(job_id)
    until(lambda: n_done(other) >= 1)
    assert n_done(config) == HELD_AT
    assert job(job_id).status == "cancelled"
    gate().touch()
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
    later = jobs.submit(toy_config("quick"))  # one at a time, so whatever else waits comes before
    until(lambda: job(later).status == "finished")
    assert [job.status for job in jobs.jobs()] == ["finished", "failed", "failed"]


def test_a_worker_that_stands_by_can_be_stopped(workers: Workers) -> None:
    workers.start()
    until(jobs.worker_running)
    second = workers.start()
    assert second.stderr is not None
    assert "standing by" in second.stderr.readline()
    second.terminate()
    assert second.wait(waiting.SECONDS) == 0


def test_many_who_submit_a_study_at_once_start_one_job() -> None:
    jobs.submit(toy_config("first"))  # makes the database
    with ThreadPoolExecutor(8) as people:
        ids = set(people.map(lambda n: jobs.submit(toy_config(), f"{n}@clinic.org"), range(8)))
    assert ids == {f"{toy_config().id}.1"}
    assert [job.study_name for job in jobs.jobs()].count("toy") == 1


def test_resuming_what_has_not_ended_changes_nothing() -> None:
    job_id = jobs.submit(toy_config(), "ann@clinic.org")
    assert jobs.resume(job_id, "bob@clinic.org") == job_id
    assert job(job_id).submitted_by == "ann@clinic.org"


def test_a_job_cancelled_and_resumed_in_one_breath_is_finished(workers: Workers) -> None:
    config = toy_config("held")
    job_id = jobs.submit(config)
    worker = workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    jobs.cancel(job_id)
    again = jobs.resume(job_id)
    until(lambda: len((study_dir(config) / "starts.txt").read_text().split()) == 2)
    gate().touch()
    until(lambda: job(again).status == "finished")
    assert job(job_id).status == "cancelled"
    # Never were both at it: each step was done once.
    assert (study_dir(config) / "done.txt").read_text().split() == [str(n) for n in range(N_STEPS)]
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == 10


def test_a_cancelled_job_that_does_not_report_is_ended_and_the_next_one_follows(
    workers: Workers,
) -> None:
    config, other = toy_config("deaf"), toy_config("quick")
    job_id, next_id = jobs.submit(config), jobs.submit(other)
    worker = workers.start()
    until((study_dir(config) / "deaf").exists)
    (at_work,) = children_of(worker.pid)
    jobs.cancel(job_id)
    until(lambda: job(next_id).status == "finished")
    assert worker.poll() is None
    assert not lives(at_work)
    assert job(job_id).status == "cancelled"
    report = read_progress(study_dir(config))
    assert report is not None
    assert report.state == "cancelled"


def test_a_killed_jobs_process_is_a_failed_attempt_in_words_and_the_worker_goes_on(
    workers: Workers,
) -> None:
    config = toy_config("held")
    job_id = jobs.submit(config)
    worker = workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    (at_work,) = children_of(worker.pid)
    os.kill(at_work, signal.SIGKILL)
    until(lambda: job(job_id).status == "failed")
    assert "ended by SIGKILL, perhaps because memory ran out" in job(job_id).error
    report = read_progress(study_dir(config))
    assert report is not None
    assert (report.state, report.message) == ("failed", job(job_id).error)
    assert log.newest_lines(study_dir(config))[-1].endswith(job(job_id).error)
    gate().touch()
    again = jobs.resume(job_id)
    until(lambda: job(again).status == "finished")
    assert worker.poll() is None
    steps = (study_dir(config) / "done.txt").read_text().split()
    assert steps == [str(step) for step in range(N_STEPS)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_jobs_process_ends_with_its_worker_however_that_ends(
    workers: Workers, how: signal.Signals
) -> None:
    config = toy_config("deaf")
    job_id = jobs.submit(config)
    worker = workers.start()
    until((study_dir(config) / "deaf").exists)
    (at_work,) = children_of(worker.pid)
    os.kill(worker.pid, how)
    until(lambda: not lives(at_work))
    worker.wait(waiting.SECONDS)
    assert job(job_id).status == "interrupted"


def test_a_shutdowns_sigterm_to_a_jobs_process_fails_nothing(workers: Workers) -> None:
    config = toy_config("held")
    job_id = jobs.submit(config)
    worker = workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    (at_work,) = children_of(worker.pid)
    os.kill(at_work, signal.SIGTERM)
    gate().touch()
    until(lambda: job(job_id).status == "finished")
    assert len((study_dir(config) / "starts.txt").read_text().split()) == 1


def test_a_worker_holds_little_memory_after_a_job_that_took_much(workers: Workers) -> None:
    job_id = jobs.submit(toy_config("heavy"))
    worker = workers.start()
    until(lambda: job(job_id).status == "finished")
    until(lambda: not children_of(worker.pid))
    assert resident_mb(worker.pid) <= IDLE_MB


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_a_study_removed_under_the_workers_feet_fails_in_words_and_can_be_run_again(
    workers: Workers,
) -> None:
    config = toy_config("held")
    job_id = jobs.submit(config)
    worker = workers.start()
    until(lambda: n_done(config) >= HELD_AT)
    folder = study_dir(config)  # where a report may just be written
    until(lambda: shutil.rmtree(folder, ignore_errors=True) or not folder.exists())
    until(lambda: job(job_id).status == "failed")
    assert "removed" in job(job_id).error or "No such file" in job(job_id).error
    gate().touch()
    again = jobs.resume(job_id)
    until(lambda: job(again).status == "finished")
    assert n_done(config) == N_STEPS
    assert worker.poll() is None


def test_a_full_disk_fails_the_job_in_words_and_the_worker_goes_on(workers: Workers) -> None:
    """A limit on the size of files stands for the full disk."""
    full, other = jobs.submit(toy_config("large-files")), jobs.submit(toy_config("quick"))
    limit = (LARGEST_FILE, LARGEST_FILE)
    worker = workers.start(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    until(lambda: job(full).status == "failed")
    assert job(full).error.startswith("The disk is full")
    assert "resume the job" in job(full).error
    until(lambda: job(other).status == "finished")
    assert worker.poll() is None
    report = read_progress(study_dir(toy_config("quick")))
    assert report is not None
    assert report.state == "finished"


def test_a_job_writes_its_log_into_its_studys_folder(workers: Workers) -> None:
    config, bug = toy_config("quick"), toy_config("bug")
    job_id, failed = jobs.submit(config), jobs.submit(bug)
    workers.start()
    until(lambda: job(failed).status == "failed")
    lines = log.newest_lines(study_dir(config))
    assert "stepping, stage 1 of 1" in lines[0]
    assert lines[-1].endswith(f"job {job_id}: finished")
    assert not study_dir(bug).exists()  # no folder for a log alone
