"""A study's tables as files for other programs: CSV, Parquet or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core import image_curves, operating_tables, store, study, tables
from core.errors import InputError


def _achieved_sparsity(folder: Path) -> pd.DataFrame:
    path = study.achieved_sparsity_path(folder)
    if not path.exists():
        raise InputError(f"{folder.name} has no achieved_sparsity yet: no model of it is pruned.")
    return store.read_table(path)


TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "class_metrics": tables.class_metrics,
    "class_frequencies": tables.frequencies,
    "achieved_sparsity": _achieved_sparsity,
    "forgettability": tables.forgettability,
    "class_summary": tables.class_summary,
    "class_pairs": tables.class_pairs,
    "correlations": tables.correlations,
    "overall": tables.overall,
    "safe_sparsity": tables.safe_sparsity,
    "interaction": tables.interaction,
    "pies": tables.pies,
    "operating_points": operating_tables.operating_points,
    "operating_characteristics": operating_tables.operating_characteristics,
    "lost_findings": image_curves.lost_findings,
    "raised_findings": image_curves.raised_findings,
    "pie_class_ratio": tables.pie_class_ratio,
    "pie_finding_count_ratio": tables.pie_finding_count_ratio,
    "pie_label_noise": tables.pie_label_noise,
    "pie_quality": tables.pie_quality,
}


# Those that compare the dense with one pruned model.
BY_SPARSITY: dict[str, Callable[[Path, float], pd.DataFrame]] = {
    "pies": tables.pies,
    "pie_class_ratio": tables.pie_class_ratio,
    "pie_finding_count_ratio": tables.pie_finding_count_ratio,
    "pie_label_noise": tables.pie_label_noise,
    "pie_quality": tables.pie_quality,
}


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


def export(study_name: str, table_name: str, out: Path, sparsity: float | None = None) -> int:
    """Write a table of a study to `out`, whole or not at all; returns its number of rows.

    The suffix of `out` names the format; `sparsity` is for the tables BY_SPARSITY, else 0.9.
    Raises InputError that lists what is allowed for an unknown study, table or suffix.
    """
    if table_name not in TABLES:
        raise InputError(f"There is no table {table_name!r}. Tables: {', '.join(TABLES)}.")
    encoder(out)  # before anything is worked out
    if sparsity is not None and table_name not in BY_SPARSITY:
        allowed = ", ".join(BY_SPARSITY)
        raise InputError(f"A sparsity is for the tables {allowed} only, not for {table_name}.")
    folder = store.find_study(study_name)
    if sparsity is None:
        table = TABLES[table_name](folder)
    else:
        table = BY_SPARSITY[table_name](folder, sparsity)
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
