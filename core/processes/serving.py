"""The child's half of `core.processes.limited`: it answers questions, each within its own limits.

Each question is worked on in a fork, which has nothing of the question before and cannot lift its
limits. The kernel ends it once the question has taken its time, even within a library that keeps
Python waiting; memory beyond what was allowed is not handed out. The process itself ends when the
pipe to its parent closes, which it does however the parent ends, and its fork with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

# Allowed: seconds of work, seconds of the clock, bytes of memory and of a file; then the length.
QUESTION = struct.Struct("<ddQQQ")
ANSWER = struct.Struct("<?Q")  # whether answered, bytes of the answer or of the reason why not
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
Answer = Callable[[bytes], Sequence[bytes | bytearray]]


def serve(answer: Answer) -> None:
    """Send what `answer(question)` returns, joined, or the reason in what it raises.

    Whatever `answer` needs has to be imported before, as memory is counted from here on.
    """
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, whose end is ours
    for timer in (signal.SIGPROF, signal.SIGALRM):  # it may have been started without them
        signal.signal(timer, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while len(header := questions.read(QUESTION.size)) == QUESTION.size:
        *limits, length = QUESTION.unpack(header)
        if len(question := questions.read(length)) < length:
            return
        if not (pid := os.fork()):
            _work(answer, question, answers, *limits)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):  # the parent tells by our own end why there is no answer
            os.kill(os.getpid(), os.WTERMSIG(status))
        if status:
            return


def _work(
    answer: Answer,
    question: bytes,
    answers: BinaryIO,
    seconds: float,
    clock: float,
    memory: int,
    output: int,
) -> NoReturn:
    """Answer one question within its limits, and end."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    _limit(seconds, memory, output)
    # Both end the process where it is.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, clock)
    answered = True
    try:
        parts = answer(question)
    except Exception as error:
        answered = False
        parts = [str(error).encode("utf-8", "replace")[:400] or type(error).__name__.encode()]
    with contextlib.suppress(BaseException):  # a parent that has gone needs no answer
        answers.write(ANSWER.pack(answered, sum(map(len, parts))))
        for part in parts:
            answers.write(part)
        answers.flush()
        os._exit(0)
    os._exit(1)


def _limit(seconds: float, memory: int, output: int) -> None:
    """Limits that the process cannot lift again. The processor's is the timer's, a little later."""
    limits = [(resource.RLIMIT_FSIZE, output), (resource.RLIMIT_CPU, int(seconds) + 2)]
    with contextlib.suppress(OSError):  # where there is no /proc, time has to do
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits.append((resource.RLIMIT_AS, pages * resource.getpagesize() + memory))
    for which, most in limits:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (most, most))
