"""Work on what strangers send, in processes of its own that harm nobody however they end.

Each is started once and used again; threads take an idle one or start one. What such a process is
allowed stands in `core.processes.serving`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from core.errors import WorkError
from core.processes.serving import ANSWER, QUESTION

ROOT = Path(__file__).resolve().parents[2]
MEMORY_BYTES = 2**30  # above what the process starts with
WAITS = 10  # seconds of the clock for each second of work: the machine may be busy
SECONDS_TO_END = 1.0  # of a process that has closed its pipe
# No secret in the environment can be asked for.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV", "LANG")
ON_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class OverLimit(ValueError):  # noqa: N818, reads as what it names
    """A question took longer or needed more than it may, or crashed what works on it; `late` where
    that kept us waiting until its time was over."""

    def __init__(self, late: bool) -> None:
        super().__init__("it takes longer, or more memory, than an honest one")
        self.late = late


class _Child:
    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, question: bytes, *limits: float) -> bytes:
        questions, answers = self._process.stdin, self._process.stdout
        assert questions
        assert answers
        questions.write(QUESTION.pack(*limits, len(question)))
        questions.write(question)
        questions.flush()
        header = answers.read(ANSWER.size)
        if len(header) < ANSWER.size:
            raise EOFError
        answered, length = ANSWER.unpack(header)
        answer = answers.read(length)
        if len(answer) < length:
            raise EOFError
        if not answered:
            raise ValueError(answer.decode("utf-8", "replace"))
        return answer

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """Its exit status: where it has ended by itself, that of then."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # its pipe closes a little sooner
            self._process.wait(SECONDS_TO_END)
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        return status


# By module. A list's append and pop are whole to threads; a fork has to start its own.
_idle: defaultdict[str, list[_Child]] = defaultdict(list)
os.register_at_fork(after_in_child=_idle.clear)


def ask(
    module: str,
    question: bytes,
    seconds: float,
    memory: int = MEMORY_BYTES,
    clock: float | None = None,
    output: int = 0,
) -> bytes:
    """What a process that runs `module`, which calls `serve`, answers to a question.

    It may take `seconds` of processor time, `clock` seconds in all, `memory` bytes above what it
    has, and `output` bytes for each file it writes. Raises ValueError with its reason where it
    refuses, OverLimit where it takes longer, needs more, or crashes; WorkError where it was killed
    from outside, and so was another, which says nothing of the question.
    """
    limits = (seconds, WAITS * seconds if clock is None else clock, memory, output)
    with contextlib.suppress(_KilledError):
        return _asked(module, question, limits)
    try:
        return _asked(module, question, limits)
    except _KilledError as error:
        raise WorkError(
            f"The process of {module} was killed twice; is the machine short of memory?"
        ) from error


def start(module: str) -> None:
    """Have a process wait for the first question: what `module` imports may take seconds."""
    _idle[module].append(_Child(module))


def end(module: str) -> None:
    """End the processes that wait for a question."""
    idle = _idle[module]
    while idle:
        with contextlib.suppress(IndexError):  # another thread was faster
            idle.pop().end()


class _KilledError(Exception):
    """By somebody else than its own limits."""


def _asked(module: str, question: bytes, limits: tuple[float, ...]) -> bytes:
    child = _take(module)
    try:
        answer = child.ask(question, *limits)
    except ValueError:  # its reason; it is as good as before
        _idle[module].append(child)
        raise
    except (OSError, EOFError) as error:
        status = child.end()
        if status == -signal.SIGKILL:
            raise _KilledError from error
        raise OverLimit(late=status == -signal.SIGALRM) from error
    except BaseException:  # half an answer may be on its way
        child.end()
        raise
    _idle[module].append(child)
    return answer


def _take(module: str) -> _Child:
    while idle := _idle[module]:
        with contextlib.suppress(IndexError):  # another thread was faster
            child = idle.pop()
            if child.lives:
                return child
            child.end()
    return _Child(module)


def _environment() -> dict[str, str]:
    """All that such a process needs, to work on one thread; where it could look for files of ours
    is not in it."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | ON_ONE_THREAD | {"HOME": "/nonexistent"}
