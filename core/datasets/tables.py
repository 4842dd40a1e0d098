"""Reading the tables that labels come in: CSV or Parquet, as people save them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.datasets.joined import Split, by_bars, names_in
from core.datasets.rows import dialect, refuse_long_rows
from core.errors import InputError

log = logging.getLogger(__name__)

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
BLANK = ["", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "none"]
# How people write labels: small letters, and then 1, 0, or -1 for uncertain.
WORDS = (
    dict.fromkeys(("true", "t", "yes", "y", "positive", "pos", "present"), "1")
    | dict.fromkeys(("false", "f", "no", "n", "negative", "neg", "absent"), "0")
    | dict.fromkeys(("uncertain", "equivocal", "indeterminate"), "-1")
)
# How a file begins that is no table of text, whatever its name says.
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
OTHERS = {
    b"PK\x03\x04": "a zip file or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
}


def read_rows(path: Path) -> pd.DataFrame:
    """The table in a .csv, .csv.gz or .parquet file. CSV values stay text, so "007" stays "007";
    rows without any value are left out.

    Raises InputError that names the file where it is missing, unreadable or empty.
    """
    try:
        begin = _beginning(path)
        if path.suffix.lower() == ".parquet" or begin.startswith(PARQUET):
            # What pandas keeps as the index, such as patient_id, is a column like any other.
            content = _parquet(path)
            content.slice(0, 1).to_pandas()  # a file that lies about its index is refused
            table = _blanked(_with_named_index(content.to_pandas(ignore_metadata=True)))
        else:
            packed = path.suffix.lower() == ".gz" or begin.startswith(GZIP)
            unfolded = _unfolded(path) if packed else None
            with io.BytesIO(unfolded) if unfolded is not None else open(path, "rb") as file:
                written = dialect(file)
                refuse_long_rows(file, path, written)
            table = pd.read_csv(
                path if unfolded is None else io.BytesIO(unfolded),
                compression=None,
                dtype=str,
                keep_default_na=False,
                na_values=BLANK,
                encoding=written.encoding,
                sep=written.delimiter,
                skiprows=written.skipped,
                index_col=False,
            ).dropna(how="all", ignore_index=True)
    except FileNotFoundError as error:
        raise InputError(f"There is no label file {path}.") from error
    except InputError:
        raise
    except (*DAMAGE, csv.Error) as error:
        raise InputError(f"{path} is not a readable CSV or Parquet table: {error}.") from error
    if table.empty:
        raise InputError(f"{path} has no rows.")
    table = table.rename(columns=_one_line)
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise InputError(f"{path} has the column {twice!r} twice.")
    return table


def _beginning(path: Path) -> bytes:
    """Its first bytes. Raises InputError where they are those of another kind of file."""
    with open(path, "rb") as file:
        begin = file.read(4)
    for mark, kind in OTHERS.items():
        if begin.startswith(mark):
            raise InputError(f"{path} is {kind}, no table. Save it as CSV or Parquet.")
    return begin


def _one_line(name: object) -> str:
    """A column's name without blanks around it, line ends and marks that nobody sees."""
    return re.sub(r"[\r\n]+", " ", str(name)).strip().strip("\ufeff\u200b").strip()


def _with_named_index(table: pd.DataFrame) -> pd.DataFrame:
    """An index without a name becomes the column "index" where it is text, such as paths; numbers
    only count rows."""
    for name in [name for name in table if str(name).startswith("__index_level_")]:
        if "index" in table or pd.api.types.is_numeric_dtype(table[name]):
            table = table.drop(columns=name)
        else:
            table = table.rename(columns={name: "index"})
    return table


def _blanked(table: pd.DataFrame) -> pd.DataFrame:
    """What stands for a blank in CSV does in Parquet's texts as well."""
    for name in table.select_dtypes(include=["object", "string"]):
        table[name] = table[name].mask(table[name].isin(BLANK))
    return table


