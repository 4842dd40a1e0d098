"""A study's tables as files for other programs: CSV, Parquet or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core import store, study
from core.analysis.decay import ForgettabilityCurves
from core.analysis.pie import Pies
from core.errors import InputError
from core.labels import class_frequencies

PIE_SPARSITY = 0.9


def _class_frequencies(folder: Path) -> pd.DataFrame:
    return class_frequencies(store.read_labels(folder), store.read_config(folder).groups)


def _achieved_sparsity(folder: Path) -> pd.DataFrame:
    path = study.achieved_sparsity_path(folder)
    if not path.exists():
        raise InputError(f"{folder.name} has no achieved_sparsity yet: no model of it is pruned.")
    return store.read_table(path)


def _forgettability(folder: Path) -> pd.DataFrame:
    return ForgettabilityCurves()(store.read_class_metrics(folder))


def pies(folder: Path, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """image_id, agreement, is_pie of the test images, in test-set order, at one sparsity.

    Raises InputError that lists the finished sparsities where that one, or dense, is missing.
    """
    finished = store.finished_ensembles(folder)
    there = [study.percent(value) for value in finished]
    for wanted in (0.0, sparsity):
        if study.percent(wanted) not in there:
            raise InputError(
                f"{folder.name} has no ensemble at sparsity {wanted:g}. "
                f"Finished: {', '.join(f'{value:g}' for value in finished) or 'none yet'}."
            )
    labels = store.read_labels(folder)
    image_ids = labels.split("test")["image_id"]
    dense, pruned = (
        store.read_predictions(study.ensemble_path(folder, s), image_ids, labels.class_names)
        for s in (0.0, sparsity)
    )
    return Pies()(image_ids, dense, pruned)


TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "class_metrics": store.read_class_metrics,
    "class_frequencies": _class_frequencies,
    "achieved_sparsity": _achieved_sparsity,
    "forgettability": _forgettability,
    "pies": pies,
}


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    # Pandas writes the shortest digits that read back as the same number; missing is empty.
    table.to_csv(path, index=False, encoding="utf-8")


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)


def _write_json(table: pd.DataFrame, path: Path) -> None:
    # Not DataFrame.to_json, which stops at 15 digits.
    records = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    path.write_text(json.dumps(records, indent=1, allow_nan=False) + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".json": _write_json,
}


def export(study_name: str, table_name: str, out: Path, sparsity: float | None = None) -> int:
    """Write a table of a study to `out`, whole or not at all; returns its number of rows.

    The suffix of `out` names the format. `sparsity` is for "pies" only, 0.9 where not given.
    Raises InputError that lists what is allowed for an unknown study, table or suffix.
    """
    if table_name not in TABLES:
        raise InputError(f"There is no table {table_name!r}. Tables: {', '.join(TABLES)}.")
    write = WRITERS.get(out.suffix.lower())
    if not write:
        raise InputError(f"{out.name} does not end in one of {', '.join(WRITERS)}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    if sparsity is not None and table_name != "pies":
        raise InputError(f"A sparsity is for the table pies only, not for {table_name}.")
    folder = store.find_study(study_name)
    table = TABLES[table_name](folder) if sparsity is None else pies(folder, sparsity)
    try:
        with store.whole_file(out) as temporary:
            write(table, temporary)
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror or error}.") from error
    return len(table)
