"""The process that reads pickled tables: `python -m core.importing.pickle_child`.

A pickle is a program, so whoever wrote the file chooses what is called. Here `find_class` hands out
nothing but notes: a note keeps what it is called with and filled with, and does nothing. The names
in ALLOWED have one, any other is refused. What the notes say is compared afterwards with the forms
that pandas has written since 1.0, and only plain data is taken from them: numbers, and text. Beside
DataFrames, it takes arrays and lists of rows, and columns or rows by name.

What a small file can still take is time and memory, which `core.processes` limits. A question is
the pickle, an answer the table as an Arrow stream. One without names of columns says BARE.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa

from core.processes.serving import serve

MOST_COLUMNS = 1000
INDEX = "index"
BARE = {"bare": "yes"}  # in the notes of a table whose columns are only counted
# Floats, integers, booleans, and text or None as objects; nothing structured, nothing else.
DTYPE = re.compile(r"f[248]|[iu][1248]|b1|O8?")
PLAIN = (str, float, int, bool, type(None))
ARROW = {name: pa.string() for name in ("string", "utf8")}
ARROW |= {name: pa.large_string() for name in ("large_string", "large_utf8")}

# All that a pickle may name. pandas 3 writes its DataFrame as pandas.DataFrame and text as Arrow's
# buffers, pandas 1.3 calls functools.partial(new_block, ndim=2); numpy 2 names numpy._core.
ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("builtins", "slice"),
    ("__builtin__", "slice"),
    ("builtins", "bytearray"),
    ("__builtin__", "bytearray"),
    ("_codecs", "encode"),
    ("functools", "partial"),
    ("pandas", "DataFrame"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.internals.blocks", "new_block"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas", "Index"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.indexes.numeric", "Int64Index"),
    ("pandas.core.indexes.numeric", "UInt64Index"),
    ("pandas.core.indexes.numeric", "Float64Index"),
    ("pandas", "NA"),
    ("pandas", "StringDtype"),
    ("pandas.core.arrays.string_", "StringDtype"),
    ("pandas.arrays", "ArrowStringArray"),
    ("pandas.core.arrays.string_arrow", "ArrowStringArray"),
    ("pyarrow.lib", "type_for_alias"),
    ("pyarrow.lib", "py_buffer"),
    ("pyarrow.lib", "_restore_array"),
    ("pyarrow.lib", "chunked_array"),
}


class Refused(ValueError):  # noqa: N818
    """Why a pickle is not read; the file's name is added where it is known."""


class Note:
    """That a name was called with `given`, and the result filled with `state`.

    It takes what is to fill it by a method of its own: otherwise the unpickler would set whatever
    attributes the file names.
    """

    __slots__ = ("given", "state")
    __match_args__ = ("name", "given", "state")
    given: tuple[Any, ...]
    state: Any

    def __new__(cls, *given: Any) -> Self:
        note = object.__new__(cls)
        note.given, note.state = given, None
        return note

    def __setstate__(self, state: Any) -> None:
        if self.name not in FILLED or self.state is not None:
            raise Refused("it fills something that takes no contents")
        self.state = state

    def __call__(self, *given: Any) -> Note:
        return CALL(self, *given)

    @property
    def name(self) -> str:
        return type(self).__name__


CALL: type[Note] = type("call", (Note,), {"__slots__": ()})  # of a note, as of a functools.partial
NOTES: dict[str, type[Note]] = {name: type(name, (Note,), {"__slots__": ()}) for _, name in ALLOWED}
# Whose results pickles fill afterwards.
FILLED = {"DataFrame", "BlockManager", "ArrowStringArray", "_reconstruct", "dtype", "partial"}
NDARRAY, NEW_BLOCK = NOTES["ndarray"], NOTES["new_block"]
INDICES = {NOTES[name] for name in ("Index", "Int64Index", "UInt64Index", "Float64Index")}


class Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[Note]:
        if (module, name) not in ALLOWED:
            raise Refused(
                f"it names {module[:80]}.{name[:80]}, which is not among the pandas and numpy data "
                "that may be read; nothing of it was run. If the file is your own, save the table "
                "as Parquet or CSV"
            )
        return NOTES[name]


def answer(pickled: bytes) -> list[bytes]:
    """The table in a pickle as an Arrow stream; of its row index only names. Raises Refused."""
    try:
        table = _table(Unpickler(io.BytesIO(pickled)).load())
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return [stream.getvalue()]
    except Refused:
        raise
    except MemoryError as error:
        raise Refused("it unfolds to far more bytes than it has") from error
    except Exception as error:
        reason = str(error).partition("\n")[0][:100].rstrip(".") or type(error).__name__
        raise Refused(f"it is damaged, or no pickle ({reason})") from error


