"""Durable background jobs: anyone submits, one worker works, and a killed worker's job goes on.

DBOS keeps only which job exists and how it ended. How far a job is stands in its study's own
folder (core.progress): DBOS takes events between steps only, and a study is one long step, since
the engine itself continues from what it finds on disk.

One worker at a time: a worker holds a lock file in the cache folder, a second one stands by until
it is free. So recovery, which takes up what the executor named "local" left, never takes a job
from a living worker. DBOS hands each queued job to one taker, and the engine locks each study;
those two hold even where somebody removes the lock file.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import InputError, WorkError
from core.progress import Cancelled
from core.study import StudyConfig, jobs_database, parse_config

if TYPE_CHECKING:  # dbos takes more than half a second to import; the dashboard starts without it
    from dbos import DBOSClient

Status = Literal["queued", "running", "finished", "failed", "cancelled"]

DATABASE_VARIABLE = "PRUNESCOPE_JOBS_DATABASE"
ENGINE = "core.engine.pipeline:run_study"
APPLICATION = "prunescope"
QUEUE = "studies"
WORKFLOW = "run-study"
# Recovery asks for an equal version; raise it only when old settings can no longer be read.
VERSION = "1"
# Every start of a worker counts, also after a polite stop.
MAX_RECOVERIES = 200
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_CANCEL_CHECKS = 1.0

IN_WORDS: dict[str, Status] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "finished",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
UNFINISHED = ("queued", "running")

log = logging.getLogger("prunescope.worker")


@dataclass(frozen=True)
class Job:
    """One attempt at a study. Times are seconds since the epoch; `error` is a sentence.

    A job whose worker has gone reads "queued": the next worker takes it up.
    """

    id: str
    study_id: str
    study_name: str
    attempt: int
    status: Status
    submitted: float
    started: float | None
    updated: float
    error: str = ""


def submit(config: StudyConfig) -> str:
    """Queue a study, return the job's id; a queued or running job of the study is returned as is.

    A study that is finished already is done at once, because the engine skips what is there.
    """
    with _client() as client:
        attempts = [_job(row) for row in _rows(client, workflow_id_prefix=f"{config.id}.")]
        last = max(attempts, key=lambda job: job.attempt, default=None)
        if last and last.status in UNFINISHED:
            return last.id
        # Two who submit in the same moment arrive at the same id, and DBOS keeps one of them.
        job_id = f"{config.id}.{last.attempt + 1 if last else 1}"
        options: Any = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": job_id,
            "app_version": VERSION,
            "serialization_type": "portable",  # JSON: nothing from the database is unpickled
        }
        client.enqueue(options, config.model_dump(mode="json"))
    return job_id


def jobs() -> list[Job]:
    """Every job, newest first; none where nobody has submitted anything yet."""
    if _nothing_submitted():
        return []
    with _client() as client:
        found = [_job(row) for row in _rows(client)]
    if any(job.status == "running" for job in found) and not worker_running():
        found = [_without_worker(job) for job in found]
    # SQLite's clock has whole seconds; within one, the later row is the later job.
    return sorted(found, key=lambda job: (job.submitted, job.attempt))[::-1]


def cancel(job_id: str) -> None:
    """Ask a queued or running job to stop; what it has finished stays. An ended job stays as it is.

    Raises InputError where there is no such job.
    """
    with _client() as client:
        _row(client, job_id)
        client.cancel_workflow(job_id)


def resume(job_id: str) -> str:
    """Submit the job's study again, return the new job's id; finished work is not repeated.

    A new attempt rather than DBOS' own resume, which would put the job on another queue beside
    the one that runs a single job at a time. Raises InputError where there is no such job.
    """
    with _client() as client:
        settings = _settings(_row(client, job_id))
    return submit(parse_config(settings, f"job {job_id}"))


def worker_running() -> bool:
    """Whether a worker holds this cache folder's lock."""
    return is_locked(worker_lock_path())


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock file. Holds it for a moment itself where none does."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def worker_lock_path() -> Path:
    return jobs_database().with_name("worker.lock")


def run_worker(parent: int | None = None, runner: str = ENGINE) -> None:
    """Work off the queue until SIGTERM or SIGINT, or until process `parent` is gone; then exit.

    `runner` is `module:function` with the signature of core.engine.pipeline.run_study. Stopping
    does not wait for the job: it is left as a killed worker would leave it, for the next worker.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    # A list, not an Event: setting one in a handler can wait for the very thread it interrupts.
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stop.append(received))
    with _only_worker(stop, parent):
        if not _told_to_stop(stop, parent):
            _launch(runner)
            log.info("ready; jobs are in %s", _shown_database())
        while not _told_to_stop(stop, parent):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        log.info("stopping; an unfinished job goes on with the next worker")
        logging.shutdown()
        # The job's thread may be deep in native code for minutes. Every write of the engine is
        # whole or not at all, so ending here is safe, and it is the way that a crash tests too.
        os._exit(0)


# What the worker runs


def _launch(runner: str) -> None:
    from dbos import DBOS

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
    def work(settings: dict[str, Any]) -> str:
        return _work(DBOS.workflow_id or "", settings, runner)

    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": _database_url(),
            "application_version": VERSION,
            "executor_id": "local",  # equal in every worker, so that the next one recovers
            "enable_otlp": False,
            "log_level": "WARNING",
        }
    )
    # Failed and cancelled jobs are told by _work, in words; DBOS would add a page of its own calls.
    told = ("Exception encountered in background workflow", "outcome was not recorded")
    logging.getLogger("dbos").addFilter(lambda record: not any(t in str(record.msg) for t in told))
    with _client() as client:  # before the launch, which then finds it a second sooner
        client.register_queue(
            QUEUE, worker_concurrency=1, polling_interval_sec=SECONDS_BETWEEN_LOOKS
        )
    DBOS.launch()


def _work(job_id: str, settings: dict[str, Any], runner: str) -> str:
    """Run one job. Whatever is raised ends the job as failed, with the exception's words."""
    log.info("job %s: starts", job_id)
    try:
        module, _, function = runner.partition(":")
        run_study = getattr(import_module(module), function)
        config = parse_config(settings, f"job {job_id}")
        folder = run_study(config, cancelled=_cancel_check(job_id))
    except Cancelled:
        log.info("job %s: stopped on request", job_id)
        raise WorkError("The job was stopped on request.") from None
    except (InputError, WorkError) as error:
        log.error("job %s: failed: %s", job_id, error)
        raise
    except Exception as error:
        log.exception("job %s: failed", job_id)
        raise WorkError(
            f"The work failed in a way nobody foresaw ({type(error).__name__}: {error}). "
            "The worker's log says where; submit the study again to go on from there."
        ) from error
    log.info("job %s: finished", job_id)
    return str(folder)


