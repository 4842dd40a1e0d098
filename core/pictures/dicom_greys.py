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
from core.pictures.dicom_luts import Lut, luts
from core.pictures.dicom_numbers import numbers, texts, word
from core.pictures.ranges import shown_range
from core.pictures.samples import EXACT, FULL, LINEAR, NEAR, SIGMOID, Samples, Window, histogram

# Of a file's windows, and of the name of one: they travel in a header.
MOST_WINDOWS, MOST_LETTERS = 12, 40


class _Steps(NamedTuple):
    """What a file says of showing its values; tables have an entry for each bit pattern."""

    stored: np.ndarray
    padding: np.ndarray  # bool: what stands for no image there
    real: np.ndarray  # after the modality LUT
    rescale: tuple[float, float] | None  # slope, intercept; None where another step replaces it
    luts: list[Lut]
    windows: list[Window]
    as_stored: bool  # every value from black 0 to white 255 is there already
    turned: bool  # the lowest value is white


def grey_table(header: Dataset, codes: np.ndarray, repairs: set[str]) -> np.ndarray:
    """uint8 (codes,): the grey of each bit pattern."""
    steps = _steps(header, repairs)
    if steps.luts:
        shown = steps.luts[0].of(steps.real) / steps.luts[0].top
    elif steps.windows:
        shown = steps.windows[0].of(steps.real)
    elif steps.as_stored:
        shown = steps.real / 255
    else:
        (low, high), *_ = _ranges(steps.real, codes, steps.padding, repairs)
        shown = (steps.real - low) / ((high - low) or 1.0)
    if steps.turned:
        shown = 1 - shown
    table = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    table[steps.padding] = 0
    return table


def sample_table(
    header: Dataset, codes: np.ndarray, repairs: set[str]
) -> tuple[np.ndarray, Samples]:
    """uint8 or uint16 (codes,): the sample of each bit pattern; and what to say of the samples,
    without their values."""
    steps = _steps(header, repairs)
    slope, intercept = steps.rescale or (1.0, 0.0)
    values = steps.stored.astype(float) if steps.rescale else steps.real.astype(float)
    if slope < 0:
        values, slope = -values, -slope
    near, low, high = (0.0, 255.0), 0.0, 255.0
    if not steps.as_stored or steps.luts:
        told = set() if steps.luts or steps.windows else repairs
        near, low, high = _ranges(values, codes, steps.padding, told)
    padded = bool((histogram(codes, len(values))[steps.padding] > 0).any())
    top = min(high - low, 65535.0 - padded)
    occur = ~steps.padding & (values >= low) & (values <= low + top)
    samples = np.clip(np.rint(values - low), 0, top)
    intercept += low * slope
    if steps.turned:
        samples, slope, intercept = top - samples, -slope, intercept + top * slope
    if padded:
        samples, intercept = np.where(steps.padding, 0, samples + 1), intercept - slope
    curves = tuple(_curve(lut, steps.real[occur], samples[occur]) for lut in steps.luts)
    about = Samples(np.empty(0), (), slope, intercept, _units(header), padded, curves)
    windows = [
        Window(
            lut.name[:MOST_LETTERS] or f"File VOI LUT {number}",
            lut.top / 2,
            float(lut.top),
            EXACT,
            number - 1,
        )
        for number, lut in enumerate(steps.luts, start=1)
    ]
    windows += steps.windows
    if not windows and near != (low, high):
        center = (near[0] + near[1]) / 2 * abs(slope) + (steps.rescale or (0.0, 0.0))[1]
        windows.append(Window(NEAR, center, (near[1] - near[0]) * abs(slope)))
    windows.append(about.window(FULL, float(padded), max(top, 1.0) + padded))
    kind = np.uint8 if steps.as_stored and top + padded < 256 else np.uint16
    return samples.astype(kind), about._replace(windows=tuple(windows))


def _curve(lut: Lut, real: np.ndarray, samples: np.ndarray) -> np.ndarray:
    curve = np.zeros(int(samples.max(initial=0)) + 1, np.uint16)
    curve[samples.astype(np.int64)] = lut.of(real)
    return curve


def _units(header: Dataset) -> str:
    """What the values after the modality LUT are; "" for nothing in particular."""
    stated = word(header, "RescaleType") or word(header, "ModalityLUTType")
    return {"HU": "HU", "OD": "OD", "": "HU" if word(header, "Modality") == "CT" else ""}.get(
        stated, ""
    )


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
        return _Steps(stored, np.zeros(len(stored), bool), real, None, [], [], as_stored, False)
    padding = _padding(header, stored, repairs)
    modality = next(iter(luts(header, "ModalityLUTSequence", stored, repairs)), None)
    rescale = None if modality else _rescale(header, repairs)
    if modality:
        real = modality.of(stored)
    else:
        slope, intercept = rescale or (1.0, 0.0)
        real = stored * slope + intercept
    voi, windows = luts(header, "VOILUTSequence", real, repairs), _windows(header, repairs)
    unsigned_8 = header.BitsStored == header.BitsAllocated == 8 and not header.PixelRepresentation
    as_stored = unsigned_8 and not modality and rescale in (None, (1.0, 0.0))
    # A file that inverts says so twice; a contradiction is taken for an inversion.
    turned = word(header, "PresentationLUTShape") == "INVERSE"
    turned |= header.PhotometricInterpretation == "MONOCHROME1"
    return _Steps(stored, padding, real, rescale, voi, windows, as_stored, turned)


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


def _windows(header: Dataset, repairs: set[str]) -> list[Window]:
    """Those of the file that can be used, in its order, as the file calls them."""
    centers, widths = (numbers(header, name, repairs) for name in ("WindowCenter", "WindowWidth"))
    if not centers and not widths:
        return []
    function, windows = _function(header, repairs), []
    names = texts(header, "WindowCenterWidthExplanation")
    for at in range(min(max(len(centers), len(widths)), MOST_WINDOWS)):
        center, width = (one[at] if at < len(one) else np.nan for one in (centers, widths))
        usable = width >= 1 if function == LINEAR else width > 0
        if usable and np.isfinite(center):
            name = names[at][:MOST_LETTERS] if at < len(names) else ""
            windows.append(Window(name or f"File window {at + 1}", center, width, function))
        else:
            repairs.add("window")
    return windows


def _function(header: Dataset, repairs: set[str]) -> str:
    stated = word(header, "VOILUTFunction")
    name = stated.replace(" ", "_").replace("-", "_") or LINEAR
    if name not in (LINEAR, EXACT, SIGMOID):
        repairs.add("function")
        name = SIGMOID if SIGMOID in name else EXACT if "EXACT" in name else LINEAR
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
