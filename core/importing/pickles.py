"""Reading a pickled DataFrame from a stranger: a pickle machine that calls nothing.

`Machine` follows the pickle, and `ALLOWED` is all that it may name. None of these names is
imported: each stands for a note of ours about plain data (an array, a block of columns, an index),
and the DataFrame is put together afterwards, from notes that were checked. Any other name is
refused before anything is done with it. Bytes and steps are bounded by what is expected.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard, TypeVar

import numpy as np
import pandas as pd

from core.errors import InputError
from core.importing import pickled_texts
from core.importing.machine import Allowed, Machine, Name, Part, Refused
from core.importing.pickled_texts import TextColumn

MOST_COLUMNS = 1000
NEW_BLOCK = Name("pandas.core.internals.blocks", "new_block")
# Floats, integers, booleans, and text or None as objects; nothing structured, nothing else.
DTYPE = re.compile(r"[fiu][1248]|b1|O8?")
PLAIN = (str, float, int, bool, type(None))
Kind = TypeVar("Kind")


@dataclass
class Dtype(Part):
    code: str
    order: Literal["<", ">", "=", "|"] = "="

    def build(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 8 and state[1] in ("<", ">", "=", "|")):
            raise Refused("it holds a data type in a form that is not known")
        if state[2:5] != (None, None, None):
            raise Refused("it holds a structured data type")
        self.order = state[1]

    def numpy(self) -> np.dtype:
        dtype = np.dtype(self.code)
        return dtype if dtype.hasobject or self.order in "=|" else dtype.newbyteorder(self.order)


@dataclass
class Array(Part):
    values: np.ndarray | None = None

    @property
    def n_bytes(self) -> int:
        return 0 if self.values is None else self.values.nbytes

    def build(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[3], bool)):
            raise Refused("it holds an array in a form that is not known")
        _, shape, dtype, fortran, data = state
        self.values = array(data, dtype, shape, "F" if fortran else "C")


@dataclass
class Index:
    values: np.ndarray | range


@dataclass
class Block:
    values: np.ndarray
    columns: list[int]


@dataclass
class BlockOf(Part):
    """pandas 1.3 writes blocks as calls of functools.partial(new_block, ndim=2)."""

    complete: bool = False

    def build(self, state: Any) -> None:
        if not _is(state, tuple, 4) or state[0] != NEW_BLOCK or state[1] != ():
            raise Refused("it names functools.partial of something else than new_block")
        if not _is(state[2], dict) or set(state[2]) != {"ndim"} or state[3] not in (None, {}):
            raise Refused("it names functools.partial with more than ndim")
        _two_dimensional(state[2]["ndim"])
        self.complete = True

    def call(self, *arguments: Any) -> Block:
        if not self.complete or len(arguments) != 2:
            raise Refused("it holds a block of columns in a form that is not known")
        return _block(*arguments, 2)


@dataclass
class Manager(Part):
    blocks: list[Block] | None = None
    axes: list[Index] | None = None

    def build(self, state: Any) -> None:
        """pandas before 1.3: (axes, values, items, {"0.14.1": {"axes": ..., "blocks": ...}})."""
        inner = state[3].get("0.14.1") if _is(state, tuple, 4) and _is(state[3], dict) else None
        if not _is(inner, dict) or not _is(inner.get("blocks"), list):
            raise Refused("it holds a DataFrame in a form that is not known")
        made = []
        for block in inner["blocks"]:
            if not _is(block, dict) or not {"values", "mgr_locs"} <= block.keys():
                raise Refused("it holds a block of columns in a form that is not known")
            made.append(_block(block["values"], block["mgr_locs"], 2))
        self.blocks, self.axes = made, _axes(inner.get("axes"))


@dataclass
class Frame(Part):
    manager: Manager | None = None

    def build(self, state: Any) -> None:
        manager = (state.get("_mgr") or state.get("_data")) if _is(state, dict) else None
        if not isinstance(manager, Manager):
            raise Refused("it holds a DataFrame in a form that is not known")
        self.manager = manager


def _is(value: Any, kind: type[Kind], length: int | None = None) -> TypeGuard[Kind]:
    if type(value) is not kind:
        return False
    return length is None or (isinstance(value, Sized) and len(value) == length)


def array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    """The array whose memory was written down, after checking that all of it is there."""
    if not isinstance(dtype, Dtype) or not _is(shape, tuple) or not 1 <= len(shape) <= 2:
        raise Refused("it holds an array of an unknown data type, or of more than two dimensions")
    if not all(_is(n, int) and 0 <= n < 2**40 for n in shape) or order not in ("C", "F"):
        raise Refused("it holds an array of impossible shape")
    size, kind = math.prod(shape), dtype.numpy()
    if kind.hasobject:
        if not _is(data, list, size) or not all(type(value) in PLAIN for value in data):
            raise Refused("it holds an object array of something else than text and numbers")
        flat = np.empty(size, dtype=object)
        flat[:] = data
    else:
        if not isinstance(data, bytes) or len(data) != size * kind.itemsize:
            raise Refused(f"it holds an array of shape {shape} without the bytes for it")
        flat = np.frombuffer(data, dtype=kind).astype(kind.newbyteorder("="), copy=False)
    return flat.reshape(shape, order="C" if order == "C" else "F")


def _reconstruct(*arguments: Any) -> Array:
    if len(arguments) != 3 or arguments[0] != Name("numpy", "ndarray") or arguments[1] != (0,):
        raise Refused("it reconstructs something else than a plain numpy array")
    return Array()


def _frombuffer(*arguments: Any) -> Array:
    if len(arguments) != 4:
        raise Refused("it holds an array in a form that is not known")
    data, dtype, shape, order = arguments
    return Array(array(data, dtype, shape, order if type(order) is str else ""))


def _dtype(*arguments: Any) -> Dtype:
    code = arguments[0] if len(arguments) == 3 else None
    if not _is(code, str) or not DTYPE.fullmatch(code) or code == "f1":
        raise Refused("it holds data other than numbers, booleans and text")
    return Dtype(code)


def _slice(*arguments: Any) -> slice:
    if len(arguments) != 3 or not all(a is None or _is(a, int) for a in arguments):
        raise Refused("it holds a slice of something else than whole numbers")
    return slice(*arguments)


def _encode(*arguments: Any) -> bytes:
    """How protocol 2 spells bytes."""
    if not (len(arguments) == 2 and _is(arguments[0], str) and arguments[1] == "latin1"):
        raise Refused("it encodes text otherwise than as latin1")
    return arguments[0].encode("latin1")


def _new_index(*arguments: Any) -> Index:
    if len(arguments) != 2 or not _is(arguments[1], dict):
        raise Refused("it holds an index in a form that is not known")
    kind, parts = arguments
    if not isinstance(kind, Name):
        raise Refused("it holds an index in a form that is not known")
    if kind in RANGES:
        bounds = [parts.get(part) for part in ("start", "stop", "step")]
        if not all(_is(n, int) and abs(n) < 2**40 for n in bounds) or bounds[2] == 0:
            raise Refused("it holds an impossible range index")
        return Index(range(*bounds))
    if kind not in INDICES or not isinstance(parts.get("data"), Array | TextColumn):
        raise Refused("it holds an index in a form that is not known")
    return Index(_values(parts["data"], 1))


def _block(*arguments: Any) -> Block:
    if len(arguments) != 3:
        raise Refused("it holds a block of columns in a form that is not known")
    _two_dimensional(arguments[2])
    values, place = _values(arguments[0], 2), arguments[1]
    if type(place) is slice:
        columns = list(range(*place.indices(MOST_COLUMNS)))[: MOST_COLUMNS + 1]
    else:
        places = _values(place, 1)
        if places.dtype.kind not in "iu":
            raise Refused("it numbers its columns otherwise than by whole numbers")
        columns = places.tolist()
    if len(columns) != len(values):
        raise Refused("it holds a block of columns that does not fit its place")
    return Block(values, columns)


def _two_dimensional(ndim: Any) -> None:
    if type(ndim) is not int or ndim != 2:
        raise Refused("it holds a block of columns that is not two-dimensional")


def _partial(*arguments: Any) -> BlockOf:
    if len(arguments) != 1 or arguments[0] != NEW_BLOCK:
        raise Refused("it names functools.partial of something else than new_block")
    return BlockOf()


def _manager(*arguments: Any) -> Manager:
    if not arguments:
        return Manager()
    if len(arguments) != 2 or not _is(arguments[0], tuple):
        raise Refused("it holds a DataFrame in a form that is not known")
    if not all(isinstance(block, Block) for block in arguments[0]):
        raise Refused("it holds something else than blocks of columns")
    return Manager(list(arguments[0]), _axes(arguments[1]))


def _frame(*arguments: Any) -> Frame:
    if arguments:
        raise Refused("it holds a DataFrame in a form that is not known")
    return Frame()


def _axes(axes: Any) -> list[Index]:
    if not _is(axes, list, 2) or not all(isinstance(axis, Index) for axis in axes):
        raise Refused("it holds a DataFrame without two plain axes")
    return axes


def _values(value: Any, dimensions: int) -> np.ndarray:
    if isinstance(value, TextColumn) and value.values is not None:  # of one dimension always
        return value.values if dimensions == 1 else value.values[np.newaxis]
    if not isinstance(value, Array) or value.values is None or value.values.ndim != dimensions:
        raise Refused(f"it lacks an array of {dimensions} dimension(s) where one is needed")
    return value.values


def _only_a_name(*arguments: Any) -> Any:
    raise Refused("it calls something that is only ever named")


# Everything a pickle may name, and what takes its place. pandas 3 writes its DataFrame as
# pandas.DataFrame, and numpy 2 its functions below numpy._core.
ALLOWED: Allowed = {
    Name("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    Name("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    Name("numpy.core.numeric", "_frombuffer"): _frombuffer,
    Name("numpy._core.numeric", "_frombuffer"): _frombuffer,
    Name("numpy", "ndarray"): _only_a_name,
    Name("numpy", "dtype"): _dtype,
    Name("builtins", "slice"): _slice,
    Name("__builtin__", "slice"): _slice,
    Name("_codecs", "encode"): _encode,
    Name("pandas.core.frame", "DataFrame"): _frame,
    Name("pandas", "DataFrame"): _frame,
    Name("pandas.core.internals.managers", "BlockManager"): _manager,
    Name("pandas._libs.internals", "_unpickle_block"): _block,
    NEW_BLOCK: _block,
    Name("functools", "partial"): _partial,
    Name("pandas.core.indexes.base", "_new_Index"): _new_index,
    Name("pandas.core.indexes.base", "Index"): _only_a_name,
    Name("pandas", "Index"): _only_a_name,
    Name("pandas.core.indexes.range", "RangeIndex"): _only_a_name,
    Name("pandas", "RangeIndex"): _only_a_name,
    Name("pandas.core.indexes.numeric", "Int64Index"): _only_a_name,
    Name("pandas.core.indexes.numeric", "UInt64Index"): _only_a_name,
    Name("pandas.core.indexes.numeric", "Float64Index"): _only_a_name,
    **pickled_texts.ALLOWED,
}
RANGES = {Name("pandas.core.indexes.range", "RangeIndex"), Name("pandas", "RangeIndex")}
INDICES = {name for name in ALLOWED if name.name.endswith("Index")} - RANGES
# What pandas creates without arguments, to fill it afterwards.
CREATED = frozenset(name for name, call in ALLOWED.items() if call in (_frame, _manager))
CREATED |= pickled_texts.CREATED.keys()


def read_pickled_frame(path: Path, n_rows: int, n_columns: int) -> pd.DataFrame:
    """The DataFrame in a pickle of about `n_rows` rows and `n_columns` columns; nothing runs.

    The row index is left out. Raises InputError that says what in the file is refused: a name
    that is not allowed, something else than a DataFrame of numbers and text, a damaged file, or
    one far larger than the expected table.
    """
    most_bytes = 2**20 + n_rows * (16 * (n_columns + 8) + 1024)
    size = path.stat().st_size
    if size > most_bytes:
        raise InputError(
            f"{path} has {size:,} bytes, far more than {n_rows:,} images of {n_columns} classes "
            f"take (at most {most_bytes:,}); it is not read."
        )
    try:
        return _assembled(Machine(path.read_bytes(), 20_000 + 16 * n_rows, ALLOWED, CREATED).run())
    except Refused as error:
        raise InputError(f"{path} is refused: {error}.") from error
    except (IndexError, KeyError, TypeError, ValueError, struct.error, OverflowError) as error:
        raise InputError(f"{path} is not a whole pickle: {type(error).__name__}.") from error


def _assembled(top: Any) -> pd.DataFrame:
    manager = top.manager if isinstance(top, Frame) else None
    if manager is None or manager.blocks is None or manager.axes is None:
        raise Refused("it holds something else than a DataFrame")
    named, n_rows = manager.axes[0].values, len(manager.axes[1].values)
    # A range of columns is refused before it could unfold.
    if isinstance(named, range) or len(named) > MOST_COLUMNS:
        raise Refused(f"its columns are not named by text, or are more than {MOST_COLUMNS}")
    names = list(named)
    if not all(type(name) is str for name in names):
        raise Refused("its columns are not all named by text")
    if len(set(names)) < len(names):
        raise Refused("a column name occurs twice")
    columns: dict[str, np.ndarray] = {}
    for block in manager.blocks:
        for column, values in zip(block.columns, block.values, strict=True):
            if not 0 <= column < len(names) or names[column] in columns or len(values) != n_rows:
                raise Refused("its columns do not fit their names and rows")
            columns[names[column]] = values
    missing = [name for name in names if name not in columns]
    if missing:
        raise Refused(f"the column {missing[0]!r} has no values")
    return pd.DataFrame({name: columns[name] for name in names})