def _cancel_check(job_id: str) -> Callable[[], bool]:
    """A function that says whether the job was cancelled, asking DBOS once a second at most."""
    from sqlalchemy.exc import SQLAlchemyError

    last_look, cancelled = 0.0, False

    def is_cancelled() -> bool:
        nonlocal last_look, cancelled
        if time.monotonic() - last_look > SECONDS_BETWEEN_CANCEL_CHECKS:
            last_look = time.monotonic()
            try:
                # Through a client of its own: inside a workflow DBOS would record each look.
                with _client() as client:
                    cancelled = IN_WORDS[_row(client, job_id).status] == "cancelled"
            except (SQLAlchemyError, WorkError) as error:
                log.warning("cannot ask whether %s was cancelled: %s", job_id, error)
        return cancelled

    return is_cancelled


@contextmanager
def _only_worker(stop: list[int], parent: int | None) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = worker_lock_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, looks = FileLock(path, thread_local=False), 0
    while not _told_to_stop(stop, parent):
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            looks += 1
            if looks == 2:  # once is somebody who looks whether a worker runs: see is_locked
                log.info("another worker has %s; standing by", path)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        lock.release()


def _told_to_stop(stop: list[int], parent: int | None) -> bool:
    if parent is not None and os.getppid() != parent:
        log.info("the process that started this worker is gone")
        return True
    return bool(stop)


# The database


def _database_url() -> str:
    url = os.environ.get(DATABASE_VARIABLE, "")
    if not url:
        return f"sqlite:///{jobs_database()}"
    if not url.startswith(("postgresql://", "postgresql+psycopg://", "sqlite:///")):
        kind = url.partition(":")[0]
        raise InputError(
            f"{DATABASE_VARIABLE} starts with {kind!r}; allowed are addresses such as "
            "postgresql://user:password@host:5432/prunescope and sqlite:////folder/jobs.sqlite."
        )
    return url


def _shown_database() -> str:
    """The database's address without its password."""
    from sqlalchemy import make_url

    return make_url(_database_url()).render_as_string(hide_password=True)


def _nothing_submitted() -> bool:
    # Opening a SQLite database creates it; looking should leave nothing behind.
    return _database_url() == f"sqlite:///{jobs_database()}" and not jobs_database().exists()


@contextmanager
def _client() -> Iterator[DBOSClient]:
    """A client for one question (6 ms), so that no connection outlives a replaced database.

    Brings the tables up to date first (3 ms): a client may come before the first worker.
    Raises WorkError where the database does not answer.
    """
    from dbos import DBOS, DBOSClient
    from sqlalchemy.exc import DBAPIError

    logging.getLogger("dbos").setLevel(logging.WARNING)
    url = _database_url()
    if url.startswith("sqlite"):
        jobs_database().parent.mkdir(parents=True, exist_ok=True)
    try:
        DBOS.migrate(url)
        client = DBOSClient(
            system_database_url=url, application_name=APPLICATION, retry_connection_errors=False
        )
    except DBAPIError as error:
        raise WorkError(f"The jobs database {_shown_database()} fails: {error.orig}") from error
    try:
        yield client
    finally:
        client.destroy()


def _rows(client: DBOSClient, **filters: Any) -> list[Any]:
    return client.list_workflows(name=WORKFLOW, **filters)


def _row(client: DBOSClient, job_id: str) -> Any:
    rows = _rows(client, workflow_ids=[job_id])
    if not rows:
        known = ", ".join(sorted(row.workflow_id for row in _rows(client))) or "none yet"
        raise InputError(f"There is no job {job_id!r}. Jobs here: {known}.")
    return rows[0]


def _settings(row: Any) -> dict[str, Any]:
    return row.input["args"][0]


def _job(row: Any) -> Job:
    study_id, _, attempt = row.workflow_id.rpartition(".")
    return Job(
        id=row.workflow_id,
        study_id=study_id,
        study_name=_settings(row)["study"]["name"],
        attempt=int(attempt),
        status=IN_WORDS[row.status],
        submitted=row.created_at / 1000,
        started=row.dequeued_at / 1000 if row.dequeued_at else None,
        updated=row.updated_at / 1000,
        error=_error_in_words(row),
    )


def _error_in_words(row: Any) -> str:
    if row.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return (
            f"The worker died {MAX_RECOVERIES} times while at this job, perhaps for want of "
            "memory. Lower the study's batch sizes, or resume the job to try again."
        )
    return str(getattr(row.error, "message", row.error) or "")


def _without_worker(job: Job) -> Job:
    return replace(job, status="queued") if job.status == "running" else job
