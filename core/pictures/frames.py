"""Decoding doubtful frames in processes of their own, each started once and used again.

As many as frames are decoded at a time: threads take an idle one or start one. Which codings are
doubtful, and what happens to a frame that takes too long, stands in `core.pictures.frame_child`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from core.errors import WorkError
from core.pictures.frame_child import ANSWER, REQUEST
from core.processes.environment import environment

ROOT = Path(__file__).resolve().parents[2]
# Measured on honest frames: JPEG-LS 25 ns, JPEG 2000 130 ns of processor time a sample.
SECONDS = 1.0
SECONDS_PER_SAMPLE = 4e-7
SECONDS_TO_END = 1.0  # of a process that has closed its pipe


class Decoded(NamedTuple):
    """The samples; the depth that the frame itself names, 0 for none; whether plane by plane."""

    samples: bytes
    bits: int
    by_plane: bool


class _Child:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.pictures.frame_child"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, coding: bytes, frame: bytes, seconds: float) -> Decoded:
        questions, answers = self._process.stdin, self._process.stdout
        assert questions
        assert answers
        questions.write(REQUEST.pack(coding, seconds, len(frame)))
        questions.write(frame)
        questions.flush()
        header = answers.read(ANSWER.size)
        if len(header) < ANSWER.size:
            raise EOFError
        decoded, bits, by_plane, length = ANSWER.unpack(header)
        samples = answers.read(length)
        if len(samples) < length:
            raise EOFError
        if not decoded:
            raise ValueError(samples.decode("utf-8", "replace"))
        return Decoded(samples, bits, by_plane)

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


# A list's append and pop are whole to threads; a fork has to start its own.
_idle: list[_Child] = []
os.register_at_fork(after_in_child=_idle.clear)


def decode(coding: bytes, frame: bytes, n_samples: int) -> Decoded:
    """Decode one frame of `n_samples`, in time and memory that honest ones never need.

    Raises ValueError where it is damaged, takes longer, or needs more; WorkError where the process
    was killed from outside, and so was another, which says nothing of the frame.
    """
    seconds = SECONDS + SECONDS_PER_SAMPLE * n_samples
    try:
        return _asked(coding, frame, seconds)
    except _KilledError:
        pass
    try:
        return _asked(coding, frame, seconds)
    except _KilledError as error:
        raise WorkError(
            "The process that decodes frames was killed twice; is the machine short of memory?"
        ) from error


class _KilledError(Exception):
    """By somebody else than its own limits."""


def _asked(coding: bytes, frame: bytes, seconds: float) -> Decoded:
    child = _take()
    try:
        decoded = child.ask(coding, frame, seconds)
    except ValueError:
        _idle.append(child)
        raise
    except (OSError, EOFError) as error:
        if child.end() == -signal.SIGKILL:
            raise _KilledError from error
        raise ValueError("the frame takes longer, or more memory, than honest ones") from error
    except BaseException:  # half an answer may be on its way
        child.end()
        raise
    _idle.append(child)
    return decoded


def _take() -> _Child:
    while _idle:
        with contextlib.suppress(IndexError):  # another thread was faster
            child = _idle.pop()
            if child.lives:
                return child
            child.end()
    return _Child()
