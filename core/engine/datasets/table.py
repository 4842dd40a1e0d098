"""Any CSV or Parquet file with an image path and class labels on each row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core.engine.datasets.files import image_files, refuse_missing, relative_path
from core.engine.datasets.splits import refuse_empty_split, refuse_shared_patients, with_validation
from core.engine.datasets.tables import (
    as_attribute,
    joined_labels,
    joined_names,
    read_rows,
    refuse_missing_columns,
    with_uncertain,
)
from core.errors import InputError
from core.labels import KEYS, NO_FINDING, Labels, split_by_patient
from core.settings import TableColumns

log = logging.getLogger(__name__)

SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "validate", "dev"),
    "test": ("test", "testing"),
}


def load(settings: TableColumns, advance: Callable[[int, int], None]) -> Labels:
    """Labels whose image_id is the path as given; columns that are neither keys nor classes become
    attributes. Values -1 and blank are uncertain.

    - Without `patient_column` a column called patient_id is taken; where there is none, each
      image is its own patient.
    - Without `split_column` a column called split is taken; where there is none, patients are
      divided by the settings' shares. A split without validation gets one from train's patients.
    - Without `class_columns` and `joined_column`, the classes are the columns that hold nothing but
      1, 0, -1 and blanks; a warning says which those are.

    Raises InputError that names the column, row or patient at fault, and what is allowed.
    """
    path = settings.labels
    rows = read_rows(path)
    patient_column = settings.patient_column or _present(rows, "patient_id")
    split_column = settings.split_column or _present(rows, "split")
    keys = [c for c in (settings.image_column, patient_column, split_column) if c is not None]
    refuse_missing_columns(rows, keys, path)
    given = rows[settings.image_column]
    paths = [relative_path(text, path) for text in given]
    if (column := settings.joined_column) is not None:
        labels = _joined(rows, column, settings, given)
    else:
        class_names = settings.class_columns or _guessed(rows, keys, path)
        refuse_missing_columns(rows, list(class_names), path)
        labels = pd.DataFrame({name: with_uncertain(rows[name]) for name in class_names})
    table = pd.DataFrame({"image_id": given.astype(str), "path": paths})
    table["patient_id"] = _patients(rows, patient_column, given, path)
    if settings.images:  # imported predictions may come without
        refuse_missing(table["path"], image_files(settings.images), settings.on_bad_image)
    table["split"] = _split(rows, split_column, table["patient_id"], settings)
    used = {*keys, *KEYS, *labels.columns, settings.joined_column}
    attributes = {
        name: as_attribute(rows[name])
        for name in rows
        if name not in used and not name.startswith("Unnamed:")
    }
    return Labels(
        pd.concat([table, labels, pd.DataFrame(attributes)], axis=1), tuple(labels.columns)
    )


def _present(rows: pd.DataFrame, name: str) -> str | None:
    return name if name in rows.columns else None


def _joined(
    rows: pd.DataFrame, column: str, settings: TableColumns, given: pd.Series
) -> pd.DataFrame:
    path = settings.labels
    if settings.class_columns:
        raise InputError("dataset: give class_columns or joined_column, not both.")
    refuse_missing_columns(rows, [column], path)
    texts = rows[column].fillna("").astype(str)
    names = joined_names(texts)
    class_names = tuple(sorted(frozenset().union(*names.values())))
    if not class_names:
        raise InputError(f"{path}: the column {column!r} names no class.")
    # An empty cell names no finding; where normal images are marked as such, it is an omission.
    blank = given[texts.map(names).map(len) == 0]
    if NO_FINDING in class_names and len(blank):
        raise InputError(
            f"{path}: image {blank.iloc[0]!r} has an empty {column!r}; write {NO_FINDING!r} for a "
            "normal image, as on other rows."
        )
    return joined_labels(texts, class_names)


def _guessed(rows: pd.DataFrame, keys: list[str], path: Path) -> tuple[str, ...]:
    class_names = tuple(
        name
        for name in rows.columns
        if name not in {*keys, *KEYS} and not name.startswith("Unnamed:") and _is_label(rows[name])
    )
    if not class_names:
        raise InputError(
            f"{path}: no column holds only 1, 0, -1 or blanks. Name dataset.class_columns, or "
            "dataset.joined_column for names joined by '|'. Its columns: "
            f"{', '.join(rows.columns)}."
        )
    log.warning("%s: taken as classes: %s", path, ", ".join(class_names))
    return class_names


def _is_label(column: pd.Series) -> bool:
    if column.isna().all():
        return False
    try:
        numbers = pd.to_numeric(column)
    except (TypeError, ValueError):
        return False
    return bool(numbers.isin([1, 0, -1]).eq(column.notna()).all())


def _patients(rows: pd.DataFrame, column: str | None, given: pd.Series, path: Path) -> pd.Series:
    if column is None:
        return given.astype(str)
    nameless = given[rows[column].isna()]
    if len(nameless):
        raise InputError(f"{path}: image {nameless.iloc[0]!r} has no {column}.")
    return rows[column].astype(str)


def _split(
    rows: pd.DataFrame, column: str | None, patient_ids: pd.Series, settings: TableColumns
) -> pd.Series:
    if column is None:
        return split_by_patient(
            patient_ids, settings.validation_share, settings.test_share, settings.split_seed
        )
    meanings = {word: split for split, words in SPELLINGS.items() for word in words}
    split = rows[column].astype("string").str.strip().str.lower().map(meanings)
    if split.isna().any():
        wrong = rows[column][split.isna()].iloc[0]
        raise InputError(
            f"{settings.labels}: the column {column!r} holds "
            f"{'a blank' if pd.isna(wrong) else repr(wrong)}; allowed: {', '.join(meanings)}."
        )
    split = split.astype(str)
    refuse_shared_patients(patient_ids, split, str(settings.labels))
    if not (split == "validation").any():
        split = with_validation(patient_ids, split, settings.validation_share, settings.split_seed)
    refuse_empty_split(split, str(settings.labels))
    return split
