"""A study's tables as files for other programs: CSV, Parquet or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core import results
from core.errors import InputError
from core.study import store
from core.study.study import find_study


def _csv(table: pd.DataFrame) -> bytes:
    # Pandas writes the shortest digits that read back as the same number; missing is empty.
    return table.to_csv(index=False).encode("utf-8")


def _parquet(table: pd.DataFrame) -> bytes:
    return table.to_parquet(index=False)


def _json(table: pd.DataFrame) -> bytes:
    # Not DataFrame.to_json, which stops at 15 digits.
    records = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return (json.dumps(records, indent=1, allow_nan=False) + "\n").encode("utf-8")


# A table as the bytes of a file, by the file's suffix.
FORMATS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
}


def export(
    study_name: str,
    table_name: str,
    out: Path,
    sparsity: float | None = None,
    metric: str | None = None,
    subgroup: str | None = None,
) -> int:
    """Write `results.table` to `out`, whole or not at all; returns its number of rows.

    The suffix of `out` names the format. Raises InputError that lists what is allowed for an
    unknown study, table, suffix or option.
    """
    results.refuse(table_name, subgroup, sparsity=sparsity, metric=metric)
    encoder(out)  # before anything is worked out
    study = find_study(study_name)
    table = results.table(study, table_name, subgroup, sparsity=sparsity, metric=metric)
    write_file(table, out)
    return len(table)


def write_file(table: pd.DataFrame, out: Path) -> None:
    """Write a table to `out`, whole or not at all. Raises InputError where that cannot be."""
    encode = encoder(out)
    try:
        with store.whole_file(out) as temporary:
            temporary.write_bytes(encode(table))
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror or error}.") from error


def encoder(out: Path) -> Callable[[pd.DataFrame], bytes]:
    encode = FORMATS.get(out.suffix.lower())
    if not encode:
        raise InputError(f"{out.name} does not end in one of {', '.join(FORMATS)}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    return encode
