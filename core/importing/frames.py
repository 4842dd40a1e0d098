"""A prediction file as a table, before anybody asks whether it fits: nothing in it is run.

Columns have the names of the file, without blanks around them. Those of a bare array, which names
nothing, are numbered: 0, 1, ...
"""

from __future__ import annotations

import csv
import lzma
import zipfile
from collections.abc import Collection, Iterable
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.datasets.columns import IMAGES, folded, known_column
from core.datasets.rows import dialect, refuse_long_rows
from core.datasets.tables import DAMAGE
from core.errors import InputError
from core.importing.pickles import read_pickled_frame

LONGEST_TEXT = 4096  # bytes of an image id or of the labels of one image
IMAGE_COLUMNS = ("image_id", "id", "path")
LABEL = "label"
CLASS_LISTS = ("classes", "classnames", "labels", "labelnames", "columns")
DECIMAL_COMMA = r"\s*-?\d*,\d+(?:[eE][+-]?\d+)?\s*"


def read_frame(path: Path, n_rows: int, class_names: Collection[str]) -> pd.DataFrame:
    """The table in a file that should hold `n_rows` images of these classes; other columns may be
    left out, but are in `attrs["names"]`.

    Raises InputError that names the file, where it is damaged or far larger than such a table.
    """
    ending = path.suffix.lower()
    most_bytes = 2**20 + n_rows * (64 * (len(class_names) + 9) + 1024)
    if path.stat().st_size > most_bytes:
        raise InputError(
            f"{path} has {path.stat().st_size:,} bytes, far more than {n_rows:,} images take (at "
            f"most {most_bytes:,}); it is not read."
        )
    try:
        if ending in (".pkl", ".pickle"):
            frame = read_pickled_frame(path, n_rows, len(class_names))
        elif ending == ".npy":
            frame = _of_array(_array(path.read_bytes()), path)
        elif ending == ".npz":
            frame = _of_arrays(_arrays(path, most_bytes), path)
        elif ending == ".parquet":
            frame = _parquet(path, n_rows, class_names)
        else:
            frame = _csv(path, class_names)
    except InputError:
        raise
    except (*DAMAGE, csv.Error, zipfile.BadZipFile, lzma.LZMAError, RuntimeError) as error:
        kind = "array of numbers" if ending in (".npy", ".npz") else "CSV or Parquet table"
        reason = str(error).rstrip(".") or type(error).__name__
        raise InputError(f"{path} is not a readable {kind}: {reason}.") from error
    if not is_bare(frame):
        _refuse_twice(frame.columns, path)
    return frame


def is_bare(frame: pd.DataFrame) -> bool:
    """Whether its columns have numbers in place of names."""
    return isinstance(frame.columns, pd.RangeIndex)


def image_column(
    names: Iterable[str],
    preferred: Iterable[str] = IMAGE_COLUMNS,
    class_names: Collection[str] = (),
) -> str | None:
    """The column that names images: the first of `preferred`, else one of a known name."""
    others = [name for name in names if name not in class_names]
    return next((name for name in preferred if name in others), known_column(others, IMAGES))


def _refuse_twice(names: pd.Index, path: Path) -> None:
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        raise InputError(f"{path} has the column {twice!r} twice. Keep one of them.")


def _wanted(names: Iterable[str], class_names: Collection[str]) -> set[str]:
    """What of a table is read: a class, the labels, whatever may name images."""
    keys = {LABEL, *IMAGE_COLUMNS}
    return {n for n in names if n in class_names or n in keys or folded(n) in IMAGES}


# Arrays


def _array(written: bytes) -> np.ndarray:
    """A .npy file. Raises ValueError for Python objects, which would have to be run, and for a
    shape that the file lacks the bytes for."""
    file = BytesIO(written)
    major, _ = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if major == 1 else (
        np.lib.format.read_array_header_2_0
    )  # fmt: skip
    try:
        shape, fortran, dtype = reader(file)
    except (SyntaxError, TokenError, MemoryError) as error:  # numpy's, of a line of Python
        raise ValueError("its first line is damaged") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects; save it as numbers, array.astype(float)")
    held = memoryview(written)[file.tell() :]
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size != len(held):
        raise ValueError(f"it holds {len(held):,} bytes for an array of shape {shape}")
    values = np.frombuffer(held, dtype).astype(dtype.newbyteorder("="))
    return values.reshape(shape, order="F" if fortran else "C")


def _of_array(values: np.ndarray, path: Path) -> pd.DataFrame:
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise InputError(
            f"{path} holds {values.dtype} of shape {values.shape}; expected numbers of shape "
            "(images of the test split, classes)."
        )
    return pd.DataFrame(values)


def _arrays(path: Path, most: int) -> dict[str, np.ndarray]:
    arrays, total = {}, 0
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            with file.open(name) as member:
                written = member.read(most - total + 1)
            total += len(written)
            if total > most:
                raise InputError(f"{path} unfolds to more than {most:,} bytes; it is not read.")
            try:
                arrays[name.removesuffix(".npy")] = _array(written)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return arrays


