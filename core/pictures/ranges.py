"""From which value to which an image without a window is stretched: all that occur, but for a few
pixels far from the others.

A saturated ("hot") or dead pixel of a detector, or a burnt-in letter, may lie many times farther
away than the picture is wide, which would leave the picture in a handful of greys.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# At most this share of the pixels, at each end, counts as few.
FEW = 0.005
# A picture: with fewer values than this, nothing says what is far.
LEAST_VALUES = 16


def shown_range(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value shown; `values` ascend, `counts` says how many pixels have each.

    Left out is what lies beyond a gap wider than everything between it and the other end. That
    may be FEW of the pixels at each end, and there must be LEAST_VALUES values left.
    """
    few = int(FEW * counts.sum())
    low_end = values[: 1 + int(np.searchsorted(np.cumsum(counts), few, side="right"))]
    n_high = 1 + int(np.searchsorted(np.cumsum(counts[::-1]), few, side="right"))
    low, high = _without_far(low_end, values[-n_high:])
    n_left = int(((values >= low) & (values <= high)).sum())
    return (low, high) if n_left >= LEAST_VALUES else (float(values[0]), float(values[-1]))


def range_of_blocks(blocks: Iterable[np.ndarray], n_pixels: int) -> tuple[float, ...]:
    """Lowest and highest value shown, and lowest and highest of all, of an image in pieces: as
    `shown_range`, for values too many to count. (nan, nan, nan, nan) where one is not finite."""
    few = int(FEW * n_pixels)
    lows = highs = sample = np.empty(0)
    for block in blocks:
        flat = block.ravel()
        if not np.isfinite(flat).all():
            return (np.nan,) * 4
        lows = np.sort(np.concatenate([lows, _smallest(flat, few + 1)]))[: few + 1]
        highs = -np.sort(np.concatenate([-highs, _smallest(-flat.astype(float), few + 1)]))
        highs = highs[: few + 1]
        sample = np.unique(np.concatenate([sample, flat[:: max(1, len(flat) // 512)]]))
    ends = float(lows[0]), float(highs[0])
    low, high = _without_far(lows, highs[::-1])
    n_left = int(((sample >= low) & (sample <= high)).sum())
    return (*((low, high) if n_left >= LEAST_VALUES else ends), *ends)


def _smallest(flat: np.ndarray, n: int) -> np.ndarray:
    flat = flat.astype(float)
    return np.partition(flat, n - 1)[:n] if len(flat) > n else flat


def _without_far(low_end: np.ndarray, high_end: np.ndarray) -> tuple[float, float]:
    """The ends without what is far; both ascend, and all that lies between them is near."""
    low_end, high_end = low_end.astype(float), high_end.astype(float)
    low, high = low_end[-1], high_end[0]
    if low >= high:
        return float(low_end[0]), float(high_end[-1])
    up = np.flatnonzero(np.diff(high_end) > high_end[:-1] - low)
    down = np.flatnonzero(np.diff(-low_end[::-1]) > high - low_end[:0:-1])
    top = high_end[up[0]] if len(up) else high_end[-1]
    bottom = low_end[::-1][down[0]] if len(down) else low_end[0]
    return float(bottom), float(top)
