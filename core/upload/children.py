"""Child processes for work that a page starts: one a folder, found again by whoever looks there.

A child keeps a lock on its folder as long as it lives, so anyone can tell whether it works, waits
for nothing any more, or died. It writes `answer.json`, whole or not at all, when it is done.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from core import store
from core.study import cache_dir

ROOT = Path(__file__).resolve().parents[2]
NICENESS = "10"  # pages that are asked for go first
SECONDS_BETWEEN_WRITES = 0.3


def start(folder: Path, module: str, question: Any) -> None:
    """Run `python -m module folder` on a question, unless there is an answer or a child already."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if (folder / "answer.json").exists():
            return
        (folder / "progress.json").unlink(missing_ok=True)
        store.write_json(question, folder / "question.json")
        with open(folder / "child.log", "wb") as log:
            child = subprocess.Popen(
                ["nice", "-n", NICENESS, sys.executable, "-m", module, str(folder)],
                cwd=ROOT,
                env=os.environ | {"PRUNESCOPE_CACHE": str(cache_dir())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )
        store.write_json({"pid": child.pid}, folder / "child.json")


def question(folder: Path) -> dict[str, Any] | None:
    said = store.read_json(folder / "question.json")
    return said if isinstance(said, dict) else None


def answer(folder: Path) -> dict[str, Any] | None:
    said = store.read_json(folder / "answer.json")
    return said if isinstance(said, dict) else None


def progress(folder: Path) -> tuple[str, int, int]:
    """(stage in words, done, total) of a child at work."""
    said = store.read_json(folder / "progress.json")
    said = said if isinstance(said, dict) else {}
    return str(said.get("stage", "Starting")), int(said.get("done", 0)), int(said.get("total", 0))


def at_work(folder: Path) -> bool:
    try:
        with open(folder / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def end(folder: Path) -> None:
    """Kill the folder's child and what it started, if it is at work."""
    said = store.read_json(folder / "child.json")
    # While the lock is held the number is that child's, and no later process'.
    if isinstance(said, dict) and isinstance(said.get("pid"), int) and at_work(folder):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(said["pid"], signal.SIGKILL)


class Teller:
    """A child's way to say how far it is: three times a second at most, and at every new stage."""

    def __init__(self, folder: Path) -> None:
        self._path, self._stage, self._last = folder / "progress.json", "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._last < SECONDS_BETWEEN_WRITES:
            return
        self._stage, self._last = stage, now
        store.write_json({"stage": stage, "done": done, "total": total}, self._path)
