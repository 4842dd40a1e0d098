"""One attempt at a job, in a process that ends with it.

Networks and their library take a gigabyte, which a process keeps once it has it. So the worker,
which waits most of the time, has none of that: it starts `python -m core.jobs.attempt`, and the
memory goes with it. What is said between the two:

- standard input: a line of JSON, the question; the pipe closes when the job shall stop, and so it
  does when the worker is gone.
- standard output: a line of JSON, the answer: `folder`, `error` in words, or `cancelled`.
- standard error: the worker's own log.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import logging
import os
import select
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkError
from core.jobs.log import StageLines, kept
from core.study.config import StudyConfig, parse_config
from core.study.paths import study_dir
from core.study.progress import Cancelled

LOG_FORMAT = "%(asctime)s %(name)s: %(message)s"
PR_SET_PDEATHSIG = 1
QUESTIONS = 0  # standard input

log = logging.getLogger("prunescope.worker")


def main() -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever prints does not answer
    # A terminal's Ctrl-C and a shutdown's SIGTERM are the worker's business, whose end is ours:
    # the job is left as a killed one would be, and is no failed one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    question = json.loads(_line())
    _end_with(question["worker"])
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    os.write(answers, json.dumps(_answer(**question)).encode() + b"\n")


def _line() -> bytes:
    # Nothing is read ahead, so that what `select` says of the pipe later is true.
    line = b""
    while not line.endswith(b"\n") and (part := os.read(QUESTIONS, 65_536)):
        line += part
    return line


def _end_with(worker: int) -> None:
    """Have the kernel end this process with the worker (Linux; elsewhere the next report does)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # it was gone before the line above
        os._exit(1)


def _shall_stop() -> bool:
    """Whether the pipe is closed: nothing else comes after the question."""
    return bool(select.select([QUESTIONS], [], [], 0)[0])


def _answer(job_id: str, settings: dict[str, Any], runner: str, worker: int) -> dict[str, Any]:
    """Run one job. Whatever is raised ends it as failed, with the exception's words."""
    try:
        module, _, function = runner.partition(":")
        run_study = getattr(import_module(module), function)
        config = parse_config(settings, f"job {job_id}")
        with kept(study_dir(config)):
            return {"folder": str(_run(job_id, config, run_study))}
    except Cancelled:
        return {"cancelled": True}
    except (InputError, WorkError) as error:
        return {"error": str(error)}


def _run(job_id: str, config: StudyConfig, run_study: Callable[..., Path]) -> Path:
    try:
        folder = run_study(config, listener=StageLines(), cancelled=_shall_stop)
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
        f"The work failed unexpectedly ({type(error).__name__}: {error}). The worker's log says "
        "where; submit the study again to go on from there."
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


if __name__ == "__main__":
    main()
