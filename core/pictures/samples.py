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
FULL = "Full range"
LINEAR, EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"


class BadImage(InputError):  # noqa: N818, reads as what it names
    """An image file that cannot be used; `path` and `reason` say which and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The image {path} cannot be used: {reason}.")
        self.path, self.reason = Path(path), reason

    def __reduce__(self) -> tuple:
        return BadImage, (self.path, self.reason)


class Geometry(NamedTuple):
    """How an image lies in space, as it is shown.

    spacing: from row to row and from column to column; millimetres where `measured` says where,
    and otherwise only in relation to each other. None: square pixels of unknown size.
    measured: "patient", "detector" (the patient is smaller than its shadow), "film" or "".
    right, down: towards which part of the patient the right side and the foot of the picture lie,
    one of L, R, H, F, A, P; "" where it is not known.
    """

    spacing: tuple[float, float] | None = None
    measured: str = ""
    right: str = ""
    down: str = ""

    @property
    def aspect(self) -> float:
        """A pixel's height divided by its width."""
        return self.spacing[0] / self.spacing[1] if self.spacing else 1.0


class Window(NamedTuple):
    """Which values are shown how, by a function of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3; in
    units of the values after the modality LUT, or of what the samples' `curve` makes of them."""

    name: str
    center: float
    width: float
    function: str = EXACT
    curve: int | None = None

    def of(self, values: np.ndarray) -> np.ndarray:
        """0 (the lowest are there) to 1, not rounded; may lie outside, which is cut off."""
        if self.function == SIGMOID:
            with np.errstate(over="ignore"):  # far below it is 0
                return 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        if self.function == EXACT:
            return (values - self.center) / self.width + 0.5
        if self.width == 1:
            return (values > self.center - 0.5).astype(float)
        return (values - (self.center - 0.5)) / (self.width - 1) + 0.5


class Samples(NamedTuple):
    """What a viewer windows: (height, width) uint8 or uint16; a darker one is lower.

    windows: the file's own, then the full range; the first is how to show it at first. A sample
    stands for the value `sample * slope + intercept` in `units`. The slope is negative where the
    highest value is black: then 1 less what a window says is shown.
    padding: a sample of 0 is no image, and black in every window.
    curves: uint16 (highest sample + 1,), what each of the file's VOI LUTs makes of every sample.
    """

    values: np.ndarray
    windows: tuple[Window, ...]
    slope: float = 1.0
    intercept: float = 0.0
    units: str = ""
    padding: bool = False
    curves: tuple[np.ndarray, ...] = ()
    geometry: Geometry = Geometry()

    def window(self, name: str, low: float, high: float) -> Window:
        """Even from one sample to another."""
        middle = (low + high) / 2 * self.slope + self.intercept
        return Window(name, middle, (high - low) * abs(self.slope))


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
