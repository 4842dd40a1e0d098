"""Runs cases in a child, which is started again where one kills it or takes too long."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.clock import processor_seconds

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5.0  # of processor time, since the machine may be busy with something else,
SECONDS_ON_THE_CLOCK = 60.0  # but no longer than this
SECONDS_TO_START = 120.0


@dataclass
class Failure:
    kind: str
    number: int
    why: str

    def __str__(self) -> str:
        again = f"python -m tests.fuzz {self.kind} --from {self.number} --cases 1"
        return f"{self.kind} {self.number} ({again}): {self.why.strip()}"


@dataclass
class Summary:
    """What came of a kind's cases. `seconds` are the slowest's processor time, `bytes` the most
    memory that one took above the warm process."""

    kind: str
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.accepted + self.refused + len(self.failures)


def fuzz(
    kind: str, first: int, last: int, tell: Callable[[Summary], None] | None = None
) -> Summary:
    """Read the cases from `first` to before `last`, each within SECONDS."""
    summary, at = Summary(kind), first
    while at < last:
        at = _one_child(summary, at, last, tell or (lambda summary: None))
    return summary


def _one_child(summary: Summary, first: int, last: int, tell: Callable[[Summary], None]) -> int:
    """The number after the last case that this child read, or died of."""
    # In memory where there is such a place: what is written is not worth a disk's time.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-", dir=shared) as folder,
        tempfile.TemporaryFile() as log,
    ):
        (Path(folder) / "cases").mkdir()
        arguments = [summary.kind, str(Path(folder) / "cases"), str(first), str(last)]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", *arguments],
            cwd=ROOT,
            env=os.environ
            | {"PYTHONHASHSEED": "0", "PRUNESCOPE_CACHE": str(Path(folder) / "cache")}
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        try:
            number, why = _listen(child, summary, tell)
        finally:
            child.kill()
            child.wait()
        if not why:
            return last
        if number is None:
            log.seek(0)
            raise RuntimeError(f"{summary.kind}: no case could be made.\n{log.read().decode()}")
        log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
        said = log.read().decode("utf-8", "replace")
        summary.failures.append(Failure(summary.kind, number, f"{why}\n{said}"))
        tell(summary)
        return number + 1


def _listen(
    child: subprocess.Popen[bytes], summary: Summary, tell: Callable[[Summary], None]
) -> tuple[int | None, str]:
    """(case at work, what went wrong), or (None, "") where all was read."""
    assert child.stdout
    begun, ended, rest = None, None, b""
    deadline, worked = time.monotonic() + SECONDS_TO_START, 0.0
    while True:
        at_work = begun if begun is not None and begun != ended else None
        if not select.select([child.stdout], [], [], 0.5)[0]:
            if at_work is not None and processor_seconds(child.pid) - worked > SECONDS:
                return begun, f"over {SECONDS:.0f} s"
            if time.monotonic() > deadline:
                return begun, "over all the time there is"
            continue
        piece = os.read(child.stdout.fileno(), 2**16)
        if not piece:
            code = child.wait()
            if at_work is None and code == 0:
                return None, ""
            next_one = None if ended is None else ended + 1
            return next_one if at_work is None else at_work, f"the process ended ({code})"
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            if "unmade" in said:
                raise RuntimeError(f"{summary.kind} {said['unmade']}: {said['why']}")
            if "start" in said:
                begun, worked = said["start"], processor_seconds(child.pid)
                deadline = time.monotonic() + SECONDS_ON_THE_CLOCK
            else:
                ended = said["number"]
                deadline = time.monotonic() + SECONDS_TO_START
                _count(summary, said)
                tell(summary)


def _count(summary: Summary, said: dict[str, Any]) -> None:
    if said["seconds"] > SECONDS:
        said |= {"outcome": "failed", "why": f"over {SECONDS:.0f} s: {said['seconds']:.1f} s"}
    if said["outcome"] == "failed":
        summary.failures.append(Failure(summary.kind, said["number"], said["why"]))
    elif said["outcome"] == "accepted":
        summary.accepted += 1
    else:
        summary.refused += 1
    summary.bytes = max(summary.bytes, said["bytes"])
    summary.seconds = max(summary.seconds, said["seconds"])
