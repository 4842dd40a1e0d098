"""Any CSV or Parquet file with an image path and class labels on each row."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from core.datasets import columns, presets
from core.datasets.files import alike, image_files, refuse_missing, relative_path
from core.datasets.joined import how_joined, names_in
from core.datasets.splits import refuse_shared_patients, refuse_without_test, with_validation
from core.datasets.tables import (
    as_attribute,
    as_numbers,
    joined_labels,
    other_columns,
    refuse_missing_columns,
    with_uncertain,
)
from core.errors import InputError
from core.study.labels import KEYS, NO_FINDING, Labels, split_by_patient
from core.study.progress import Advance
from core.study.settings import TableColumns

log = logging.getLogger(__name__)

# A column with at most this share of other values is a class with mistakes, not an attribute.
ALMOST = 0.1
# Above this share of blanks in a class, what they mean decides what the study says.
MANY_BLANK = 0.5
# {'Mass': 1, 'Hernia': 0}, or a list of such: names in it are not all found.
RECORDS = r"\s*\[?\s*\{[^{}]*:"
# What is written for "not known" or "not done" beside 1 and 0.
CODES = (-2, 255, 9, 99, 999, 9999, -9, -99, -999, -9999)
# Folded; these three are in every table of CheXpert, and in none of another data set.
CHEXPERT = {"path", "frontallateral", "appa"}


def load(settings: TableColumns, advance: Advance) -> Labels:
    """Labels whose image_id is the path as given; columns that are neither keys nor classes become
    attributes. -1 is uncertain; so is a blank, unless `blank` says negative.

    - Without `patient_column` a column of a known name is taken (patient_id, PatientID,
      subject_id, ...), else the patient's folder in the path; without one, each image is
      its own patient, and a warning says so.
    - Without `split_column` a column called split is taken; without one, patients are
      divided by the settings' shares. A split without validation gets one from train's patients.
    - Without `class_columns` and `joined_column`, the classes are the columns that hold nothing but
      1, 0, -1, True, False and blanks; a warning says which those are.

    Raises InputError that names the column, row or patient at fault, and what is allowed.
    """
    path = settings.labels
    rows, settings = presets.read(settings)
    images = columns.image_column(rows, settings.image_column)
    patients = settings.patient_column or columns.patient_column(rows)
    patients = None if patients == images else patients
    splits = settings.split_column or columns.split_column(rows)
    if splits not in (None, "split", settings.split_column):
        log.warning("%s: the split is taken from the column %r", path, splits)
    keys = [c for c in (images, patients, splits) if c is not None]
    refuse_missing_columns(rows, keys, path)
    given = rows[images].str.strip() if pd.api.types.is_string_dtype(rows[images]) else rows[images]
    paths = [relative_path(text, path, row + 1) for row, text in enumerate(given)]
    class_names, joined = classes_of(rows, keys, settings, path)
    if joined is not None:
        labels = _joined(rows, joined, settings, given)
    else:
        refuse_missing_columns(rows, list(class_names), path)
        negative = blank_is_negative(rows, settings, path)
        labels = pd.DataFrame({name: with_uncertain(rows[name], negative) for name in class_names})
        refuse_unmeant_blanks(rows, labels, settings, path)
    table = pd.DataFrame({"image_id": given.astype(str), "path": paths})
    stated = table["path"]
    if settings.images:  # imported predictions may come without
        files = image_files(settings.images)
        table["path"] = presets.found_below(stated.map(files.spelled), files)
        _say_renamed(stated, table["path"], path, settings)
        refuse_missing(table["path"], files, settings.on_bad_image)
    table["patient_id"] = _patients(
        rows, patients, table["image_id"], (stated, table["path"]), path
    )
    refuse_one_image_twice(table, path)
    table["split"] = _split(rows, splits, table["patient_id"], settings)
    used = {*keys, *KEYS, *labels.columns, joined}
    attributes = {name: as_attribute(rows[name]) for name in other_columns(rows, used)}
    _say_what_is_odd(labels, attributes, path)
    whole = pd.concat([table, labels, pd.DataFrame(attributes)], axis=1)
    return Labels(whole, tuple(labels.columns))


def classes_of(
    rows: pd.DataFrame, keys: list[str], settings: TableColumns, path: Path
) -> tuple[tuple[str, ...], str | None]:
    """The columns of classes, or none of those and the column of joined names."""
    if settings.joined_column is not None or settings.class_columns:
        return settings.class_columns, settings.joined_column
    joined = columns.known_column(rows.columns.drop(keys), columns.JOINED)
    if joined is not None and not is_label(rows[joined]) and not _is_number(rows[joined]):
        # PadChest's ImageDir 0 is no class: beside joined names, only columns that differ are. One
        # such column is rather something else, such as a reader's yes.
        names = [name for name in _label_columns(rows, keys) if rows[name].nunique() > 1]
        if len(names) < 2:
            log.warning("%s: class names are taken from the column %r", path, joined)
            return (), joined
        log.warning(
            "%s: the names in %r are not used, as other columns hold labels; "
            "dataset.joined_column = %r says otherwise", path, joined, joined,
        )  # fmt: skip
    return guessed(rows, keys, path), None


def _joined(
    rows: pd.DataFrame, column: str, settings: TableColumns, given: pd.Series
) -> pd.DataFrame:
    path = settings.labels
    refuse_missing_columns(rows, [column], path)
    texts = rows[column].astype(object).where(rows[column].notna(), "").astype(str)
    if len(records := texts[texts.str.match(RECORDS)]):
        raise InputError(
            f"{path}: the column {column!r} holds records, such as {records.iloc[0][:60]!r}. Write "
            "the names of an image's classes, as in Mass|Nodule, or a column of 1 and 0 a class."
        )
    split, how = how_joined(texts, settings.joined_by)
    names = names_in(texts, split)
    found = tuple(sorted(frozenset().union(*names.values())))
    if not found:
        raise InputError(f"{path}: the column {column!r} names no class.")
    class_names = settings.class_columns or found
    if unknown := [name for name in class_names if name not in found]:
        raise InputError(
            f"{path}: no image has the class {unknown[0]!r} in its {column!r}; there are: "
            f"{', '.join(found)}."
        )
    if how != "'|'" and settings.joined_by is None:
        log.warning(
            "%s: the names in %r are divided by %s into %d classes: %s; dataset.joined_by says "
            "otherwise", path, column, how, len(class_names), ", ".join(class_names[:20]),
        )  # fmt: skip
    # An empty cell names no finding; where normal images are marked as such, it is an omission.
    blank = given[texts.map(names).map(len) == 0]
    if NO_FINDING in class_names and len(blank):
        raise InputError(
            f"{path}: image {blank.iloc[0]!r} has an empty {column!r}; write {NO_FINDING!r} for a "
            "normal image, as on other rows."
        )
    both = given[texts.map(names).map(lambda one: NO_FINDING in one and len(one) > 1)]
    if len(both):
        log.warning(
            "%s: %d images have %r beside another finding, such as %r",
            path, len(both), NO_FINDING, both.iloc[0],
        )  # fmt: skip
    return joined_labels(texts, class_names, split)


def guessed(rows: pd.DataFrame, keys: list[str], path: Path) -> tuple[str, ...]:
    """The columns that hold labels and nothing else. Raises InputError without any, or
    where a column is one but for a few values: it must not leave the study unseen."""
    _refuse_almost_labels(rows, keys, path)
    class_names = tuple(_label_columns(rows, keys))
    if not class_names:
        raise InputError(
            f"{path}: no column holds only 1, 0, -1 or blanks. Name dataset.class_columns, or "
            "dataset.joined_column for names joined by '|'. Its columns: "
            f"{', '.join(rows.columns)}."
        )
    log.warning("%s: taken as classes: %s", path, ", ".join(class_names))
    return class_names


def _label_columns(rows: pd.DataFrame, keys: list[str]) -> list[str]:
    others = other_columns(rows, {*keys, *KEYS})
    named = [name for name in others if columns.folded(name) not in columns.NO_CLASSES]
    return [name for name in named if is_label(rows[name])]


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(as_numbers(column), errors="coerce")


def is_label(column: pd.Series) -> bool:
    """Whether it holds only 1, 0, -1, words for them and blanks, and not only blanks."""
    if column.isna().all():
        return False
    return bool(_numbers(column).isin([1, 0, -1]).eq(column.notna()).all())


def _is_number(column: pd.Series) -> bool:
    return bool(_numbers(column).notna().eq(column.notna()).all())


def _refuse_almost_labels(rows: pd.DataFrame, keys: list[str], path: Path) -> None:
    for name in other_columns(rows, {*keys, *KEYS}):
        column = rows[name]
        numbers, there = _numbers(column), column.notna()
        fits = numbers.isin([1, 0, -1])
        wrong = there & ~fits
        if not wrong.any() or numbers[fits].nunique() < 2:
            continue
        if wrong.sum() > ALMOST * there.sum() and not _is_code(column[wrong], numbers[wrong]):
            continue
        row, n = int(wrong.to_numpy().argmax()), int(wrong.sum())
        raise InputError(
            f"{path}: the column {name!r} holds labels, but {str(column.iloc[row])!r} in row "
            f"{row + 1} "
            f"(image {rows[keys[0]].iloc[row]!r}; {n:,} such row(s)). A class holds 1, 0, and -1 "
            "or blank for uncertain. Correct it, or name the classes in dataset.class_columns if "
            "this column is none."
        )


def _is_code(column: pd.Series, numbers: pd.Series) -> bool:
    """One mark or number that people write for "not known" beside 1 and 0."""
    return column.nunique() == 1 and (numbers.isna() | numbers.isin(CODES)).all()


def refuse_one_image_twice(table: pd.DataFrame, path: Path) -> None:
    """Raise InputError where two rows name one image: it would count twice."""
    twice = table[table["path"].duplicated(keep=False)]
    if twice.empty:
        return
    first = twice["path"].iloc[0]
    names = twice.loc[twice["path"] == first, "image_id"]
    written = f" (written {names.iloc[0]!r} and {names.iloc[1]!r})" if names.nunique() > 1 else ""
    raise InputError(
        f"{path}: the image {first!r}{written} occurs more than once ({twice['path'].nunique():,} "
        "such image(s)). A table has one row an image. Where a row is one finding of an image, "
        "join its findings in one cell, as in Mass|Nodule; where it is one reader's answer, "
        'decide which counts, or use dataset.preset = "vindr-cxr".'
    )


def _say_what_is_odd(labels: pd.DataFrame, attributes: Mapping[str, pd.Series], path: Path) -> None:
    """What may be a class that was missed, and classes that may be one."""
    if attributes:
        log.warning("%s: kept as further columns, no classes: %s", path, ", ".join(attributes))
    names: dict[str, str] = {}
    for name in labels:
        other = names.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            log.warning(
                "%s: %r and %r are two classes; they differ only in case", path, other, name
            )


def blank_is_negative(rows: pd.DataFrame, settings: TableColumns, path: Path) -> bool:
    """By the settings; where they say nothing, only in tables with CheXpert's columns."""
    if settings.blank is not None:
        return settings.blank == "negative"
    if not {columns.folded(name) for name in rows} >= CHEXPERT:
        return False
    log.warning(
        "%s has the columns of CheXpert, whose authors mean negative by a blank; -1 stays "
        'uncertain. dataset.blank = "uncertain" says otherwise.', path,
    )  # fmt: skip
    return True


