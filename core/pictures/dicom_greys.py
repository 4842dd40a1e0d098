"""From stored to shown values of a DICOM file. PS3.3 C.7.5.1.1.2, C.11.1 and C.11.2.

Every step after decoding maps a stored value to a shown one, so each is worked out on a table of
the at most 65,536 stored values, in full precision, and the image is looked up in it once: little
memory, nothing rounded twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from core.pictures.deep import luma as mixed
from core.pictures.dicom_fields import GREY
from core.pictures.dicom_luts import Lut, first_lut
from core.pictures.dicom_numbers import numbers, word
from core.pictures.ranges import shown_range
from core.pictures.samples import NEAR, SIGMOID, Window, histogram

LINEAR = ("LINEAR", "LINEAR_EXACT")


class _VoiWindow(NamedTuple):
    """In values after the modality LUT: black up to center - width / 2, white from center +
    width / 2, or a sigmoid. PS3.3 C.11.2.1.2 and C.11.2.1.3."""

    number: int
    center: float
    width: float
    function: str

    def of(self, values: np.ndarray) -> np.ndarray:
        """0 (black) to 1 (white)."""
        if self.function == SIGMOID:
            with np.errstate(over="ignore"):  # far below it is 0
                return 1 / (1 + np.exp(-4 * (values - self.center) / self.width))
        if self.width == 0:  # LINEAR of width 1: black up to the center, white beyond
            return (values > self.center).astype(float)
        return (values - self.center) / self.width + 0.5


class _Steps(NamedTuple):
    """What a file says of showing its values; tables have an entry for each bit pattern."""

    stored: np.ndarray
    padding: np.ndarray  # bool: what stands for no image there
    real: np.ndarray  # after the modality LUT
    rescale: tuple[float, float] | None  # slope, intercept; None where another step replaces it
    voi: Lut | None
    windows: list[_VoiWindow]
    as_stored: bool  # every value from black 0 to white 255 is there already


def grey_table(header: Dataset, codes: np.ndarray, repairs: set[str]) -> np.ndarray:
    """uint8 (codes,): the grey of each bit pattern."""
    steps = _steps(header, repairs)
    if steps.voi:
        shown = steps.voi.of(steps.real) / steps.voi.top
    elif steps.windows:
        shown = steps.windows[0].of(steps.real)
    elif steps.as_stored:
        shown = steps.real / 255
    else:
        (low, high), *_ = _ranges(steps.real, codes, steps.padding, repairs)
        shown = (steps.real - low) / ((high - low) or 1.0)
    if header.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    table = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    table[steps.padding] = 0
    return table


def sample_table(
    header: Dataset, codes: np.ndarray, repairs: set[str]
) -> tuple[np.ndarray, list[Window]]:
    """uint8 or uint16 (codes,): the sample of each bit pattern, and windows in their units."""
    steps = _steps(header, repairs)
    values, as_stored = steps.stored.astype(float), steps.as_stored and not steps.voi
    slope, intercept = steps.rescale or (1.0, 0.0)
    if steps.voi:
        values, slope, intercept = steps.voi.of(steps.real), 1.0, 0.0
    elif not steps.rescale:
        values = steps.real.astype(float)
    elif slope < 0:
        values = -values
    near, low, high = (0.0, 255.0), 0.0, 255.0
    if not as_stored:
        near, low, high = _ranges(values, codes, steps.padding, repairs)
    top = min(high - low, 65535.0)
    windows = []
    if steps.voi:
        windows = [Window("File VOI LUT", steps.voi.top / 2 - low, float(steps.voi.top))]
    for number, center, width, function in [] if steps.voi else steps.windows:
        name = f"File window {number}"
        if width == 0:  # narrower than the step between two samples
            center, width = center + slope / 4, abs(slope) / 2
        scaled = (center - intercept) / abs(slope) - low
        windows.append(Window(name, scaled, width / abs(slope), function))
    if not windows and near != (low, high):
        windows = [Window(NEAR, (near[0] + near[1]) / 2 - low, near[1] - near[0])]
    samples = np.clip(np.rint(values - low), 0, top)
    if header.PhotometricInterpretation == "MONOCHROME1":
        samples = top - samples
        windows = [w._replace(center=top - w.center) for w in windows]
    # Padding is black: where a window begins below the darkest sample, so far below it.
    if windows and (histogram(codes, len(samples))[steps.padding] > 0).any():
        reach = windows[0].width * (2 if windows[0].function == SIGMOID else 0.5)
        below = min(max(0.0, np.ceil(reach - windows[0].center)), 65535 - top)
        samples, top = samples + below, top + below
        windows = [w._replace(center=w.center + below) for w in windows]
    samples[steps.padding] = 0
    return samples.astype(np.uint8 if as_stored and top < 256 else np.uint16), windows


def luma(colour: np.ndarray) -> np.ndarray:
    """(height, width, 3) unsigned to luma by ITU-R BT.601, rounded as Pillow does."""
    if colour.dtype.kind != "u" or colour.shape[2] != 3:
        raise ValueError("colours that are signed, or not three")
    return mixed(colour)


def _steps(header: Dataset, repairs: set[str]) -> _Steps:
    stored = _stored_values(header)
    if header.PhotometricInterpretation not in GREY:
        palette = header.PhotometricInterpretation == "PALETTE COLOR"
        real = _palette(header, stored) if palette else stored
        as_stored = palette or header.BitsStored == header.BitsAllocated == 8
        return _Steps(stored, np.zeros(len(stored), bool), real, None, None, [], as_stored)
    padding = _padding(header, stored, repairs)
    modality = first_lut(header, "ModalityLUTSequence", stored, repairs)
    rescale = None if modality else _rescale(header, repairs)
    if modality:
        real = modality.of(stored)
    else:
        slope, intercept = rescale or (1.0, 0.0)
        real = stored * slope + intercept
    voi = first_lut(header, "VOILUTSequence", real, repairs)
    windows = [] if voi else _windows(header, repairs)
    unsigned_8 = header.BitsStored == header.BitsAllocated == 8 and not header.PixelRepresentation
    as_stored = unsigned_8 and not modality and rescale in (None, (1.0, 0.0))
    return _Steps(stored, padding, real, rescale, voi, windows, as_stored)


def _stored_values(header: Dataset) -> np.ndarray:
    """int64 (codes,): the number each bit pattern stands for, bits beyond those stored left out."""
    bits = header.BitsAllocated
    codes = np.arange(2**bits, dtype=f"u{bits // 8}")
    if header.PhotometricInterpretation not in GREY:
        return codes.astype(np.int64)  # luma, or an index into a palette
    top = codes << (bits - 1 - header.HighBit)
    signed = top.view(f"i{bits // 8}") if header.PixelRepresentation else top
    return (signed >> (bits - header.BitsStored)).astype(np.int64)


def _padding(header: Dataset, stored: np.ndarray, repairs: set[str]) -> np.ndarray:
    """(codes,) bool: what stands for no image there.

    A value that no pixel can have is written with another sign, or for whole words of which the
    pixels fill only some bits: it is compared with the words then.
    """
    ends = [
        numbers(header, name, repairs)[:1]
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    known = [int(end[0]) for end in ends if end and np.isfinite(end[0]) and abs(end[0]) < 2**16]
    if not ends[0] or not known:
        return np.zeros(len(stored), bool)
    low, high = sorted((known[0], known[-1]))
    if stored.min() <= low and high <= stored.max():
        return (stored >= low) & (stored <= high)
    repairs.add("padding")
    words = np.arange(len(stored))
    signed = np.where(words >= len(words) // 2, words - len(words), words)
    # As 16-bit words the other way round: 63536 is -2000.
    turned = [one - 2**16 if one >= 2**15 else one + 2**16 if one < 0 else one for one in known]
    low_turned, high_turned = sorted((turned[0], turned[-1]))
    if stored.min() <= low_turned and high_turned <= stored.max():
        return (stored >= low_turned) & (stored <= high_turned)
    if known == [-1]:  # every bit there is
        return stored == stored.max()
    return ((words >= low) & (words <= high)) | ((signed >= low) & (signed <= high))


def _palette(header: Dataset, stored: np.ndarray) -> np.ndarray:
    colours = apply_color_lut(stored.astype(f"u{header.BitsAllocated // 8}"), header)
    return luma(colours[None])[0].astype(np.int64) >> (8 * (colours.itemsize - 1))


def _rescale(header: Dataset, repairs: set[str]) -> tuple[float, float] | None:
    """Slope and intercept; one without the other, or a slope of 0, is taken as GDCM does."""
    slopes, intercepts = (
        numbers(header, name, repairs)[:1] for name in ("RescaleSlope", "RescaleIntercept")
    )
    if not slopes and not intercepts:
        return None
    slope, intercept = (slopes or [np.nan])[0], (intercepts or [np.nan])[0]
    if not np.isfinite(slope) or slope == 0:
        repairs.add("slope")
        slope = 1.0
    if not np.isfinite(intercept):
        repairs.add("intercept")
        intercept = 0.0
    return slope, intercept


def _windows(header: Dataset, repairs: set[str]) -> list[_VoiWindow]:
    """Those of the file that can be used, in its order."""
    centers, widths = (numbers(header, name, repairs) for name in ("WindowCenter", "WindowWidth"))
    if not centers and not widths:
        return []
    function, windows = _function(header, repairs), []
    for number in range(max(len(centers), len(widths))):
        center, width = (one[number] if number < len(one) else np.nan for one in (centers, widths))
        usable = width >= 1 if function == "LINEAR" else width > 0
        if not usable or not np.isfinite(center):
            repairs.add("window")
        elif function == "LINEAR":
            windows.append(_VoiWindow(number + 1, center - 0.5, width - 1, "LINEAR"))
        else:
            shape = function if function == SIGMOID else "LINEAR"
            windows.append(_VoiWindow(number + 1, center, width, shape))
    return windows


def _function(header: Dataset, repairs: set[str]) -> str:
    stated = word(header, "VOILUTFunction")
    name = stated.replace(" ", "_").replace("-", "_") or "LINEAR"
    if name not in (*LINEAR, SIGMOID):
        repairs.add("function")
        name = SIGMOID if SIGMOID in name else "LINEAR_EXACT" if "EXACT" in name else "LINEAR"
    return name


def _ranges(
    values: np.ndarray, codes: np.ndarray, padding: np.ndarray, repairs: set[str]
) -> tuple[tuple[float, float], float, float]:
    """The range to show, and smallest and largest value in the image; padding only if nothing
    else."""
    counts = histogram(codes, len(values))
    if counts[~padding].any():
        counts = np.where(padding, 0, counts)
    there = np.flatnonzero(counts)
    order = np.argsort(values[there], kind="stable")
    ascending, at = np.unique(values[there][order], return_inverse=True)
    near = shown_range(ascending, np.bincount(at, counts[there][order]).astype(np.int64))
    low, high = float(ascending[0]), float(ascending[-1])
    if near != (low, high):
        repairs.add("far_pixels")
    return near, low, high
