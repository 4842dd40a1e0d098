"""What pictures of every format share: samples, windows, the error, and what is too large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.errors import InputError

# A chest X-ray has 1 to 15 million pixels; a few bytes can claim to be far more.
MAX_PIXELS = 80_000_000
# Pixels times scans of a JPEG: each scan goes over all of them, and a file may have thousands.
MAX_SCANNED = 20 * MAX_PIXELS
JPEG_SCAN = b"\xff\xda"
# Worked on at a time, so that a large image takes little more memory than itself.
BLOCK_ROWS = 256
# The window of a few far pixels' image that shows the others.
NEAR = "Without far pixels"
SIGMOID = "SIGMOID"


class BadImage(InputError):  # noqa: N818, reads as what it names
    """An image file that cannot be used; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The image {path} cannot be used: {reason}.")
        self.path, self.reason = Path(path), reason

    def __reduce__(self) -> tuple:
        return BadImage, (self.path, self.reason)


class Window(NamedTuple):
    """Black up to center - width / 2, white from center + width / 2, in units of the samples.

    As SIGMOID, 1 / (1 + exp(-4 (sample - center) / width)): DICOM PS3.3 C.11.2.1.3.1.
    """

    name: str
    center: float
    width: float
    function: str = "LINEAR"


class Samples(NamedTuple):
    """(height, width) uint8 or uint16, 0 is black; the windows that the file itself names."""

    values: np.ndarray
    windows: tuple[Window, ...] = ()


def looked_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """table[codes] of (height, width) codes; at once numpy would make 64-bit indices of all."""
    values = np.empty(codes.shape, table.dtype)
    for rows in blocks(codes):
        values[rows] = table[codes[rows]]
    return values


def histogram(codes: np.ndarray, n_codes: int) -> np.ndarray:
    """How often each of 0 .. n_codes - 1 occurs in (height, width) codes."""
    counts = np.zeros(n_codes, np.int64)
    for rows in blocks(codes):
        counts += np.bincount(codes[rows].ravel(), minlength=n_codes)
    return counts


def blocks(values: np.ndarray) -> Iterator[slice]:
    return (slice(row, row + BLOCK_ROWS) for row in range(0, len(values), BLOCK_ROWS))


def refuse_too_large(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(
            path, f"it claims {width:,} x {height:,} pixels; allowed are {MAX_PIXELS:,} in all"
        )


def refuse_many_scans(path: Path, n_pixels: int, n_scans: int) -> None:
    if n_pixels * n_scans > MAX_SCANNED:
        raise BadImage(path, f"it has {n_scans:,} scans, which would take too long to decode")
