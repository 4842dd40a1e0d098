"""Child processes for work that a page starts: one a folder, found again by anyone who looks there.

A child keeps a lock on its folder as long as it lives, so anyone can tell whether it works, waits
for nothing any more, or died. It writes `answer.json`, whole or not at all, when it is done. What
it needs only meanwhile lies in its `scratch` folder, which goes however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from filelock import FileLock, Timeout

from core.errors import InputError, WorkError
from core.study import store
from core.study.environment import JOBS_DATABASE, READER_DATABASE
from core.study.paths import cache_dir

ROOT = Path(__file__).resolve().parents[2]
NICENESS = 10  # pages that are asked for go first
SECONDS_BETWEEN_WRITES = 0.3
SECRETS = (JOBS_DATABASE, READER_DATABASE)

Report = TypeVar("Report")


@dataclass(frozen=True)
class Answer(Generic[Report]):
    """How a question stands. `refusal` is of a file that could not even be read; what does not fit
    stands in the report. `stage`, `done` and `total` are of a child at work; one that died without
    an answer leaves it "broken"."""

    state: Literal["absent", "working", "finished", "broken"]
    report: Report | None = None
    refusal: str | None = None
    stage: str = ""
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


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
        for left in ("progress.json", "child.json"):  # of a child before
            (folder / left).unlink(missing_ok=True)
        _clear(folder)
        store.write_json(question, folder / "question.json")
        with open(folder / "child.log", "wb") as log:
            child = subprocess.Popen(
                ["nice", "-n", _added_niceness(), sys.executable, "-m", module, str(folder)],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )
        store.write_json({"pid": child.pid}, folder / "child.json")
    threading.Thread(target=_bury, args=(child, folder), daemon=True).start()


def work(answer: Finder, seconds: int, memory: int | None = None) -> None:
    """A child's whole life, `python -m module FOLDER`: it may take `seconds` of the clock, and
    `memory` bytes in all. One that is ended by these limits reads as "broken"."""
    logging.basicConfig(level=logging.INFO)
    signal.alarm(seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    write_answer(Path(sys.argv[1]), answer)


def write_answer(folder: Path, answer: Finder) -> None:
    """Answer the question in a folder with a report, or with the words of its refusal."""
    said: dict[str, Any]
    try:
        said = {"report": answer(folder, Teller(folder))}
    except (InputError, WorkError) as error:
        said = {"refusal": str(error)}
    store.write_json(said, folder / "answer.json")


def scratch(folder: Path, pid: int) -> Path:
    """Where the folder's child `pid` keeps what nobody needs after it."""
    return folder / f"scratch-{pid}"


def sweep(folder: Path) -> None:
    """Take away what a child left that died when nobody saw it, such as in a power cut."""
    if not at_work(folder):
        _clear(folder)


def environment() -> dict[str, str]:
    """Ours without the passwords of databases, which no child asks anything."""
    passed_on = {name: said for name, said in os.environ.items() if name not in SECRETS}
    return passed_on | {"PRUNESCOPE_CACHE": str(cache_dir())}


def _clear(folder: Path) -> None:
    for left in folder.glob("scratch-*"):
        shutil.rmtree(left, ignore_errors=True)


def _bury(child: subprocess.Popen[bytes], folder: Path) -> None:
    child.wait()
    shutil.rmtree(scratch(folder, child.pid), ignore_errors=True)


def _added_niceness() -> str:
    """What `nice` has to add: a server may be nice itself, and 19 would mean hardly ever."""
    return str(max(0, NICENESS - os.nice(0)))


def question(folder: Path) -> dict[str, Any] | None:
    said = store.read_json(folder / "question.json")
    return said if isinstance(said, dict) else None


def answer(folder: Path, read: Callable[[Any], Report]) -> Answer[Report]:
    """How the folder's question stands, without waiting; `read` raises ValueError for what is no
    report of today."""
    if (found := _finished(folder, read)) is not None:
        return found
    if at_work(folder):
        return _working(folder)
    # A child that has just ended has answered before that.
    return _finished(folder, read) or Answer("broken" if question(folder) else "absent")


def _finished(folder: Path, read: Callable[[Any], Report]) -> Answer[Report] | None:
    said = store.read_json(folder / "answer.json")
    if not isinstance(said, dict):
        return None
    if refusal := said.get("refusal"):
        return Answer("finished", refusal=str(refusal))
    try:
        return Answer("finished", read(said["report"]))
    except (KeyError, ValueError):
        return Answer("broken")


def _working(folder: Path) -> Answer[Report]:
    said = store.read_json(folder / "progress.json")
    said = said if isinstance(said, dict) else {}
    stage, done, total = said.get("stage", "Starting"), said.get("done", 0), said.get("total", 0)
    return Answer("working", stage=str(stage), done=int(done), total=int(total))


def forget(folder: Path) -> None:
    """End the child if there is one, and take away what it left, so that it can be asked again."""
    end(folder)
    shutil.rmtree(folder, ignore_errors=True)


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


def turn(what: str, tell: Teller, waiting: str) -> FileLock:
    """One child of a kind at a time: a lock, to be left again, that was waited for."""
    lock = FileLock(cache_dir() / f"{what}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(waiting, 0, 1)
        lock.acquire()
    return lock


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


# What a child does: from its folder, and a way to say how far it is, to its report.
Finder = Callable[[Path, Teller], dict[str, Any]]