def _table(held: Any) -> pa.Table:
    match held:
        case Note("DataFrame", (), {"_mgr": manager} | {"_data": manager}):
            return _frame(manager)
        case Note("_reconstruct" | "_frombuffer"):
            return _bare(_array(held, 2))
        case [dict(), *_] if type(held) is list:
            return _named(_by_column(held))
        case [list() | tuple(), *_] if type(held) is list:
            widths = {len(row) if type(row) in (list, tuple) else -1 for row in held}
            if len(widths) == 1 and widths <= set(range(1, MOST_COLUMNS + 1)):
                return _bare(np.array([_listed(row) for row in held]))
        case dict():
            return _named(held)
    raise Refused("it holds something else than a DataFrame, an array or columns by name")


def _bare(values: np.ndarray) -> pa.Table:
    if values.dtype.kind not in "fiub" or values.ndim != 2 or values.shape[1] > MOST_COLUMNS:
        raise Refused("it holds an array of something else than rows of numbers")
    columns = {str(at): np.ascontiguousarray(column) for at, column in enumerate(values.T)}
    return pa.table(columns).replace_schema_metadata(BARE)


def _by_column(rows: list[Any]) -> dict[str, list[Any]]:
    names = list(rows[0])
    if len(names) > MOST_COLUMNS or not all(type(r) is dict and list(r) == names for r in rows):
        raise Refused("its rows are not all named alike")
    return {name: [row[name] for row in rows] for name in names}


def _named(held: dict[Any, Any]) -> pa.Table:
    if not held or len(held) > MOST_COLUMNS or not all(type(name) is str for name in held):
        raise Refused(f"its columns are not all named by text, or are more than {MOST_COLUMNS}")
    columns = {
        name: _array(values, 1) if isinstance(values, Note) else _listed(values)
        for name, values in held.items()
    }
    if len({len(values) for values in columns.values()}) != 1:
        raise Refused("its columns are not equally long")
    return pa.table({name: _column(values) for name, values in columns.items()})


def _listed(values: Any) -> np.ndarray:
    """A list of numbers, or of text."""
    if type(values) not in (list, tuple):
        raise Refused("it holds something else than columns of numbers or text")
    plain = [_scalar(value) for value in values]
    if all(type(value) in (int, float, bool) for value in plain):
        return np.array(plain, dtype=float)
    found = np.empty(len(plain), dtype=object)
    found[:] = plain
    return found


def _scalar(value: Any) -> Any:
    match value:
        case Note("scalar", (dtype, data), None):
            kind = _dtype(dtype)
            if not kind.hasobject and len(held := _bytes(data)) == kind.itemsize:
                return np.frombuffer(held, kind)[0].item()
        case _ if type(value) in PLAIN:
            return value
    raise Refused("it holds a value that is neither number nor text")


def _frame(manager: Any) -> pa.Table:
    match manager:
        case Note("BlockManager", (tuple(blocks), [named, rows]), None):
            pass
        # Before pandas 1.3.
        case Note(
            "BlockManager",
            (),
            (_, _, _, {"0.14.1": {"axes": [named, rows], "blocks": list(blocks)}}),
        ):
            pass
        case _:
            raise Refused("it holds a DataFrame in a form that is not known")
    rows_named, index = _index(rows), _index(named)
    n_rows = len(rows_named)
    # A range of columns is refused before it could unfold.
    if isinstance(index, range) or len(index) > MOST_COLUMNS:
        raise Refused(f"its columns are not named by text, or are more than {MOST_COLUMNS}")
    names = list(index)
    if not all(type(name) is str for name in names):
        raise Refused("its columns are not all named by text")
    if len(set(names)) < len(names):
        raise Refused("a column name occurs twice")
    columns: dict[str, pa.Array] = {}
    for block in blocks:
        for column, values in _columns(block):
            if not 0 <= column < len(names) or names[column] in columns or len(values) != n_rows:
                raise Refused("its columns do not fit their names and rows")
            columns[names[column]] = _column(values)
    missing = [name for name in names if name not in columns]
    if missing:
        raise Refused(f"the column {missing[0]!r} has no values")
    table = pa.table({name: columns[name] for name in names})
    # Text there is what images are called; numbers only count rows.
    if isinstance(rows_named, np.ndarray) and rows_named.dtype.hasobject and INDEX not in names:
        table = table.append_column(INDEX, _column(rows_named))
    return table


def _column(values: np.ndarray) -> pa.Array:
    if not values.dtype.hasobject:
        return pa.array(values)
    # Of what is missing, NaN is the only one that differs from itself.
    return pa.array(
        [None if one is None or one != one else str(one) for one in values], pa.large_string()
    )


def _index(index: Any) -> np.ndarray | range:
    match index:
        case Note(
            "_new_Index", (kind, {"start": int(start), "stop": int(stop), "step": int(step)})
        ) if kind is NOTES["RangeIndex"]:
            return range(start, stop, step)
        case Note("_new_Index", (kind, {"data": data})) if kind in INDICES:
            return _array(data, 1)
    raise Refused("it holds an index in a form that is not known")


