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
    *("patid", "patientnumber", "patientno", "patientnr", "patientkey", "mrn", "pid"),
    *("participantid", "participant"),
)
SPLITS = ("split", "fold", "set", "partition", "subset")
# Of names joined in one cell, where no column stands for each class.
JOINED = ("findinglabels", "findings", "labels", "label", "classes")
IMAGES = (
    *("path", "imagepath", "filepath", "imageindex", "imageid", "filename", "imagefile"),
    *("image", "file", "index", "id", "dicomid"),
)
# Of people and of how an image was taken: 1 and 0 there are no finding.
NO_CLASSES = frozenset(
    (
        *("sex", "gender", "patientsex", "patientgender", "male", "female", "ismale", "isfemale"),
        *("followup", "view", "viewposition", "frontal", "isfrontal", "appa", "portable"),
    )
)
SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "validate", "dev", "development"),
    "test": ("test", "testing"),
}
SPLIT_MEANINGS = {word: split for split, words in SPELLINGS.items() for word in words}
# CheXpert: .../patient00001/study1/...; MIMIC-CXR: .../p10/p10000032/s50414267/..., or one name of
# these; BRAX: id_ and a UUID; NIH: 00000001_000.png.
PATIENT_FOLDERS = (
    re.compile(r"(?:^|/)(patient[-_]?\d+)/", re.IGNORECASE),
    re.compile(r"(?:^|/)(p\d{8})[/_]s?\d"),
    re.compile(r"(?:^|/)(id_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/"),
    re.compile(r"(?:^|/)(\d{8})_\d{3}(?:\.\w+)?$"),
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
    """`split`, or a column of another known name that holds nothing but names of splits; without
    one, the only column that holds names of splits, test among them."""
    if "split" in rows:
        return "split"
    names = {folded(name): str(name) for name in reversed(rows.columns)}
    found = (names[name] for name in SPLITS if name in names)
    known = next((name for name in found if meant_splits(rows[name]).notna().all()), None)
    if known is not None:
        return known
    texts = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    others = [name for name in texts if _names_splits(rows[name])]
    return others[0] if len(others) == 1 else None


def _names_splits(column: pd.Series) -> bool:
    distinct = pd.Series(column.unique())
    if len(distinct) > len(SPLIT_MEANINGS):
        return False
    meant = meant_splits(distinct)
    return bool(meant.notna().all() and meant.nunique() > 1 and meant.eq("test").any())


def meant_splits(column: pd.Series) -> pd.Series:
    """train, validation, test, or missing."""
    return column.astype("string").str.strip().str.lower().map(SPLIT_MEANINGS)


def image_column(rows: pd.DataFrame, wanted: str) -> str:
    """`wanted`; where that is the default and not there, a column known to name images."""
    if wanted in rows or wanted != "path":
        return wanted
    return known_column(rows, IMAGES) or wanted


def as_patients(column: pd.Series) -> pd.Series:
    """Patients as text. Where some whole numbers are written 7 and others 7.0, as happens to tables
    of which one had blanks, they are one patient."""
    if not (pd.api.types.is_string_dtype(column) or column.dtype == object):
        return column.astype(str)
    text = column.astype("string").str.strip()
    floats = text.str.fullmatch(r"\d+\.0+").fillna(False)
    if not floats.any() or not (text.str.fullmatch(r"\d+").fillna(False)).any():
        return text.astype(str)
    return text.mask(floats, text.str.partition(".")[0]).astype(str)


def patients_in_paths(paths: pd.Series) -> pd.Series | None:
    """The patient's folder in each path, where every path has one of the same kind."""
    text = paths.astype("string")
    for folder in PATIENT_FOLDERS:
        found = text.str.extract(folder, expand=False)
        if found.notna().all():
            return found.astype(str)
    return None
