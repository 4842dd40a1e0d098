"""The columns that label files are known to have, however their names are written.

The study file, the command line, the zip upload and the import of predictions all ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

# Folded, the most telling first. NIH: Patient ID; MIMIC-CXR: subject_id; NIH-CXR-LT: subj_id;
# PadChest and BRAX: PatientID; CheXpert Plus: deid_patient_id.
PATIENTS = (
    *("patientid", "subjectid", "subjid", "deidpatientid", "patient", "subject"),
    *("patid", "patientnumber", "patientno", "patientkey", "mrn"),
)
SPLITS = ("split", "fold", "set", "partition", "subset")
# Of names joined in one cell, where no column stands for each class.
JOINED = ("findinglabels", "findings", "labels", "label", "classes")
IMAGES = (
    *("path", "imagepath", "filepath", "imageindex", "imageid", "filename", "imagefile"),
    *("image", "file", "index", "id", "dicomid"),
)
SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "validate", "dev", "development"),
    "test": ("test", "testing"),
}
SPLIT_MEANINGS = {word: split for split, words in SPELLINGS.items() for word in words}
# CheXpert: .../patient00001/study1/...; MIMIC-CXR: .../p10/p10000032/s50414267/...
PATIENT_FOLDERS = (
    re.compile(r"(?:^|/)(patient[-_]?\d+)/", re.IGNORECASE),
    re.compile(r"(?:^|/)p\d\d/(p\d{8})/"),
)


def folded(name: object) -> str:
    """ "Patient ID", "patient_id" and "PatientID" are one name."""
    return re.sub(r"[\W_]+", "", str(name).casefold())


def known_column(columns: Iterable[object], names: tuple[str, ...]) -> str | None:
    """The column that has the first of these folded names that any has."""
    known: dict[str, str] = {}
    for column in columns:
        known.setdefault(folded(column), str(column))
    return next((known[name] for name in names if name in known), None)


def patient_column(rows: pd.DataFrame) -> str | None:
    """`patient_id`, or the column that has another known name of patients."""
    return "patient_id" if "patient_id" in rows else known_column(rows, PATIENTS)


def split_column(rows: pd.DataFrame) -> str | None:
    """`split`, or a column of another known name that holds nothing but names of splits."""
    if "split" in rows:
        return "split"
    names = {folded(name): str(name) for name in reversed(rows.columns)}
    found = (names[name] for name in SPLITS if name in names)
    return next((name for name in found if meant_splits(rows[name]).notna().all()), None)


def meant_splits(column: pd.Series) -> pd.Series:
    """train, validation, test, or missing."""
    return column.astype("string").str.strip().str.lower().map(SPLIT_MEANINGS)


def image_column(rows: pd.DataFrame, wanted: str) -> str:
    """`wanted`; where that is the default and not there, a column known to name images."""
    if wanted in rows or wanted != "path":
        return wanted
    return known_column(rows, IMAGES) or wanted


def patients_in_paths(paths: pd.Series) -> pd.Series | None:
    """The patient's folder in each path, where every path has one of the same kind."""
    text = paths.astype("string")
    for folder in PATIENT_FOLDERS:
        found = text.str.extract(folder, expand=False)
        if found.notna().all():
            return found.astype(str)
    return None
