"""Doubtful frames are decoded elsewhere: what they take there harms nobody, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from core.errors import WorkError
from core.pictures import frames
from core.pictures.dicom import read_grey
from core.pictures.frame_child import JPEG_2000, JPEG_LS
from core.pictures.samples import BadImage
from core.processes import limited
from tests.waiting import lives, until

EXAMPLE = "SC_rgb_jls_lossy_line.dcm"
N_SAMPLES = 100 * 100 * 3


def frame_of(name: str) -> bytes:
    data = pydicom.dcmread(str(get_testdata_file(name, download=False)))
    return next(generate_frames(data.PixelData, number_of_frames=1))


def slow_frame() -> bytes:
    """Three bytes of the scan changed: CharLS takes 5 to 25 s to see that it is damaged."""
    frame = bytearray(frame_of(EXAMPLE))
    frame[150], frame[163], frame[508] = 0xFE, 0x88, 0x47
    return bytes(frame)


def slow_file(folder: Path) -> Path:
    data = pydicom.dcmread(str(get_testdata_file(EXAMPLE, download=False)))
    data.PixelData = encapsulate([slow_frame()])
    data["PixelData"].is_undefined_length = True
    data.save_as(folder / "slow.dcm")
    return folder / "slow.dcm"


def test_a_frame_that_takes_too_long_is_refused_and_the_next_is_read(tmp_path):
    with pytest.raises(ValueError, match="takes longer"):
        frames.decode(JPEG_LS, slow_frame(), N_SAMPLES)
    with pytest.raises(BadImage, match="damaged"):
        read_grey(slow_file(tmp_path))
    whole = frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES)
    assert (len(whole.samples), whole.bits, whole.by_plane) == (N_SAMPLES, 8, False)


def test_a_damaged_frame_leaves_its_process_to_the_next():
    frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES)
    before = list(limited._idle[frames.CHILD])
    with pytest.raises(ValueError, match="Decoding error"):
        frames.decode(JPEG_LS, frame_of(EXAMPLE)[:200], N_SAMPLES)
    assert limited._idle[frames.CHILD] == before


def test_threads_get_what_they_asked_for():
    names = ["MR_small_jpeg_ls_lossless.dcm", "JPEG2000.dcm", EXAMPLE] * 8
    expected = {name: frames.decode(_coding(name), frame_of(name), 10**6) for name in set(names)}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: frames.decode(_coding(n), frame_of(n), 10**6), names)
        for name, one in zip(names, found, strict=True):
            assert one == expected[name]
    assert len(limited._idle[frames.CHILD]) <= 5


def _coding(name: str) -> bytes:
    return JPEG_2000 if "2000" in name else JPEG_LS


def test_a_process_that_was_killed_meanwhile_is_replaced():
    frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES)
    for child in limited._idle[frames.CHILD]:
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait()
    assert frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES).bits == 8


def killed_at_work(times: int, monkeypatch) -> None:
    """The next `times` processes are killed at work, as by a kernel short of memory."""
    ask, left = limited._Child.ask, [times]

    def ask_and_kill(child, *asked):
        if left[0]:
            left[0] -= 1
            os.kill(child._process.pid, signal.SIGKILL)
        return ask(child, *asked)

    monkeypatch.setattr(limited._Child, "ask", ask_and_kill)


def test_a_frame_whose_process_is_killed_is_read_by_another(monkeypatch):
    killed_at_work(1, monkeypatch)
    assert frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES).bits == 8


def test_a_frame_is_not_called_damaged_because_processes_are_killed(monkeypatch):
    killed_at_work(2, monkeypatch)
    with pytest.raises(WorkError, match="killed twice"):
        frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES)


def test_memory_beyond_what_a_frame_may_take_is_refused():
    """1.6 gigapixels, claimed by some bytes."""
    frame = bytearray(frame_of("JPEG2000.dcm"))
    at = frame.index(b"\xff\x51")
    for place in (6, 22):  # the image, and its one tile
        frame[at + place : at + place + 8] = (40_000).to_bytes(4, "big") * 2
    with pytest.raises(ValueError, match=r"(?i)memory|decoding"):
        frames.decode(JPEG_2000, bytes(frame), 10**6)
    assert frames.decode(JPEG_2000, frame_of("JPEG2000.dcm"), 10**6).samples


@pytest.mark.parametrize("busy", [False, True])
def test_no_process_outlives_a_server_that_is_killed(busy):
    """By SIGKILL, which nobody can clean up after."""
    program = (
        "import sys, threading, time\n"
        "from core.pictures import frames\n"
        "from tests.pictures.test_frames import EXAMPLE, JPEG_LS, N_SAMPLES, frame_of, slow_frame\n"
        "from core.processes import limited\n"
        "frames.SECONDS = 3.0\n"
        "frames.decode(JPEG_LS, frame_of(EXAMPLE), N_SAMPLES)\n"
        "child = limited._idle[frames.CHILD][0]._process.pid\n"
        "work = lambda: frames.decode(JPEG_LS, slow_frame(), N_SAMPLES)\n"
        f"{busy} and threading.Thread(target=work).start()\n"
        "time.sleep(0.3)\n"
        "print(child, flush=True)\n"
        "time.sleep(600)\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", program], cwd=limited.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    child = int(server.stdout.readline())
    assert lives(child)
    server.kill()
    server.wait()
    until(lambda: not lives(child))
    server.stdout.close()


def test_an_honest_frame_is_within_the_limits():
    """Three megapixels of 12-bit noise, which no coding makes small, are read whole."""
    import imagecodecs

    noise = np.random.default_rng(0).integers(0, 4096, (1500, 2000), dtype=np.uint16)
    for coding, frame in (
        (JPEG_LS, imagecodecs.jpegls_encode(noise)),
        (JPEG_2000, imagecodecs.jpeg2k_encode(noise, codecformat="j2k", level=0)),
    ):
        found = frames.decode(coding, bytes(frame), noise.size)
        assert np.array_equal(np.frombuffer(found.samples, "<u2").reshape(noise.shape), noise)
