"""Decoding doubtful frames in processes of their own, each started once and used again.

As many as frames are decoded at a time: threads take an idle one or start one. Which codings are
doubtful, and what happens to a frame that takes too long, stands in `core.pictures.frame_child`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from core.pictures.frame_child import ANSWER, REQUEST

ROOT = Path(__file__).resolve().parents[2]
# Measured on honest frames: JPEG-LS 25 ns, JPEG 2000 130 ns of processor time a sample.
SECONDS = 1.0
SECONDS_PER_SAMPLE = 4e-7
# All a child needs to know of us.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV", "LANG")


class Decoded(NamedTuple):
    """The samples; the depth that the frame itself names, 0 for none; whether plane by plane."""

    samples: bytes
    bits: int
    by_plane: bool


class _Child:
    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "core.pictures.frame_child"],
            cwd=ROOT,
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
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

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


# A list's append and pop are whole to threads; a fork has to start its own.
_idle: list[_Child] = []
os.register_at_fork(after_in_child=_idle.clear)


def decode(coding: bytes, frame: bytes, n_samples: int) -> Decoded:
    """Decode one frame of `n_samples`, in time and memory that honest ones never need.

    Raises ValueError where it is damaged, takes longer, or needs more.
    """
    child = _take()
    try:
        decoded = child.ask(coding, frame, SECONDS + SECONDS_PER_SAMPLE * n_samples)
    except ValueError:
        _idle.append(child)
        raise
    except (OSError, EOFError) as error:
        child.end()
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
