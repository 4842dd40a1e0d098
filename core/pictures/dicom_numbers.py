"""Numbers and words of a DICOM field, from its own bytes: also where a file writes them oddly.

pydicom refuses a whole file for the "1,5" or "AUTO" of one vendor. Values are read here from the
bytes that pydicom leaves until somebody asks, by the type the file names or else the dictionary's.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
UNTYPED = (None, "", "UN", "OB", "OW")
MOST_BYTES = 4096  # of a field that holds numbers
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def numbers(header: Dataset, name: str, repairs: set[str]) -> list[float]:
    """All values of a numeric field in order, NaN for one that is none; [] for no or no value.

    A decimal comma is one, and words behind a number are left away: both go into `repairs`.
    """
    element = _element(header, name)
    if element is None or element.value is None:
        return []
    if not isinstance(element, RawDataElement):
        several = element.value
        several = several if isinstance(several, list | MultiValue) else [several]
        return [_parsed(str(one), repairs) for one in several if str(one).strip()]
    kind = element.VR
    if kind in UNTYPED:
        kind = dictionary_VR(element.tag)
        if kind == "US or SS":
            kind = "SS" if header.get("PixelRepresentation") == 1 else "US"
    content = bytes(element.value)[:MOST_BYTES]
    if kind in BINARY:
        order, size = "<" if element.is_little_endian else ">", struct.calcsize(BINARY[kind])
        n = len(content) // size
        return [float(one) for one in struct.unpack_from(f"{order}{n}{BINARY[kind]}", content)]
    texts = _texts(content)
    return [_parsed(text, repairs) for text in texts] if any(texts) else []


def whole_number(header: Dataset, name: str, repairs: set[str]) -> int | None:
    """The first value of a field where it is a whole number, else None."""
    found = numbers(header, name, repairs)
    return int(found[0]) if found and np.isfinite(found[0]) and found[0] == int(found[0]) else None


def word(header: Dataset, name: str) -> str:
    """The first value of a text field in capitals, without blanks around it; "" for none."""
    return (texts(header, name) or [""])[0].upper()


def texts(header: Dataset, name: str) -> list[str]:
    """All values of a text field, without blanks around them; [] for no field."""
    element = _element(header, name)
    if element is None or element.value is None:
        return []
    if isinstance(element, RawDataElement):
        content = bytes(element.value)[:MOST_BYTES]
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
        several = text.split("\\")
    else:
        value = element.value
        several = [str(one) for one in (value if isinstance(value, list | MultiValue) else [value])]
    return ["".join(filter(str.isprintable, one)).strip() for one in several]


def raw_bytes(item: Dataset, name: str) -> tuple[bytes, bool]:
    """A field of 16-bit words as it lies in the file, and whether it is little-endian."""
    element = _element(item, name)
    if element is None or element.value is None:
        return b"", True
    if isinstance(element, RawDataElement):
        return bytes(element.value), element.is_little_endian or element.VR == "OB"
    if isinstance(element.value, bytes):
        return element.value, True
    several: Any = element.value if isinstance(element.value, Iterable) else [element.value]
    return np.asarray(list(several)).astype("<i8").astype("<u2").tobytes(), True


def _element(header: Dataset, name: str) -> DataElement | RawDataElement | None:
    tag = tag_for_keyword(name)
    assert tag is not None, name
    return header.get_item(tag) if tag in header else None


def _texts(content: bytes) -> list[str]:
    return [text.strip(" \0\t\r\n") for text in content.decode("ascii", "replace").split("\\")]


def _parsed(text: str, repairs: set[str]) -> float:
    """ "1.5", and "1,5", "1,024.5", "1.024,5" and "400 HU", which are repaired; NaN for others."""
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        repairs.add("number")
        plain = plain.replace(" ,", ",").replace(", ", ",")
        if plain.count(",") == 1 and plain.rfind(",") > plain.rfind("."):
            plain = plain.replace(".", "").replace(",", ".")
        else:
            plain = plain.replace(",", "")
        found = _NUMBER.match(plain)
        plain = found.group() if found else "nan"
    number = float(plain)
    return number if np.isfinite(number) else np.nan