def refuse_unmeant_blanks(
    rows: pd.DataFrame, labels: pd.DataFrame, settings: TableColumns, path: Path
) -> None:
    """Raises InputError where a class has no negatives because of blanks whose meaning nobody
    stated: such a class has AP 1 whatever a network does. Warns where most rows are blank."""
    for name in labels:
        values = pd.to_numeric(labels[name], errors="coerce").dropna()
        n_blank = int(rows[name].isna().sum())
        if (
            settings.blank is None
            and n_blank > MANY_BLANK * len(rows)
            and labels[name].isna().any()
        ):
            log.warning(
                "%s: %d of %d rows of %r are blank, and taken as uncertain; dataset.blank = "
                '"negative" says otherwise', path, n_blank, len(rows), name,
            )  # fmt: skip
        if len(values) and (values == 1).all() and n_blank and settings.blank is None:
            raise InputError(
                f"{path}: the class {name!r} has {len(values):,} positives, {n_blank:,} blanks and "
                'no negatives. If a blank means negative, set dataset.blank = "negative"; if it '
                'means uncertain, set dataset.blank = "uncertain".'
            )


def _say_renamed(stated: pd.Series, found: pd.Series, path: Path, settings: TableColumns) -> None:
    """What a preset's files are called is known; of other tables it is a guess."""
    moved = stated[stated != found]
    other = moved[moved.map(alike) != found[moved.index].map(alike)]
    if len(other) and settings.preset is None:
        log.warning(
            "%s: %d images are not where the table says, and are taken from elsewhere below %s; "
            "such as %r for %r",
            path, len(other), settings.images, found[other.index[0]], other.iloc[0],
        )  # fmt: skip


