"""Columns of text as pandas 3 pickles them: Arrow buffers, read here byte by byte.

Neither pandas nor pyarrow is called. Layout: Apache Arrow columnar format, variable-size binary:
a bitmap of what is there, offsets, and the UTF-8 bytes of all values one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from core.importing.machine import Allowed, Name, Part, Refused

OFFSETS = {"string": "<i4", "utf8": "<i4", "large_string": "<i8", "large_utf8": "<i8"}
MOST_BYTES = 2**28
NA = Name("pandas", "NA")
UNKNOWN = "it holds a column of text in a form that is not known"


@dataclass(frozen=True)
class ArrowType:
    offsets: str


@dataclass(frozen=True)
class Buffer:
    data: bytes

    @property
    def n_bytes(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Texts:
    """(n,) of text or None."""

    values: np.ndarray
    n_bytes: int


@dataclass(frozen=True)
class TextDtype:
    """That a column is text, which its values say too."""


@dataclass
class TextColumn(Part):
    values: np.ndarray | None = None

    def build(self, state: Any) -> None:
        texts = state.get("_pa_array") if type(state) is dict else None
        if not isinstance(texts, Texts) or not isinstance(state.get("_dtype"), TextDtype):
            raise Refused(UNKNOWN)
        self.values = texts.values


def _type(*arguments: Any) -> ArrowType:
    if len(arguments) != 1 or type(arguments[0]) is not str or arguments[0] not in OFFSETS:
        raise Refused("it holds Arrow data other than text")
    return ArrowType(OFFSETS[arguments[0]])


def _bytes(*arguments: Any) -> bytes:
    """How protocol 4 spells the bytes of a buffer."""
    if len(arguments) > 1 or not all(type(one) is bytes for one in arguments):
        raise Refused("it makes bytes of something else than bytes")
    return b"".join(arguments)


def _buffer(*arguments: Any) -> Buffer:
    if len(arguments) != 1 or type(arguments[0]) is not bytes:
        raise Refused(UNKNOWN)
    return Buffer(arguments[0])


def _array(*arguments: Any) -> Texts:
    parts = arguments[0] if len(arguments) == 1 else None
    if type(parts) is not tuple or len(parts) != 7:
        raise Refused(UNKNOWN)
    kind, length, _, start, buffers, children, dictionary = parts
    if not isinstance(kind, ArrowType) or children != [] or dictionary is not None:
        raise Refused(UNKNOWN)
    if not all(type(n) is int and 0 <= n < 2**40 for n in (length, start)):
        raise Refused("it holds a column of text of impossible length")
    if type(buffers) is not list or len(buffers) != 3:
        raise Refused(UNKNOWN)
    there, offsets, data = buffers
    if not isinstance(offsets, Buffer) or not isinstance(data, Buffer | None):
        raise Refused(UNKNOWN)
    if not isinstance(there, Buffer | None):
        raise Refused(UNKNOWN)
    return _decoded(
        start, length, there.data if there else None, offsets.data, data.data if data else b"", kind
    )


def _decoded(
    start: int, length: int, there: bytes | None, offsets: bytes, data: bytes, kind: ArrowType
) -> Texts:
    size = np.dtype(kind.offsets).itemsize
    if len(offsets) < (start + length + 1) * size and length:
        raise Refused("it holds a column of text without the bytes for it")
    if there is not None and 8 * len(there) < start + length:
        raise Refused("it holds a column of text without the bytes for it")
    ends = np.frombuffer(offsets, kind.offsets)[start : start + length + 1].tolist()
    falls = any(one > other for one, other in pairwise(ends))
    if falls or (ends and not 0 <= ends[0] <= ends[-1] <= len(data)):
        raise Refused("it holds a column of text whose values lie outside of it")
    values = np.full(length, None, dtype=object)
    for row in range(length):
        at = start + row
        if there is None or there[at // 8] >> at % 8 & 1:
            values[row] = data[ends[row] : ends[row + 1]].decode("utf-8")
    return Texts(values, 32 * length + len(data))


def _chunks(*arguments: Any) -> Texts:
    chunks = arguments[0] if 1 <= len(arguments) <= 2 else None
    if type(chunks) is not list or not all(isinstance(one, Texts) for one in chunks):
        raise Refused(UNKNOWN)
    if len(arguments) == 2 and not isinstance(arguments[1], ArrowType | None):
        raise Refused(UNKNOWN)
    n_bytes = sum(one.n_bytes for one in chunks)
    # Before they are put together: a few bytes can name one chunk a thousand times.
    if n_bytes > MOST_BYTES:
        raise Refused("it holds a column of text far longer than the expected table")
    values = [one.values for one in chunks] or [np.empty(0, dtype=object)]
    return Texts(np.concatenate(values), n_bytes)


def _dtype(*arguments: Any) -> TextDtype:
    plain = [type(one) in (str, float, type(None)) or one == NA for one in arguments]
    if len(plain) > 2 or not all(plain):
        raise Refused(UNKNOWN)
    return TextDtype()


def _only_a_name(*arguments: Any) -> Any:
    raise Refused("it calls something that is only ever named")


def _column(*arguments: Any) -> TextColumn:
    if arguments:
        raise Refused(UNKNOWN)
    return TextColumn()


CREATED: Allowed = {
    Name("pandas.arrays", "ArrowStringArray"): _column,
    Name("pandas.core.arrays.string_arrow", "ArrowStringArray"): _column,
}
ALLOWED: Allowed = CREATED | {
    NA: _only_a_name,
    Name("builtins", "bytearray"): _bytes,
    Name("__builtin__", "bytearray"): _bytes,
    Name("pandas", "StringDtype"): _dtype,
    Name("pandas.core.arrays.string_", "StringDtype"): _dtype,
    Name("pyarrow.lib", "type_for_alias"): _type,
    Name("pyarrow.lib", "py_buffer"): _buffer,
    Name("pyarrow.lib", "_restore_array"): _array,
    Name("pyarrow.lib", "chunked_array"): _chunks,
}
