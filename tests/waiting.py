"""Waiting for what will happen, however busy the machine is; and processes that come to an end."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 120  # until something that never comes fails a test


def until(condition: Callable[[], object], told: Callable[[], object] | None = None) -> None:
    """Wait until the condition holds; `told` says what to print where it never does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s; {told() if told else ''}"
        time.sleep(0.05)


def stop(process: subprocess.Popen) -> None:
    """Ask a process to end, and end one that does not."""
    process.terminate()
    try:
        process.wait(SECONDS / 4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie that nobody waits for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children_of(pid: int) -> list[int]:
    """Those that some thread of a process started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]
