"""The worker: a process that works off the queue, one job at a time."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkError
from core.jobs import database
from core.jobs.database import open_client
from core.jobs.locks import worker_lock_path
from core.jobs.log import StageLines, kept
from core.jobs.queue import IN_WORDS, MAX_RECOVERIES
from core.jobs.weights import remove_orphans
from core.study.config import StudyConfig, parse_config
from core.study.paths import study_dir
from core.study.progress import Cancelled, mark_cancelled
from core.study.trash import empty_deleted

ENGINE = "core.engine.pipeline:run_study"
NICENESS = 10  # a page that is asked for goes before a training step
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_CANCEL_CHECKS = 1.0
# So long may a cancelled job take to its next report; then the worker starts again without it.
SECONDS_TO_HEED = 5.0

log = logging.getLogger("prunescope.worker")


class _AtWork:
    """The job this process is at, if any, and since when it is asked to stop."""

    def __init__(self) -> None:
        self.turn = threading.Lock()  # a cancelled job may still be on its way out
        self.job_id: str | None = None
        self.folder: Path | None = None
        self.cancelled_since: float | None = None

    @contextmanager
    def at(self, job_id: str, folder: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
        while not self.turn.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            if cancelled():
                raise Cancelled
        try:
            self.job_id, self.folder, self.cancelled_since = job_id, folder, None
            yield
        finally:
            self.job_id = self.folder = self.cancelled_since = None
            self.turn.release()

    def does_not_heed(self) -> bool:
        """Whether the job in hand was cancelled a while ago and has not ended yet."""
        job_id = self.job_id
        if job_id is None:
            return False
        if self.cancelled_since is None and _is_cancelled(job_id):
            self.cancelled_since = time.monotonic()
        since = self.cancelled_since
        return since is not None and time.monotonic() - since > SECONDS_TO_HEED


at_work = _AtWork()


def run_worker(parent: int | None = None, runner: str = ENGINE) -> None:
    """Work off the queue until SIGTERM or SIGINT, or until process `parent` is gone; then exit.

    `runner` is `module:function` with the signature of core.engine.pipeline.run_study. Stopping
    does not wait for the job: it is left as a killed worker would leave it, for the next worker.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
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
        last_check = time.monotonic()
        while not _told_to_stop(stop, parent):
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if time.monotonic() - last_check > SECONDS_BETWEEN_CANCEL_CHECKS:
                if at_work.does_not_heed():
                    _begin_anew()
                last_check = time.monotonic()
        log.info("stopping; an unfinished job goes on with the next worker")
        logging.shutdown()
        # The job's thread may be deep in native code for minutes. Every write of the engine is
        # whole or not at all, so ending here is safe, and it is the way that a crash tests too.
        os._exit(0)


def _begin_anew() -> None:
    """This program in this process' place: a cancelled job deep in native code has no other end."""
    log.info("job %s: does not stop by itself; the worker starts again", at_work.job_id)
    if at_work.folder:
        with contextlib.suppress(OSError):
            mark_cancelled(at_work.folder)
    logging.shutdown()
    os.execv(sys.executable, sys.orig_argv)


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
    """Run one job. Whatever is raised ends the job as failed, with the exception's words."""
    log.info("job %s: starts", job_id)
    cancelled = _cancel_check(job_id)
    try:
        module, _, function = runner.partition(":")
        run_study = getattr(import_module(module), function)
        config = parse_config(settings, f"job {job_id}")
        with at_work.at(job_id, study_dir(config), cancelled), kept(study_dir(config)):
            folder = _run(job_id, config, run_study, cancelled)
    except Cancelled:
        raise WorkError("The job was stopped on request.") from None
    return str(folder)


def _run(
    job_id: str, config: StudyConfig, run_study: Callable[..., Path], cancelled: Callable[[], bool]
) -> Path:
    lines = StageLines()
    try:
        folder = run_study(config, listener=lines, cancelled=cancelled)
    except Cancelled:
        log.info("job %s: stopped on request", job_id)
        raise
    except (InputError, WorkError) as error:
        log.error("job %s: failed: %s", job_id, error)
        raise
    except Exception as error:
        log.exception("job %s: failed", job_id)
        raise WorkError(_in_words(error)) from error
    log.info("job %s: finished", job_id)
    return folder


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return _of_the_disk(error)
    if isinstance(error, MemoryError):
        return "There was not enough memory. Lower the study's batch sizes."
    return (
        f"The work failed in a way nobody foresaw ({type(error).__name__}: {error}). "
        "The worker's log says where; submit the study again to go on from there."
    )


def _of_the_disk(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"The disk is full{place}: {error.strerror}. What is finished is kept; "
            "make room and resume the job."
        )
    return (
        f"A file could not be read or written{place}: {error.strerror or error}. "
        "What is finished is kept. Fix this and resume the job."
    )


def _cancel_check(job_id: str) -> Callable[[], bool]:
    """A function that says whether the job was cancelled, asking DBOS once a second at most."""
    last_look, cancelled = 0.0, False

    def is_cancelled() -> bool:
        nonlocal last_look, cancelled
        if time.monotonic() - last_look > SECONDS_BETWEEN_CANCEL_CHECKS:
            last_look = time.monotonic()
            cancelled = _is_cancelled(job_id)
        return cancelled

    return is_cancelled


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
