"""Which images each reader reads, and in what order: anchors and blocks, and images shown twice.

A reader's order follows from the reader study's seed and from who they are, so it is the same in
every session and nothing of it has to be kept. Nothing here knows which image is a PIE.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import combinations, islice

import numpy as np

# A repeat comes from the first third of a reader's images and is shown again in the last third.
PARTS = 3
MOST_BASES = 5000  # bases tried: all of them up to 15 blocks


def reader_order(
    seed: int, reader: str, positions: Sequence[int], n_images: int, repeats: float = 0.0
) -> list[int]:
    """`positions` in the order in which this reader sees them. `n_images + position` stands for an
    image that is shown for the second time.

    repeats: share of the positions that come twice, rounded up. They are drawn for each reader, so
    that readers together repeat many images. At least a third of the images lie between.
    """
    digest = hashlib.sha256(reader.encode()).digest()
    own = np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
    once = own.permutation(np.asarray(positions, int)).tolist()
    n_twice = min(math.ceil(repeats * len(once)), len(once) // PARTS)
    if not n_twice:
        return once
    again = np.sort(own.choice(len(once) // PARTS, n_twice, replace=False))
    n_shown = len(once) + n_twice
    slots = range(n_shown - n_twice - len(once) // PARTS, n_shown)
    taken = dict(zip(np.sort(own.choice(slots, n_twice, replace=False)), again, strict=True))
    rest = iter(once)
    return [n_images + once[taken[at]] if at in taken else next(rest) for at in range(n_shown)]


def cyclic_base(n_blocks: int, n_read: int) -> tuple[int, ...]:
    """The blocks that the first reader reads; each further reader reads the blocks one on, around
    the circle.

    So with as many readers as blocks every block is read by `n_read` of them. Of all bases it is
    one whose differences spread most evenly, so that any two blocks share about as many readers:
    exactly as many where a difference set exists, a balanced incomplete block design (7 blocks, 3
    read: 0, 1, 3; Bose, *Annals of Eugenics*, 1939).
    """

    def unevenness(base: tuple[int, ...]) -> int:
        gaps = [(a - b) % n_blocks for a in base for b in base if a != b]
        return int((np.bincount(gaps, minlength=n_blocks)[1:] ** 2).sum())

    others = islice(combinations(range(1, n_blocks), n_read - 1), MOST_BASES)
    return min(((0, *rest) for rest in others), key=unevenness)


def blocks_of(number: int, n_blocks: int, n_read: int) -> frozenset[int]:
    """The blocks of the reader with this number, from 1; later readers begin the circle again."""
    return frozenset((block + number - 1) % n_blocks for block in cyclic_base(n_blocks, n_read))


def deal(units: Sequence[Sequence[int]], n_blocks: int, n_anchors: int) -> dict[int, int | None]:
    """Position to block, None for anchors, which every reader reads. A unit stays together.

    units: in random order; those of a kind follow each other, so that each block gets as many of
    each kind as any other, or one more. The anchors, at least `n_anchors` images, are spread evenly
    over the units for the same reason.
    """
    n_images = sum(map(len, units))
    share = n_anchors / n_images if n_images else 0.0
    dealt: dict[int, int | None] = {}
    anchors, seen, turn = 0, 0, 0
    for unit in units:
        seen += len(unit)
        is_anchor = anchors < math.ceil(share * seen - 1e-9)
        anchors += len(unit) if is_anchor else 0
        dealt |= dict.fromkeys(unit, None if is_anchor else turn % n_blocks)
        turn += 0 if is_anchor else 1
    return dealt
