"""The process in which doubtful frames are decoded: `python -m core.pictures.frame_child`.

CharLS takes 5 to 25 s over some damaged JPEG-LS frames of 500 bytes, and nothing stops it from
within; it and OpenJPEG keep Python waiting meanwhile. Here the kernel ends the process once a frame
has taken its time or memory, and `core.pictures.frames` starts another. It ends by itself when the
pipe to its parent closes, which it does however the parent ends, and during a frame by its timers.

A request is a header, REQUEST, and the frame; an answer is a header, ANSWER, and the samples, or
the reason why there are none.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

JPEG_LS, JPEG_2000 = b"L", b"J"
REQUEST = struct.Struct("<cdQ")  # how it is coded, seconds allowed, bytes
ANSWER = struct.Struct("<?BBQ")  # whether decoded, bits a sample, whether by plane, bytes
MEMORY_BYTES = 2**30  # above what the process starts with
WAITS = 10  # seconds of the clock for each second of work: the machine may be busy


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, whose end is ours
    for timer in (signal.SIGPROF, signal.SIGALRM):  # it may have been started without them
        signal.signal(timer, signal.SIG_DFL)
    decoders = {JPEG_LS: _jpeg_ls, JPEG_2000: _jpeg_2000}
    _warm()
    _limit_memory()
    while (header := requests.read(REQUEST.size)) and len(header) == REQUEST.size:
        coding, seconds, length = REQUEST.unpack(header)
        frame = requests.read(length)
        if len(frame) < length:
            return
        # Both end the process where it is, even within a library.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, WAITS * seconds)
        _answer(decoders[coding], frame, answers)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(
    decode: Callable[[bytes], tuple[bytearray, int, bool]], frame: bytes, answers: BinaryIO
) -> None:
    try:
        samples, bits, by_plane = decode(frame)
    except Exception as error:
        reason = str(error).encode()[:200] or type(error).__name__.encode()
        answers.write(ANSWER.pack(False, 0, False, len(reason)) + reason)
    else:
        answers.write(ANSWER.pack(True, bits, by_plane, len(samples)))
        answers.write(samples)
    answers.flush()


def _jpeg_ls(frame: bytes) -> tuple[bytearray, int, bool]:
    import jpeg_ls

    samples, told = jpeg_ls.decode_pixel_data(frame)
    return samples, told["bits_per_sample"], told["components"] > 1 and not told["interleave_mode"]


def _jpeg_2000(frame: bytes) -> tuple[bytearray, int, bool]:
    import openjpeg

    samples = openjpeg.decode_pixel_data(frame, version=2)
    assert isinstance(samples, bytearray)
    return samples, 0, False


def _warm() -> None:
    """Import everything before memory is limited."""
    import jpeg_ls  # noqa: F401
    import openjpeg  # noqa: F401


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # where there is no /proc, time has to do
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
