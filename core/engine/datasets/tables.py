"""Reading the tables that labels come in: CSV or Parquet, as people save them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import InputError

# A packed table may unfold to this many times its size, and to so many bytes in any case. Honest
# labels, which are mostly zeros, come near 40.
MAX_RATIO = 100
RATIO_COUNTS_FROM = 20 * 2**20
BATCH_ROWS = 10_000
# Of a damaged file pandas and Arrow raise all of these.
DAMAGE = (
    *(OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(NotImplementedError, OverflowError, RecursionError, pa.ArrowException),
)
BLANK = ["", "NA", "N/A", "NaN", "nan", "null"]


def read_rows(path: Path) -> pd.DataFrame:
    """The table in a .csv, .csv.gz or .parquet file. CSV values stay text, so "007" stays "007".

    Raises InputError that names the file where it is missing, unreadable or empty.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = _parquet(path).to_pandas().reset_index(drop=True)
        else:
            table = pd.read_csv(
                _unfolded(path) if path.suffix.lower() == ".gz" else path,
                compression=None,
                dtype=str,
                keep_default_na=False,
                na_values=BLANK,
                encoding="utf-8-sig",
                index_col=False,
            )
    except FileNotFoundError as error:
        raise InputError(f"There is no label file {path}.") from error
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"{path} is not a readable CSV or Parquet table: {error}.") from error
    if table.empty:
        raise InputError(f"{path} has no rows.")
    table = table.rename(columns=lambda name: str(name).strip())
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise InputError(f"{path} has the column {twice!r} twice.")
    return table


def _unfolded(path: Path) -> io.BytesIO:
    """What is in a gzip file, as far as an honest one goes."""
    most = _most_bytes(path)
    with gzip.open(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(_bomb(path, most))
    return io.BytesIO(content)


def _parquet(path: Path) -> pa.Table:
    """Read some rows at a time: a few bytes can stand for a million rows of one long text."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if _is_text(field.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        batches = list(_counted(file, path, _most_bytes(path)))
        table = pa.Table.from_batches(batches, file.schema_arrow)
    for at, field in enumerate(schema):
        if _is_text(field.type):
            table = table.set_column(at, field, table.column(at).cast(field.type))
    table.validate(full=True)  # text that is no text would otherwise be found by whoever uses it
    return table


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _counted(file: pq.ParquetFile, path: Path, most: int) -> Iterator[pa.RecordBatch]:
    # What pages of a column say they unfold to; those of dictionaries unfold further.
    said = sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups))
    if said > most:
        raise InputError(_bomb(path, most))
    total = 0
    for batch in file.iter_batches(BATCH_ROWS):
        total += sum(map(_unfolded_bytes, batch.columns))
        if total > most:
            raise InputError(_bomb(path, most))
        yield batch


def _unfolded_bytes(column: pa.Array) -> int:
    if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
        return pc.sum(lengths.take(column.indices)).as_py() or 0
    return column.nbytes


def _most_bytes(path: Path) -> int:
    return max(RATIO_COUNTS_FROM, MAX_RATIO * path.stat().st_size)


def _bomb(path: Path, most: int) -> str:
    return (
        f"{path} unfolds to more than {most:,} bytes, as no honest table of its size does; it is "
        "not read."
    )


def refuse_missing_columns(table: pd.DataFrame, needed: list[str], path: Path) -> None:
    """Raise InputError that names the missing columns and lists those there are."""
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(missing)}. Its columns: "
            f"{', '.join(table.columns)}."
        )


def with_uncertain(column: pd.Series) -> pd.Series:
    """A class column with -1, which many label files use for uncertain, as missing."""
    return column.mask(pd.to_numeric(column, errors="coerce") == -1)


def joined_names(column: pd.Series) -> dict[str, frozenset[str]]:
    """The names within each distinct value of a column such as "Mass|Nodule"."""
    return {
        text: frozenset(name.strip() for name in text.split("|") if name.strip())
        for text in column.unique()
    }


def joined_labels(column: pd.Series, class_names: tuple[str, ...]) -> pd.DataFrame:
    """One column of 1/0 for each class, from a column of names joined by "|"."""
    names = joined_names(column)
    return pd.DataFrame(
        {
            class_name: column.map(
                {text: int(class_name in found) for text, found in names.items()}
            )
            for class_name in class_names
        },
        index=column.index,
    )


def as_attribute(column: pd.Series) -> pd.Series:
    """Numbers where every value is one, else text; both fit into a Parquet file."""
    if pd.api.types.is_numeric_dtype(column):  # bool included
        return column
    text = column.astype("string")
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers if (numbers.isna() == text.isna()).all() else text
