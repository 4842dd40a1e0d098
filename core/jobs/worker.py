"""The worker: a process that works off the queue, one job at a time, each in a child of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.errors import InputError, WorkError
from core.jobs import attempt, database
from core.jobs.database import open_client
from core.jobs.locks import worker_lock_path
from core.jobs.log import kept
from core.jobs.queue import IN_WORDS, MAX_RECOVERIES
from core.jobs.weights import remove_orphans
from core.processes import children
from core.study.paths import studies_dir
from core.study.progress import mark_ended
from core.study.trash import empty_deleted

ENGINE = "core.engine.pipeline:run_study"
NICENESS = 10  # a page that is asked for goes before a training step
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_CANCEL_CHECKS = 1.0
# So long may a cancelled job take to its next report; then its process is ended.
SECONDS_TO_HEED = 5.0
STOPPED = "The job was stopped on request."
RESUME = "what is finished is kept, and resuming the job goes on from there"

log = logging.getLogger("prunescope.worker")


turn = threading.Lock()  # a cancelled job may still be on its way out


def run_worker(parent: int | None = None, runner: str = ENGINE) -> None:
    """Work off the queue until SIGTERM or SIGINT, or until process `parent` is gone; then exit.

    `runner` is `module:function` with the signature of core.engine.pipeline.run_study. Stopping
    does not wait for the job: it is left as a killed worker would leave it, for the next worker.
    """
    logging.basicConfig(level=logging.INFO, format=attempt.LOG_FORMAT)
    # Before any thread is there: each has a niceness of its own.
    os.nice(max(0, NICENESS - os.nice(0)))
    # A list, not an Event: setting one in a handler can wait for the very thread it interrupts.
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stop.append(received))
    with _only_worker(stop, parent):
        if not _told_to_stop(stop, parent):
            _finish_deletions()
            _launch(runner)
            log.info("ready; jobs are in %s", database.shown_database())
        while not _told_to_stop(stop, parent):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        log.info("stopping; an unfinished job goes on with the next worker")
        logging.shutdown()
        # The job's process ends with this one. Every write of the engine is whole or not at all, so
        # ending here is safe, and it is the way that a crash tests too.
        os._exit(0)


def _finish_deletions() -> None:
    """What a process that was killed while it deleted left behind."""
    for finish in (empty_deleted, remove_orphans):
        try:
            finish()
        except Exception as error:  # a job that nobody can read, say, keeps nobody from working
            log.warning("a deletion that was cut short is not finished: %s", error)


def _launch(runner: str) -> None:
    from dbos import DBOS

    @DBOS.workflow(name=database.WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
    def work(settings: dict[str, Any]) -> str:
        return _work(DBOS.workflow_id or "", settings, runner)

    DBOS(
        config={
            "name": database.APPLICATION,
            "system_database_url": database.database_url(),
            "application_version": database.VERSION,
            "executor_id": "local",  # equal in every worker, so that the next one recovers
            "enable_otlp": False,
            "log_level": "WARNING",
        }
    )
    # _work reports failed and cancelled jobs in words; DBOS would add a page of its own calls.
    told = ("Exception encountered in background workflow", "outcome was not recorded")
    logging.getLogger("dbos").addFilter(lambda record: not any(t in str(record.msg) for t in told))
    with open_client() as client:  # before the launch, which then finds it a second sooner
        client.register_queue(
            database.QUEUE, worker_concurrency=1, polling_interval_sec=SECONDS_BETWEEN_LOOKS
        )
    DBOS.launch()


def _work(job_id: str, settings: dict[str, Any], runner: str) -> str:
    """Run one job in a process of its own. What it says of a failure ends the job as failed."""
    with _turn(job_id):
        log.info("job %s: starts", job_id)
        said = _attempted(job_id, settings, runner)
    if "folder" in said:
        return str(said["folder"])
    raise WorkError(said.get("error") or STOPPED)


@contextmanager
def _turn(job_id: str) -> Iterator[None]:
    while not turn.acquire(timeout=SECONDS_BETWEEN_CANCEL_CHECKS):
        if _is_cancelled(job_id):
            raise WorkError(STOPPED)
    try:
        yield
    finally:
        turn.release()


def _attempted(job_id: str, settings: dict[str, Any], runner: str) -> dict[str, Any]:
    """What the attempt's process answers; where it ends without an answer, that in words."""
    question = {"job_id": job_id, "settings": settings, "runner": runner, "worker": os.getpid()}
    process = subprocess.Popen(
        [sys.executable, "-m", attempt.__name__],
        cwd=children.ROOT,
        env=children.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    with contextlib.suppress(OSError):  # it may have died already
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
    cancelled = _wait(process, job_id)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # what it started goes with it
        os.killpg(process.pid, signal.SIGKILL)
    with process.stdout as answers, contextlib.suppress(ValueError):
        said: dict[str, Any] = json.loads(answers.read())
        return said
    folder = studies_dir() / job_id.rpartition(".")[0]
    if cancelled:
        log.info("job %s: did not stop by itself and was ended", job_id)
        mark_ended(folder, "cancelled")
        return {}
    words = _death_in_words(process.returncode)
    with kept(folder):
        log.error("job %s: failed: %s", job_id, words)
    mark_ended(folder, "failed", words)
    return {"error": words}


def _wait(process: subprocess.Popen[bytes], job_id: str) -> bool:
    """Until the process has ended, by itself or because its job was cancelled; whether it was."""
    cancelled_since: float | None = None
    assert process.stdin
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_BETWEEN_CANCEL_CHECKS)
            break
        if cancelled_since is None and _is_cancelled(job_id):
            cancelled_since = time.monotonic()
            process.stdin.close()
        if cancelled_since is not None and time.monotonic() - cancelled_since > SECONDS_TO_HEED:
            process.kill()
    with contextlib.suppress(OSError):
        process.stdin.close()
    return cancelled_since is not None


def _death_in_words(status: int) -> str:
    if status >= 0:
        return f"The job's process ended without an answer (exit status {status}); {RESUME}."
    why = ", perhaps because memory ran out" if status == -signal.SIGKILL else ""
    return f"The job's process was ended by {signal.Signals(-status).name}{why}; {RESUME}."


def _is_cancelled(job_id: str) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        # Through a client of its own: inside a workflow DBOS would record each look.
        with open_client() as client:
            return IN_WORDS[database.row(client, job_id).status] == "cancelled"
    except InputError:
        return True  # somebody has deleted it
    except (SQLAlchemyError, WorkError) as error:
        log.warning("cannot ask whether %s was cancelled: %s", job_id, error)
        return False


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