def _of_arrays(arrays: dict[str, np.ndarray], path: Path) -> pd.DataFrame:
    """Of an .npz file: a column for each array, or one array of all classes, beside which lists of
    classes and images may stand. Raises InputError where it is not clear which array is meant."""
    tables = [name for name, values in arrays.items() if values.ndim == 2]
    fractions = [name for name in tables if arrays[name].dtype.kind == "f"]
    tables = fractions or tables  # the labels may lie beside them, as whole numbers
    lists = {name: values for name, values in arrays.items() if values.ndim == 1}
    if not tables and lists and len({len(values) for values in lists.values()}) == 1:
        return pd.DataFrame({name.strip(): _plain(values) for name, values in lists.items()})
    if len(tables) != 1:
        raise InputError(
            f"{path} holds the arrays {', '.join(arrays) or 'none'}, of which "
            f"{len(tables) or 'none'} have two dimensions. Save one array of probabilities with a "
            "row per image, or one array per class."
        )
    frame = _of_array(arrays[tables[0]], path)
    named = next((name for name in lists if folded(name) in CLASS_LISTS), None)
    if named is not None and lists[named].shape == frame.shape[1:] and _is_text(lists[named]):
        frame.columns = pd.Index([text.strip() for text in _plain(lists[named])])
        images = known_column((n for n in lists if n != named), (*IMAGES, "ids", "imageids"))
        if images is not None and len(lists[images]) == len(frame):
            frame["image_id"] = _plain(lists[images])
    return frame


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "US"


def _plain(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    return values.astype(object) if values.dtype.kind == "U" else values


# Tables


def _parquet(path: Path, n_rows: int, class_names: Collection[str]) -> pd.DataFrame:
    # As dictionaries, since a Parquet file of a few bytes can repeat one long text per row.
    schema = pq.read_schema(path)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    texts = [field.name for field in schema if any(kind(field.type) for kind in kinds)]
    file = pq.ParquetFile(path, read_dictionary=texts)
    if file.metadata.num_rows > 4 * n_rows + 1000:
        raise InputError(
            f"{path} has {file.metadata.num_rows:,} rows; the test split has {n_rows:,} images."
        )
    names = file.schema_arrow.names
    _refuse_twice(pd.Index(name.strip() for name in names), path)
    wanted = _wanted((name.strip() for name in names), class_names)
    used = [name for name in names if name.strip() in wanted]
    for field in file.schema_arrow:
        name, kind = field.name.strip(), field.type
        number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
        if name in class_names and not number:
            raise InputError(f"{path}: class {name!r} holds {kind}, not probabilities.")
    table = file.read(columns=used, use_pandas_metadata=False)
    _refuse_long_texts(table, path)
    frame = table.to_pandas(ignore_metadata=True)
    frame = frame.astype({name: object for name in texts if name in used})
    return _knowing(frame.rename(columns=str.strip), names)


def _refuse_long_texts(table: pa.Table, path: Path) -> None:
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            if not (pa.types.is_string(chunk.type.value_type)
                    or pa.types.is_large_string(chunk.type.value_type)):  # fmt: skip
                continue
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest > LONGEST_TEXT:
                raise InputError(
                    f"{path}: column {name!r} holds a text of {longest:,} bytes; at most "
                    f"{LONGEST_TEXT:,} are read."
                )


def _csv(path: Path, class_names: Collection[str]) -> pd.DataFrame:
    with open(path, "rb") as content:
        written = dialect(content)
        refuse_long_rows(content, path, written)
    form: dict[str, Any] = {"encoding": written.encoding, "sep": written.delimiter}
    form["skiprows"] = written.skipped
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **form)
    names = [name.strip() for name in header.iloc[0]]
    _refuse_twice(pd.Index([name for name in names if name]), path)
    wanted = _wanted(names, class_names)
    used = [at for at, name in enumerate(names) if name in wanted]
    # pandas would call a second column of a name by another.
    texts = {at: str for at in used if names[at] not in class_names}
    columns = range(len(names))
    frame = pd.read_csv(
        path, header=0, names=columns, usecols=used, dtype=texts, index_col=False, **form
    )
    for at in used:
        if at not in texts and frame[at].dtype.kind not in "fiub":
            frame[at] = _with_points(frame[at])
    return _knowing(frame.rename(columns=dict(enumerate(names))), names)


def _knowing(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    frame.attrs["names"] = names
    return frame


def _with_points(column: pd.Series) -> pd.Series:
    """The numbers of a column that is written with decimal commas; any other as it is."""
    there = column.dropna().astype(str)
    commas = there.str.fullmatch(DECIMAL_COMMA)
    if not commas.any():
        return column
    numbers = pd.to_numeric(there.str.replace(",", "."), errors="coerce")
    return column if numbers.isna().any() else numbers.reindex(column.index)
