"""Lookup tables of a DICOM file: modality LUT and VOI LUT. PS3.3 C.11.1.1 and C.11.2.1.1.

Not pydicom's `apply_voi`, whose index has the width of the output: a curve of 4,096 entries of 8
bits comes out folded, and entries of one byte each, as the standard lets them lie, unreadable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from core.pictures.dicom_numbers import numbers, raw_bytes, texts

MOST_LUTS = 8  # of a file
# A curve whose highest entry needs this many bits fewer than declared would leave three quarters of
# the greys empty: the declared depth is wrong.
BITS_TOO_MANY = 2


class Lut(NamedTuple):
    """The first value mapped, the entries as floats, the highest that they could have, and what
    the file calls it."""

    first: int
    entries: np.ndarray
    top: int
    name: str

    def of(self, values: np.ndarray) -> np.ndarray:
        """The entries of some values; those outside have the first or the last one."""
        at = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[at]


def luts(header: Dataset, name: str, values: np.ndarray, repairs: set[str]) -> list[Lut]:
    """The usable tables of the sequence `name`, for `values`, at most MOST_LUTS."""
    key = "voi_lut" if name == "VOILUTSequence" else "modality_lut"
    sequence, found = header.get(name), []
    for item in (sequence or ())[:MOST_LUTS]:
        lut = _lut(item, values, key, repairs)
        if lut is None:
            repairs.add(key)
        else:
            found.append(lut)
    return found


def _lut(item: Dataset, values: np.ndarray, key: str, repairs: set[str]) -> Lut | None:
    descriptor = numbers(item, "LUTDescriptor", repairs)
    if len(descriptor) < 3 or not np.isfinite(descriptor).all():
        return None
    # 16-bit words, whose sign the values decide, whatever type is written down.
    n_entries, first, bits = (int(number) & 0xFFFF for number in descriptor[:3])
    if first >= 2**15 and values.min() < 0:
        first -= 2**16
    n_entries = n_entries or 2**16
    content, little = raw_bytes(item, "LUTData")
    words = np.frombuffer(content[: len(content) // 2 * 2], "<u2" if little else ">u2")
    single = words.astype("<u2").view(np.uint8)  # the first of two bytes is the lower one
    if n_entries > 2 and len(content) in (n_entries, n_entries + 1):
        entries = single[:n_entries]
    elif len(content) in (2 * n_entries, 2 * n_entries + 1):
        entries = words[:n_entries]
    else:
        entries = single if bits <= 8 and (words > 255).any() else words
        entries = entries[:n_entries]
        repairs.add(key)
    if not len(entries) or not entries.any():
        return None
    needed = int(entries.max()).bit_length()
    if key == "voi_lut" and not needed <= bits < needed + BITS_TOO_MANY:
        bits = needed
        repairs.add("lut_depth")
    called = (texts(item, "LUTExplanation") or [""])[0]
    return Lut(first, entries.astype(float), 2**bits - 1, called)
