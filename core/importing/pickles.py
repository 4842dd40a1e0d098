"""Reading a pickled DataFrame from a stranger: a pickle machine that calls nothing.

A pickle is a program. Python's own unpickler runs it, so whoever wrote the file chooses what is
called; this one only takes notes. It knows the opcodes that pandas 1.x and 2.x write (protocols 2
to 5), and the handful of names in `ALLOWED`. None of these names is imported: each stands for a
note of ours about plain data (an array, a block of columns, an index), and the DataFrame is put
together afterwards, from notes that were checked. Any other name is refused before anything is
done with it. Numbers of bytes and of steps are bounded by what the caller expects to find.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError

MOST_COLUMNS = 1000
# Floats, integers, booleans, and text or None as objects; nothing structured, nothing else.
DTYPE = re.compile(r"[fiu][1248]|b1|O8?")
PLAIN = (str, float, int, bool, type(None))


class Refused(ValueError):
    """Why a pickle is not a DataFrame that this reader takes; the file's name is added later."""


@dataclass(frozen=True)
class Name:
    """An allowed global: only a name, with what stands in for calling it and for creating it."""

    module: str
    name: str


@dataclass
class Dtype:
    code: str
    order: str = "="

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
class Array:
    values: np.ndarray | None = None

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
class Manager:
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
class Frame:
    manager: Manager | None = None

    def build(self, state: Any) -> None:
        manager = (state.get("_mgr") or state.get("_data")) if _is(state, dict) else None
        if not isinstance(manager, Manager):
            raise Refused("it holds a DataFrame in a form that is not known")
        self.manager = manager


def _is(value: Any, kind: type, length: int | None = None) -> bool:
    return type(value) is kind and (length is None or len(value) == length)


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
        flat = np.frombuffer(data, dtype=kind)
    return flat.reshape(shape, order=order)


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
    if kind in RANGES:
        bounds = [parts.get(part) for part in ("start", "stop", "step")]
        if not all(_is(n, int) and abs(n) < 2**40 for n in bounds) or bounds[2] == 0:
            raise Refused("it holds an impossible range index")
        return Index(range(*bounds))
    if kind not in INDICES or not isinstance(parts.get("data"), Array):
        raise Refused("it holds an index in a form that is not known")
    return Index(_values(parts["data"], 1))


def _block(*arguments: Any) -> Block:
    if len(arguments) != 3 or arguments[2] != 2:
        raise Refused("it holds a block of columns in a form that is not known")
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
    if not isinstance(value, Array) or value.values is None or value.values.ndim != dimensions:
        raise Refused(f"it lacks an array of {dimensions} dimension(s) where one is needed")
    return value.values


def _only_a_name(*arguments: Any) -> Any:
    raise Refused("it calls something that is only ever named")