def _columns(block: Any) -> list[tuple[int, np.ndarray]]:
    """The columns of a block, each with its place in the table."""
    match block:
        case Note("_unpickle_block" | "new_block", (values, place, 2)):
            pass
        case Note("call", (Note("partial", called, (new, (), {"ndim": 2, **more}, _)), *given)) if (
            called == (NEW_BLOCK,) and new is NEW_BLOCK and not more and len(given) == 2
        ):
            values, place = given
        case {"values": values, "mgr_locs": place}:  # before pandas 1.3
            pass
        case _:
            raise Refused("it holds a block of columns in a form that is not known")
    rows = _array(values, 2)
    match place:
        case Note("slice", (_, _, _) as bounds):
            columns: Any = range(*slice(*bounds).indices(MOST_COLUMNS))
        case _:
            columns = _array(place, 1)
            if columns.dtype.kind not in "iu":
                raise Refused("it numbers its columns otherwise than by whole numbers")
    if len(columns) != len(rows):
        raise Refused("it holds a block of columns that does not fit its place")
    return [(int(column), row) for column, row in zip(columns, rows, strict=True)]


def _array(array: Any, dimensions: int) -> np.ndarray:
    """The array whose memory was written down, after checking that all of it is there."""
    order: Literal["C", "F"]
    match array:
        case Note("ArrowStringArray", (), {"_pa_array": texts, "_dtype": Note("StringDtype")}):
            found = _texts(texts).to_numpy(zero_copy_only=False)
            return found if dimensions == 1 else found[np.newaxis]
        case Note("_reconstruct", (kind, (0,), _), (_, shape, dtype, bool(fortran), data)) if (
            kind is NDARRAY
        ):
            order = "F" if fortran else "C"
        case Note("_frombuffer", (data, dtype, shape, "C" | "F" as order)):
            pass
        case _:
            raise Refused("it holds an array in a form that is not known")
    if type(shape) is not tuple or len(shape) != dimensions:
        raise Refused(f"it lacks an array of {dimensions} dimension(s) where one is needed")
    if not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise Refused("it holds an array of impossible shape")
    size, kind = math.prod(shape), _dtype(dtype)
    if kind.hasobject:
        if type(data) is not list or len(data) != size or not all(type(v) in PLAIN for v in data):
            raise Refused("it holds an object array of something else than text and numbers")
        flat = np.empty(size, dtype=object)
        flat[:] = data
    else:
        if len(held := _bytes(data)) != size * kind.itemsize:
            raise Refused(f"it holds an array of shape {shape} without the bytes for it")
        flat = np.frombuffer(held, dtype=kind).astype(kind.newbyteorder("="), copy=False)
    return flat.reshape(shape, order=order)


def _dtype(dtype: Any) -> np.dtype:
    match dtype:
        case Note(
            "dtype",
            (str(code), _, _),
            (_, "<" | ">" | "=" | "|" as order, None, None, None, _, _, _),
        ) if DTYPE.fullmatch(code):
            kind = np.dtype(code)
            return kind if kind.hasobject or order in "=|" else kind.newbyteorder(order)
    raise Refused("it holds data other than numbers, booleans and text")


def _bytes(data: Any) -> bytes | bytearray:
    match data:
        case bytes() | bytearray():
            return data
        case Note("encode", (str(text), "latin1")):  # how protocol 2 spells bytes
            return text.encode("latin1")
        case Note("bytearray", ()):  # how protocol 4 spells the bytes of a buffer
            return b""
        case Note("bytearray", (bytes() | Note("encode") as held,)):
            return _bytes(held)
    raise Refused("it holds an array or text without the bytes for it")


def _texts(texts: Any) -> pa.ChunkedArray | pa.Array:
    """Text as pandas 3 writes it: Arrow's buffers, all of which Arrow checks."""
    match texts:
        case Note("chunked_array", (list(chunks), *_)):
            return pa.chunked_array([_texts(chunk) for chunk in chunks], pa.large_string())
        case Note("_restore_array", ((Note("type_for_alias", (str(alias),)), *layout),)) if (
            alias in ARROW
        ):
            length, _, start, held, children, dictionary = layout
            if children or dictionary is not None:
                raise Refused("it holds a column of text in a form that is not known")
            buffers = [_buffer(part) for part in held]
            try:
                found = pa.Array.from_buffers(ARROW[alias], length, buffers, offset=start)
                found.validate(full=True)
            except pa.ArrowInvalid as error:
                reason = str(error).partition("\n")[0]
                raise Refused(f"it holds a damaged column of text ({reason})") from error
            return found.cast(pa.large_string())
    raise Refused("it holds a column of text in a form that is not known")


def _buffer(buffer: Any) -> pa.Buffer | None:
    match buffer:
        case None:
            return None
        case Note("py_buffer", (data,)):
            return pa.py_buffer(_bytes(data))
    raise Refused("it holds a column of text in a form that is not known")


if __name__ == "__main__":
    pa.array(np.zeros(1))  # has Arrow import what it imports late
    serve(answer)