def _patients(
    rows: pd.DataFrame,
    column: str | None,
    image_ids: pd.Series,
    paths: tuple[pd.Series, ...],
    path: Path,
) -> pd.Series:
    """paths: as the table states them, and as they lie on the disk."""
    if column is None:
        known = (columns.patients_in_paths(one) for one in paths)
        folders = next((one for one in known if one is not None), None)
        if folders is None:
            log.warning("%s names no patients: each image counts as its own patient", path)
            return image_ids
        log.warning("%s: patients are taken from the paths, such as %r", path, folders.iloc[0])
        return folders
    text = rows[column].astype("string").str.strip()
    nameless = image_ids[text.isna() | (text == "")]
    if len(nameless):
        raise InputError(f"{path}: image {nameless.iloc[0]!r} has no {column}.")
    return columns.as_patients(rows[column])


def _split(
    rows: pd.DataFrame, column: str | None, patient_ids: pd.Series, settings: TableColumns
) -> pd.Series:
    if column is None:
        return split_by_patient(
            patient_ids, settings.validation_share, settings.test_share, settings.split_seed
        )
    split = columns.meant_splits(rows[column])
    if split.isna().any():
        wrong = rows[column][split.isna()].iloc[0]
        raise InputError(
            f"{settings.labels}: the column {column!r} holds "
            f"{'a blank' if pd.isna(wrong) else repr(wrong)}; allowed: "
            f"{', '.join(columns.SPLIT_MEANINGS)}."
        )
    split = split.astype(str)
    refuse_shared_patients(patient_ids, split, str(settings.labels))
    if not (split == "validation").any():
        split = with_validation(patient_ids, split, settings.validation_share, settings.split_seed)
    refuse_without_test(split, str(settings.labels))
    return split
