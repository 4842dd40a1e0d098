"""NIH ChestX-ray14: images and NIH's own Data_Entry file, with or without its official lists.

Source: Wang et al., ChestX-ray8, CVPR 2017; column names as in Data_Entry_2017_v2020.csv.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from core.datasets.classes import class_list
from core.datasets.columns import as_patients
from core.datasets.files import image_files, refuse_missing, relative_path
from core.datasets.joined import by_bars, names_in
from core.datasets.splits import refuse_shared_patients, refuse_without_test, with_validation
from core.datasets.tables import as_attribute, joined_labels, read_rows, refuse_missing_columns
from core.errors import InputError
from core.study.labels import NO_FINDING, Labels, split_by_patient
from core.study.progress import Advance
from core.study.settings import NihSettings

IMAGE, FINDINGS, PATIENT = "Image Index", "Finding Labels", "Patient ID"
ATTRIBUTES = {"Patient Gender": "sex", "View Position": "view", "Follow-up #": "follow_up"}
AGE = "Patient Age"
# NIH's file holds a few ages such as 414.
OLDEST = 120
YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def load(settings: NihSettings, advance: Advance) -> Labels:
    """Labels over 14 findings and "No Finding"; attributes age (years), sex, view, follow_up as
    far as the file has them. Images are found by name in any folder below `settings.images`.

    Raises InputError for unknown findings, missing columns or images, and patients in both lists.
    """
    path, class_names = settings.labels, class_list("nih-cxr14")
    rows = read_rows(path)
    refuse_missing_columns(rows, [IMAGE, FINDINGS, PATIENT], path)
    findings = _findings(rows, class_names, path)
    files = image_files(settings.images)
    table = pd.DataFrame(
        {
            "image_id": rows[IMAGE],
            "patient_id": _patients(rows, path),
            "path": [files.find(relative_path(name, path)) for name in rows[IMAGE]],
        }
    )
    refuse_missing(table["path"], files, settings.on_bad_image)
    table["split"] = _split(table, settings)
    attributes = {new: as_attribute(rows[old]) for old, new in ATTRIBUTES.items() if old in rows}
    if AGE in rows:
        attributes["age"] = age_in_years(rows[AGE])
    labels = joined_labels(findings, class_names)
    return Labels(pd.concat([table, labels, pd.DataFrame(attributes)], axis=1), class_names)


def age_in_years(column: pd.Series) -> pd.Series:
    """Years from "58", or from "058Y" and "013M" as in NIH's first release; missing if over 120."""
    parts = column.astype("string").str.extract(r"^\s*0*([0-9]{1,9})\s*([YMWD]?)\s*$")
    units = parts[1].replace("", "Y").map(YEARS_PER_UNIT)
    years = pd.to_numeric(parts[0]).astype("Float64") * units.astype("Float64")
    return years.mask(years > OLDEST).astype("float64").round(2)


def _patients(rows: pd.DataFrame, path: Path) -> pd.Series:
    nameless = rows[IMAGE][rows[PATIENT].isna()]
    if len(nameless):
        raise InputError(f"{path}: image {nameless.iloc[0]!r} has no {PATIENT}.")
    return as_patients(rows[PATIENT])


def _findings(rows: pd.DataFrame, class_names: tuple[str, ...], path: Path) -> pd.Series:
    column = rows[FINDINGS].fillna("").astype(str)
    for text, names in names_in(column, by_bars).items():
        problem = _problem(names, class_names)
        if problem:
            image = rows[IMAGE][column == text].iloc[0]
            raise InputError(f"{path}: image {image} has {problem}.")
    return column


def _problem(names: frozenset[str], class_names: tuple[str, ...]) -> str | None:
    unknown = sorted(names - set(class_names))
    if unknown:
        return f"the unknown finding {unknown[0]!r}; allowed: {', '.join(class_names)}"
    if not names:
        return f"no {FINDINGS}; a normal image has {NO_FINDING!r}"
    if NO_FINDING in names and len(names) > 1:
        return f"{NO_FINDING!r} beside {', '.join(sorted(names - {NO_FINDING}))}"
    return None


def _split(table: pd.DataFrame, settings: NihSettings) -> pd.Series:
    shares = (settings.validation_share, settings.test_share, settings.split_seed)
    if settings.train_list is None and settings.test_list is None:
        return split_by_patient(table["patient_id"], *shares)
    if settings.train_list is None or settings.test_list is None:
        raise InputError("dataset.train_list and dataset.test_list are given both or not at all.")
    in_train = table["image_id"].isin(_names(settings.train_list))
    in_test = table["image_id"].isin(_names(settings.test_list))
    lists = f"{settings.train_list} and {settings.test_list}"
    wrongly = {"in both of": in_train & in_test, "in none of": ~in_train & ~in_test}
    for problem, wrong in wrongly.items():
        if wrong.any():
            raise InputError(f"Image {table['image_id'][wrong].iloc[0]} is {problem} {lists}.")
    split = pd.Series(np.where(in_test, "test", "train"), index=table.index)
    refuse_shared_patients(table["patient_id"], split, lists)
    share, seed = settings.validation_share, settings.split_seed
    split = with_validation(table["patient_id"], split, share, seed)
    refuse_without_test(split, lists)
    return split


def _names(path: Path) -> set[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the list of images {path}: {error}.") from error
    return {line.strip() for line in text.splitlines() if line.strip()}
