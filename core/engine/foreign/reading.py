"""A stranger's checkpoint as plain tensors: opened by a child process, never by this one."""

from __future__ import annotations

import hashlib
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.foreign.formats import format_of, shown
from core.errors import InputError, WorkError
from core.processes.environment import environment

if TYPE_CHECKING:  # torch takes seconds to import, in which the child can already start
    import torch

ROOT = Path(__file__).resolve().parents[3]
# Beyond what the child allows itself, and what it takes it to start.
SECONDS = 60.0


@dataclass(frozen=True)
class Given:
    """What a file holds: float32 tensors (counters are int64) by the file's own names."""

    sha256: str
    n_bytes: int
    format: str
    wrapper: str
    beside: tuple[str, ...]
    class_names: tuple[str, ...]
    joined: tuple[str, ...]  # names that were a pair of weight_orig and weight_mask
    dtypes: dict[str, int]
    not_finite: dict[str, int]
    tensors: dict[str, torch.Tensor]


class Reader(AbstractContextManager["Reader"]):
    """Reads files one after another through one child; it starts (2 s) when it is made.

    The weights pass through a file in `scratch`, or in the system's folder for such; a process that
    is killed leaves it there.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch
        self._child = subprocess.Popen(
            [sys.executable, "-m", "core.engine.foreign.child"],
            cwd=ROOT,
            env=environment() | {"HOME": "/nonexistent"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __exit__(self, *_: Any) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()
        try:
            self._child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def read(self, path: Path, advance: Callable[[int, int], None] | None = None) -> Given:
        """The weights in a file. `advance(done, total)` counts bytes of its digest.

        Raises InputError in one sentence for a file that cannot or may not be read.
        """
        path = Path(path)
        format_of(path)  # before anything waits for a pipe, or hashes gigabytes of it
        digest = sha256_of(path, advance)
        if self._scratch:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="prunescope-", dir=self._scratch) as folder:
            out = Path(folder) / "weights.safetensors"
            answer = self._ask({"path": str(path.absolute()), "out": str(out)}, shown(path.name))
            if "error" in answer:
                raise InputError(answer["error"])
            from safetensors.torch import load_file

            tensors = load_file(out)
        return Given(
            sha256=digest,
            n_bytes=path.stat().st_size,
            format=answer["format"],
            wrapper=answer["wrapper"],
            beside=tuple(answer["beside"]),
            class_names=tuple(answer["class_names"]),
            joined=tuple(answer["joined"]),
            dtypes=answer["dtypes"],
            not_finite=answer["not_finite"],
            tensors=tensors,
        )

    def _ask(self, request: dict[str, str], name: str) -> dict[str, Any]:
        questions, answers = self._child.stdin, self._child.stdout
        assert questions
        assert answers
        try:
            questions.write(json.dumps(request).encode() + b"\n")
            questions.flush()
            if select.select([answers], [], [], SECONDS)[0] and (line := answers.readline()):
                return json.loads(line)
        except (OSError, ValueError) as error:
            raise WorkError(f"The process that reads {name} ended ({error}). Try again.") from error
        self._child.kill()
        raise WorkError(f"The process that reads {name} did not answer. Try again.")


def sha256_of(path: Path, advance: Callable[[int, int], None] | None = None) -> str:
    """The digest of a file, read in pieces of 8 MiB."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with open(path, "rb") as file:
        while piece := file.read(8 * 2**20):
            digest.update(piece)
            done += len(piece)
            if advance:
                advance(done, total)
    return digest.hexdigest()
