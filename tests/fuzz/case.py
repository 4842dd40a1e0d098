"""What a kind of file is to the fuzz."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Protocol


class Kind(Protocol):
    """Made once a process, with its seeds. `make` writes a case's files, `read` reads them as the
    product does: it returns where they are accepted, and raises one of `refusals`, which are the
    project's own, where they are not. Anything else that it does is a failure."""

    refusals: tuple[type[Exception], ...]

    def make(self, rng: random.Random) -> Path: ...

    def read(self, path: Path) -> None: ...


def rng_of(kind: str, number: int) -> random.Random:
    """All chance in a case comes from here."""
    return random.Random(f"{kind} {number}")
