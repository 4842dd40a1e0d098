"""The audit log: who did what, and when, one JSON object a line in `cache/audit.jsonl`.

Lines are only ever appended, each in one write, so that processes do not mix theirs. What cannot
be logged is not done: `record` raises, and its callers refuse. Every image delivered is a line; a
thumbnail's is left to the operating system to bring to disk (it survives a killed server, not a
power cut), all others are on disk before the action goes on. Tokens, keys and images never get
in: callers name people, studies, images and tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from core.errors import WorkError
from core.study.paths import cache_dir

Event = Literal[
    "sign-in",
    "sign-in refused",
    "sign-out",
    "access refused",
    "x-ray thumbnail",
    "x-ray opened",
    "export",
    "upload",
    "deletion",
]
LONGEST_VALUE = 300  # characters; what a stranger typed into an address can be of any length
REFUSALS_A_MINUTE = 60  # a stranger cannot fill the disk with them

_refusals: deque[float] = deque(maxlen=REFUSALS_A_MINUTE)
_refusals_lock = threading.Lock()


def audit_path() -> Path:
    return cache_dir() / "audit.jsonl"


def record(who: str, what: Event, about: dict[str, str], durable: bool = True) -> None:
    """Append one line. `about` says of which study, image, table and so on. Raises
    WorkError where it cannot be written: then do not act."""
    when = datetime.now(UTC).isoformat(timespec="milliseconds")
    values = {"when": when, "who": who, "what": what} | about
    short = {name: value[:LONGEST_VALUE] for name, value in values.items()}
    line = json.dumps(short).encode() + b"\n"
    try:
        _append(audit_path(), line, durable)
    except OSError as error:
        raise WorkError(
            f"The audit log {audit_path()} cannot be written: {error.strerror or error}. "
            "What cannot be logged is not done."
        ) from error


def refused(who: str, about: dict[str, str]) -> None:
    """Append a refusal, up to 60 a minute. Never raises: what is refused stays refused."""
    with _refusals_lock:
        now = time.monotonic()
        if len(_refusals) == REFUSALS_A_MINUTE and now - _refusals[0] < 60:
            return
        _refusals.append(now)
    with contextlib.suppress(WorkError):
        record(who, "access refused", about)


def lines(since: datetime | None = None, person: str | None = None) -> Iterator[dict[str, str]]:
    """The log from its beginning; a line that a crash cut off is left out.

    Raises WorkError where it is there and cannot be read.
    """
    try:
        with open(audit_path(), encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    late = since is None or datetime.fromisoformat(entry["when"]) >= since
                    if late and person in (None, entry["who"]):
                        yield entry
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkError(f"Cannot read {audit_path()}: {error.strerror or error}.") from error


def _append(path: Path, line: bytes, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        cut_off = size and os.pread(descriptor, 1, size - 1) != b"\n"
        whole = b"\n" + line if cut_off else line
        if os.write(descriptor, whole) != len(whole):
            raise OSError("the disk is full")
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
