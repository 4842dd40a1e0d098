"""Weights under a library's names that is not at hand, in the names of one that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.engine.foreign.layouts import Tensors, as_they_are
from core.errors import InputError


@dataclass(frozen=True)
class Dialect:
    """How a library names a family of networks.

    `marker` matches a name that all of them have, after a prefix; `inner` the prefix of all but the
    classifier, which is taken off. `words` are regular expressions and what they become, tried in
    order on every name; `last` does the rest. `networks` matches the own names of those networks
    that compute the same, with `norm_eps` in their layer norms: others of equal weights do not.
    """

    library: str
    marker: str
    inner: str
    words: tuple[tuple[str, str], ...]
    networks: str
    last: Callable[[Tensors], Tensors] = as_they_are
    norm_eps: float | None = None
    padded: bool = False  # as for images of the network's own size, whatever their size

    def translated(self, tensors: Tensors) -> Tensors | None:
        """In timm's names, below the same prefix; None where the file is of another family."""
        marks = (re.fullmatch(rf"((?:.*?\.)??)({self.marker})", name) for name in tensors)
        found = min((mark for mark in marks if mark), key=lambda m: len(m[1]), default=None)
        if found is None:
            return None
        prefix = found[1]
        inside, outside = {}, {}
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                inside[self._word(name.removeprefix(prefix))] = tensor
            else:
                outside[name] = tensor
        return {f"{prefix}{n}": t for n, t in self.last(inside).items()} | outside

    def check_padding(self, own_size: int, size: int) -> None:
        """Raise InputError where pictures of this size would be padded otherwise than there: what
        is halved has an odd side for one and an even side for the other."""
        if self.padded and _odd_sides(own_size) != _odd_sides(size):
            raise InputError(
                f"{self.library} pads this network as for images of {own_size} px, and the one "
                f"known here pads {size} px otherwise; choose {own_size} px."
            )

    def _word(self, name: str) -> str:
        name = re.sub(rf"^(?:{self.inner})", "", name)
        for pattern, word in self.words:
            name = re.sub(pattern, word, name)
        return name


def begun_otherwise(name: str, words: Mapping[str, str]) -> str:
    """A name that begins with one of `words`, with what that becomes."""
    for old, new in words.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _odd_sides(size: int, n_halvings: int = 5) -> list[bool]:
    sides = [size]
    for _ in range(n_halvings - 1):
        sides.append((sides[-1] + 1) // 2)
    return [side % 2 == 1 for side in sides]