# Everything a pickle may name, and what takes its place. pandas 3 writes its DataFrame as
# pandas.DataFrame, and numpy 2 its functions below numpy._core.
ALLOWED: dict[Name, Callable[..., Any]] = {
    **{
        Name(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")
    },
    **{Name(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    Name("numpy", "ndarray"): _only_a_name,
    Name("numpy", "dtype"): _dtype,
    Name("builtins", "slice"): _slice,
    Name("__builtin__", "slice"): _slice,
    Name("_codecs", "encode"): _encode,
    Name("pandas.core.frame", "DataFrame"): _frame,
    Name("pandas.core.internals.managers", "BlockManager"): _manager,
    Name("pandas._libs.internals", "_unpickle_block"): _block,
    Name("pandas.core.internals.blocks", "new_block"): _block,
    Name("pandas.core.indexes.base", "_new_Index"): _new_index,
    Name("pandas.core.indexes.base", "Index"): _only_a_name,
    Name("pandas.core.indexes.range", "RangeIndex"): _only_a_name,
    Name("pandas.core.indexes.numeric", "Int64Index"): _only_a_name,
    Name("pandas.core.indexes.numeric", "UInt64Index"): _only_a_name,
    Name("pandas.core.indexes.numeric", "Float64Index"): _only_a_name,
}
RANGES = {Name("pandas.core.indexes.range", "RangeIndex")}
INDICES = {name for name in ALLOWED if name.name.endswith("Index")} - RANGES
CREATED = (_frame, _manager)  # those that pandas creates without arguments, to fill them later


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
        return _assembled(Machine(path.read_bytes(), 20_000 + 16 * n_rows).run())
    except Refused as error:
        raise InputError(f"{path} is refused: {error}.") from error
    except (IndexError, KeyError, TypeError, ValueError, struct.error, OverflowError) as error:
        raise InputError(f"{path} is not a whole pickle: {type(error).__name__}.") from error


def _assembled(top: Any) -> pd.DataFrame:
    manager = top.manager if isinstance(top, Frame) else None
    if manager is None or manager.blocks is None or manager.axes is None:
        raise Refused("it holds something else than a DataFrame")
    names, n_rows = list(manager.axes[0].values), len(manager.axes[1].values)
    if len(names) > MOST_COLUMNS or not all(type(name) is str for name in names):
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


class Machine:
    """The stack machine of a pickle, over bytes in memory. It builds notes, and calls none but
    the functions in ALLOWED."""

    def __init__(self, data: bytes, most_steps: int) -> None:
        self._data, self._at, self._most_steps = data, 0, most_steps
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(self._most_steps):
            code = self._take(1)
            if code == pickle.STOP:
                return self._stack.pop()
            if code not in STEPS:
                raise Refused(f"the opcode {code!r} is not one that pandas writes")
            STEPS[code](self)
        raise Refused("it has far more parts than the expected table")

    def _take(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise Refused("it ends too early")
        self._at += n
        return self._data[self._at - n : self._at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at)
        return self._take(end - self._at + 1)[:-1].decode("utf-8")

    def _marked(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _tuple(self, n: int) -> None:
        if len(self._stack) < n:
            raise Refused("it takes more than it has put down")
        self._stack[-n:] = [tuple(self._stack[-n:])]

    def _put(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("it names something by other than text")
        wanted = Name(module, name)
        if wanted not in ALLOWED:
            raise Refused(
                f"it names {module[:80]}.{name[:80]}, which is not among the pandas and numpy data "
                "that may be read; nothing of it was run. If the file is your own, save the table "
                "as Parquet or CSV"
            )
        self._push(wanted)

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def _reduce(self, *, create: bool) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, Name) or type(arguments) is not tuple:
            raise Refused("it calls something that is not a name")
        if create and ALLOWED[called] not in CREATED:
            raise Refused(f"it creates a {called.name} in a form that is not known")
        self._push(ALLOWED[called](*arguments))

    def _build(self) -> None:
        state, made = self._stack.pop(), self._stack[-1]
        if not isinstance(made, Dtype | Array | Manager | Frame):
            raise Refused("it changes something that is not a table's part")
        made.build(state)

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise Refused("it appends to something that is not a list")
        self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if type(self._stack[-1]) is not dict or not all(type(key) is str for key in keys):
            raise Refused("it fills something that is not a dictionary with keys of text")
        self._stack[-1].update(zip(keys, values, strict=True))

    def _long(self) -> None:
        self._push(int.from_bytes(self._take(self._number("<B")), "little", signed=True))


def _data(form: str, read: Callable[[bytes], Any]) -> Callable[[Machine], None]:
    return lambda m: m._push(read(m._take(m._number(form))))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


STEPS: dict[bytes, Callable[[Machine], None]] = {
    pickle.PROTO: lambda m: m._take(1),
    pickle.FRAME: lambda m: m._take(8),
    pickle.MARK: Machine._mark,
    pickle.NONE: lambda m: m._push(None),
    pickle.NEWTRUE: lambda m: m._push(True),
    pickle.NEWFALSE: lambda m: m._push(False),
    pickle.BININT: lambda m: m._push(m._number("<i")),
    pickle.BININT1: lambda m: m._push(m._number("<B")),
    pickle.BININT2: lambda m: m._push(m._number("<H")),
    pickle.LONG1: Machine._long,
    pickle.BINFLOAT: lambda m: m._push(m._number(">d")),
    pickle.SHORT_BINUNICODE: _data("<B", _text),
    pickle.BINUNICODE: _data("<I", _text),
    pickle.BINUNICODE8: _data("<Q", _text),
    pickle.SHORT_BINBYTES: _data("<B", bytes),
    pickle.BINBYTES: _data("<I", bytes),
    pickle.BINBYTES8: _data("<Q", bytes),
    pickle.BYTEARRAY8: _data("<Q", bytes),
    pickle.EMPTY_TUPLE: lambda m: m._push(()),
    pickle.EMPTY_LIST: lambda m: m._push([]),
    pickle.EMPTY_DICT: lambda m: m._push({}),
    pickle.TUPLE1: lambda m: m._tuple(1),
    pickle.TUPLE2: lambda m: m._tuple(2),
    pickle.TUPLE3: lambda m: m._tuple(3),
    pickle.TUPLE: lambda m: m._push(tuple(m._marked())),
    pickle.APPEND: lambda m: m._append([m._stack.pop()]),
    pickle.APPENDS: lambda m: m._append(m._marked()),
    pickle.SETITEM: lambda m: m._set_items([m._stack.pop(-2), m._stack.pop()]),
    pickle.SETITEMS: lambda m: m._set_items(m._marked()),
    pickle.MEMOIZE: lambda m: m._put(len(m._memo)),
    pickle.BINPUT: lambda m: m._put(m._number("<B")),
    pickle.LONG_BINPUT: lambda m: m._put(m._number("<I")),
    pickle.BINGET: lambda m: m._push(m._memo[m._number("<B")]),
    pickle.LONG_BINGET: lambda m: m._push(m._memo[m._number("<I")]),
    pickle.GLOBAL: lambda m: m._name(m._line(), m._line()),
    pickle.STACK_GLOBAL: Machine._stack_global,
    pickle.REDUCE: lambda m: m._reduce(create=False),
    pickle.NEWOBJ: lambda m: m._reduce(create=True),
    pickle.BUILD: Machine._build,
}
