"""The child's half of `core.processes.limited`: it answers questions, each within its own limits.

The kernel ends the process once a question has taken its time, even within a library that keeps
Python waiting; memory beyond what was allowed is not handed out. The process ends by itself when
the pipe to its parent closes, which it does however the parent ends, and during work by its timers.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

# Allowed: seconds of work, seconds of the clock, bytes of memory and of a file; then the length.
QUESTION = struct.Struct("<ddQQQ")
ANSWER = struct.Struct("<?Q")  # whether answered, bytes of the answer or of the reason why not


def serve(answer: Callable[[bytes], Sequence[bytes | bytearray]]) -> None:
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
        seconds, clock, memory, output, length = QUESTION.unpack(header)
        if len(question := questions.read(length)) < length:
            return
        _limit(memory, output)
        # Both end the process where it is.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, clock)
        answered = True
        try:
            parts = answer(question)
        except Exception as error:
            answered = False
            parts = [str(error).encode("utf-8", "replace")[:400] or type(error).__name__.encode()]
        answers.write(ANSWER.pack(answered, sum(map(len, parts))))
        for part in parts:
            answers.write(part)
        answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit(memory: int, output: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, hard))
    with contextlib.suppress(OSError, ValueError):  # where there is no /proc, time has to do
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