def _unfolded(path: Path) -> bytes:
    """What is in a gzip file, as far as an honest one goes."""
    most = _most_bytes(path)
    with gzip.open(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise _bomb(path, most)
    return content


def _parquet(path: Path) -> pa.Table:
    """Read some rows at a time: a few bytes can stand for a million rows of one long text."""
    schema = pq.read_schema(path)
    texts = [field.name for field in schema if _is_text(field.type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        used = [field.name for field in schema if _is_value(field.type) or _is_names(field.type)]
        if left_out := [field.name for field in schema if field.name not in used]:
            log.warning(
                "%s: left out, as they hold no numbers or text: %s", path, ", ".join(left_out)
            )
        # Images within the table are not even read.
        batches = list(_counted(file, path, _most_bytes(path), used if left_out else None))
        fields = [field for field in file.schema_arrow if field.name in used]
        # pandas' notes name every column, so they do not fit where some are left out.
        notes = None if left_out else file.schema_arrow.metadata
        table = pa.Table.from_batches(batches, pa.schema(fields, notes))
    for at, name in enumerate(table.column_names):
        kind = schema.field(schema.get_field_index(name)).type
        if _is_text(kind):
            table = table.set_column(at, name, table.column(at).cast(kind))
    table.validate(full=True)  # text that is no text would otherwise be found by whoever uses it
    for at, field in enumerate(table.schema):
        if _is_names(field.type):
            # As JSON writes lists: `joined.listed` reads it.
            texts = [
                None if names is None else json.dumps(list(filter(None, names)), ensure_ascii=False)
                for names in table[at].to_pylist()
            ]
            table = table.set_column(at, field.name, pa.array(texts, pa.large_string()))
    return table


def _is_value(kind: pa.DataType) -> bool:
    """One number, text or date a row: no bytes (images within the table), and nothing nested."""
    if pa.types.is_dictionary(kind):
        return _is_value(kind.value_type)
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not (pa.types.is_nested(kind) or binary or pa.types.is_fixed_size_binary(kind))


def _is_names(kind: pa.DataType) -> bool:
    """A list of texts."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in lists) and _is_text(kind.value_type)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _counted(
    file: pq.ParquetFile, path: Path, most: int, columns: list[str] | None
) -> Iterator[pa.RecordBatch]:
    # What pages of a column say they unfold to; those of dictionaries unfold further.
    said = sum(file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups))
    if said > most:
        raise _bomb(path, most)
    total = 0
    for batch in file.iter_batches(BATCH_ROWS, columns=columns):
        total += sum(map(_unfolded_bytes, batch.columns))
        if total > most:
            raise _bomb(path, most)
        yield batch


def _unfolded_bytes(column: pa.Array) -> int:
    if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
        return pc.sum(lengths.take(column.indices)).as_py() or 0
    return column.nbytes


def _most_bytes(path: Path) -> int:
    return max(RATIO_COUNTS_FROM, MAX_RATIO * path.stat().st_size)


def _bomb(path: Path, most: int) -> InputError:
    more = f"unfolds to more than {most:,} bytes, as no honest table of its size does"
    return InputError(f"{path} {more}; it is not read.")


def refuse_missing_columns(table: pd.DataFrame, needed: list[str], path: Path) -> None:
    """Raise InputError that names the missing columns and lists those there are."""
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(missing)}. Its columns: "
            f"{', '.join(table.columns)}."
        )


def as_numbers(column: pd.Series) -> pd.Series:
    """Label values as numbers: WORDS, written in whatever case, and "1,0" is 1. What is neither
    stays as it is."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype("Int8")
    if pd.api.types.is_numeric_dtype(column):
        return column
    text = column.astype("string").str.strip().str.lower().fillna("")
    decimal = text.str.fullmatch(r"-?[01],0+")  # 1,0 where semicolons divide the fields
    column = column.astype(object).mask(decimal, text.str.partition(",")[0])
    meant = text.map(WORDS)
    return column.where(meant.isna(), meant)


def with_uncertain(column: pd.Series, blank_is_negative: bool = False) -> pd.Series:
    """A class column with -1, which many label files use for uncertain, as missing."""
    column = as_numbers(column)
    blank = column.isna()
    column = column.mask(pd.to_numeric(column, errors="coerce") == -1)
    return column.mask(blank, 0) if blank_is_negative else column


def joined_labels(
    column: pd.Series, class_names: tuple[str, ...], split: Split = by_bars
) -> pd.DataFrame:
    """One column of 1/0 for each class, from a column of joined names."""
    cells = names_in(column, split).items()
    named = {
        class_name: column.map({text: int(class_name in names) for text, names in cells})
        for class_name in class_names
    }
    return pd.DataFrame(named, index=column.index)


def other_columns(rows: pd.DataFrame, used: Collection[str | None]) -> list[str]:
    """The columns that are none of `used`, nor pandas' own count of rows."""
    return [name for name in rows if name not in used and not name.startswith("Unnamed:")]


def as_attribute(column: pd.Series) -> pd.Series:
    """Numbers where every value is one, else text; both fit into a Parquet file."""
    if pd.api.types.is_numeric_dtype(column):  # bool included
        return column
    text = column.astype("string")
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers if (numbers.isna() == text.isna()).all() else text
