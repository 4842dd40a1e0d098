"""Reading the tables that labels come in: CSV or Parquet, as people save them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from core.errors import InputError

BLANK = ["", "NA", "N/A", "NaN", "nan", "null"]


def read_rows(path: Path) -> pd.DataFrame:
    """The table in a .csv, .csv.gz or .parquet file. CSV values stay text, so "007" stays "007".

    Raises InputError that names the file where it is missing, unreadable or empty.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path, partitioning=None).reset_index(drop=True)
        else:
            table = pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,
                na_values=BLANK,
                encoding="utf-8-sig",
                index_col=False,
            )
    except FileNotFoundError as error:
        raise InputError(f"There is no label file {path}.") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path} is not a readable CSV or Parquet table: {error}.") from error
    if table.empty:
        raise InputError(f"{path} has no rows.")
    return table.rename(columns=lambda name: str(name).strip())


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
