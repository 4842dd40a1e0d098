"""A stranger's checkpoint as plain tensors: opened by a child process, never by this one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from core.checkpoints.formats import format_of, shown
from core.checkpoints.preflight import NetworkInFile
from core.engine.foreign.given import Given
from core.engine.foreign.stated import Stated
from core.errors import InputError, WorkError
from core.processes import limited
from core.study.progress import Advance

CHILD = "core.engine.foreign.child"
SECONDS = 25.0
SPARE_BYTES = 2 * 2**30


class Reader(AbstractContextManager["Reader"]):
    """Reads files one after another through one process; it starts (2 s) when this is made.

    The weights pass through a file in `scratch`, or in the system's folder for such; a process that
    is killed leaves it there.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch
        limited.start(CHILD)

    def __exit__(self, *_: Any) -> None:
        limited.end(CHILD)

    def read(
        self,
        path: Path,
        advance: Advance | None = None,
        network: str | None = None,
        rename: Sequence[str] = (),
    ) -> Given:
        """The weights in a file: of `network` where it holds several, with names changed by the
        rules of `rename`. `advance(done, total)` counts bytes of its digest.

        Raises InputError in one sentence for a file that cannot or may not be read.
        """
        path = Path(path)
        format_of(path)  # before anything waits for a pipe, or hashes gigabytes of it
        digest = sha256_of(path, advance)
        if self._scratch:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="prunescope-", dir=self._scratch) as folder:
            out = Path(folder) / "weights.safetensors"
            asked = {"path": str(path.absolute()), "out": str(out), "network": network}
            answer = _ask(path, asked | {"rename": list(rename)})
            if "error" in answer:
                raise InputError(answer["error"])
            from safetensors.torch import load_file

            tensors = load_file(out)
        for name in ("beside", "joined"):
            answer[name] = tuple(answer[name])
        answer["orders"] = tuple(Stated(o["where"], tuple(o["names"])) for o in answer["orders"])
        answer["networks"] = tuple(NetworkInFile(*one) for one in answer["networks"])
        return Given(sha256=digest, n_bytes=path.stat().st_size, tensors=tensors, **answer)


def _ask(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    """What the process says of a file, which may take a little time, and memory and disk in
    proportion to it."""
    name, size = shown(path.name), path.stat().st_size
    asked = json.dumps(question).encode()
    memory, output = 6 * size + SPARE_BYTES, 4 * size + 2**20
    try:
        return json.loads(limited.ask(CHILD, asked, SECONDS, memory, clock=SECONDS, output=output))
    except limited.OverLimit as error:
        why = "could not be read within the memory and time allowed."
        if error.late:
            why = f"took longer than {SECONDS:.0f} s to read; given up."
        raise InputError(f"{name} {why}") from error
    except ValueError as error:
        raise InputError(f"{name} could not be read.") from error
    except WorkError as error:
        raise WorkError(f"The process that reads {name} did not answer. Try again.") from error


def sha256_of(path: Path, advance: Advance | None = None) -> str:
    """The digest of a file, read in pieces of 8 MiB."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with open(path, "rb") as file:
        while piece := file.read(8 * 2**20):
            digest.update(piece)
            done += len(piece)
            if advance:
                advance(done, total)
    return digest.hexdigest()
