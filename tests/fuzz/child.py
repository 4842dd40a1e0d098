"""The process that reads the cases: `python -m tests.fuzz.child KIND FOLDER FIRST LAST`.

Before a case it says which one, after it what came of it, how much processor time it took, and how
much memory above what the process had when it was warm. It may take no address space beyond
SPARE_BYTES, so that a case which goes mad harms nobody else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.case import Kind, rng_of
from tests.fuzz.clock import processor_seconds
from tests.fuzz.kinds import make_kind

MOST_BYTES = 2**30
SPARE_BYTES = 3 * 2**30
WARM_UP = 3  # cases that are read before anything is measured: they import what is imported late


def main(name: str, folder: Path, first: int, last: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = make_kind(name, folder)
    for number in range(-WARM_UP, 0):
        with contextlib.suppress(Exception):
            kind.read(kind.make(rng_of(name, number)))
    space, resident = (int(part) * resource.getpagesize() for part in _pages())
    resource.setrlimit(resource.RLIMIT_AS, (space + SPARE_BYTES,) * 2)
    for number in range(first, last):
        try:
            path = kind.make(rng_of(name, number))
        except Exception:  # our own mistake, not the product's
            _say(answers, {"unmade": number, "why": traceback.format_exc()})
            return
        _say(answers, {"start": number})
        _say(answers, {"number": number} | _measured(kind, path, resident))


def _measured(kind: Kind, path: Path, resident: int) -> dict[str, Any]:
    _forget_peak()
    began = processor_seconds(os.getpid())
    outcome, why = "accepted", ""
    try:
        kind.read(path)
    except kind.refusals as error:
        outcome, why = "refused", _memory_in(error)
        if why:
            outcome = "failed"
    except BaseException:
        outcome, why = "failed", traceback.format_exc()[-3000:]
    seconds = processor_seconds(os.getpid()) - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    peak = max(_peak(), children) - resident
    if peak > MOST_BYTES and outcome != "failed":
        outcome, why = "failed", f"it took {peak / 2**20:,.0f} MB"
    return {"outcome": outcome, "seconds": seconds, "bytes": max(peak, 0), "why": why}


def _memory_in(error: BaseException | None) -> str:
    """A refusal for want of memory is one that an unlimited process would not have come to."""
    while error is not None:
        if isinstance(error, MemoryError):
            return "it asked for more memory than there is: " + repr(error)
        error = error.__cause__ or error.__context__
    return ""


def _pages() -> list[str]:
    return Path("/proc/self/statm").read_text().split()[:2]


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _say(answers: Any, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
