"""NIH-CXR-LT and MIMIC-CXR-LT: the label files of Holste et al., MICCAI 2023 (arXiv 2308.09180).

Files `miccai2023_<name>_labels_{train,val,test}.csv`, or the same without `miccai2023_`; without a
`val` file a validation split is taken from train's patients. As the paper's loader reads them,
NIH's name the image in `id` ("00000001_000.png", beside `subj_id`), MIMIC's in `path`
("files/p10/p10000032/s50414267/....jpg"), with one 1/0 column per class. The split is by patient.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pandas as pd

from core.datasets.classes import all_class_names, class_list
from core.datasets.columns import as_patients
from core.datasets.files import ImageFiles, image_files, refuse_missing, relative_path
from core.datasets.splits import refuse_shared_patients, with_validation
from core.datasets.tables import (
    as_attribute,
    other_columns,
    read_rows,
    refuse_missing_columns,
    with_uncertain,
)
from core.errors import InputError
from core.study.labels import KEYS, Labels
from core.study.progress import Advance
from core.study.settings import CxrLtSettings, ImportedSettings

log = logging.getLogger(__name__)

SPLIT_OF_FILE = {"train": "train", "val": "validation", "test": "test"}
IMAGE_COLUMNS = ("id", "path")
PATIENT_COLUMNS = ("subj_id", "subject_id", "patient_id")
# 00000001_000.png is NIH's patient 1; .../p10000032/s50414267/... is MIMIC's patient 10000032.
PATIENT_IN_PATH = re.compile(r"(?:^|/)(?:(\d{8})_\d{3}\.\w+$|p(\d{8})/)")


def label_file(folder: Path, name: str, part: str) -> Path:
    """Where the labels of one split lie; `part` is train, val or test."""
    published = folder / f"miccai2023_{name}_labels_{part}.csv"
    short = folder / published.name.removeprefix("miccai2023_")
    return short if short.is_file() and not published.is_file() else published


def load(settings: CxrLtSettings | ImportedSettings, advance: Advance) -> Labels:
    """Labels in the published split and class order; other columns become attributes.

    Imported predictions may come without images; paths then stand as they were published.
    Raises InputError that names missing files, columns, images, or a patient in two splits.
    """
    class_names = class_list(settings.name)
    rows = _read_files(settings, class_names)
    image_column = next((c for c in IMAGE_COLUMNS if c in rows), None)
    if image_column is None:
        raise InputError(
            f"The label files in {settings.labels} name no images: they need a column `id` (file "
            f"name) or `path` (relative path). Their columns: {', '.join(rows.columns)}."
        )
    files = image_files(settings.images) if settings.images else None
    given = rows["path" if "path" in rows else "id"]
    table = pd.DataFrame(
        {
            "image_id": rows[image_column],
            "patient_id": _patients(rows, given, settings.labels),
            "path": [_find(files, relative_path(path, settings.labels)) for path in given],
            "split": rows["split"],
        }
    )
    if files:
        refuse_missing(table["path"], files, settings.on_bad_image)
    refuse_shared_patients(table["patient_id"], table["split"], str(settings.labels))
    if not (table["split"] == "validation").any():
        shares = (settings.validation_share, settings.split_seed)
        table["split"] = with_validation(table["patient_id"], table["split"], *shares)
    columns = {name: with_uncertain(rows[name]) for name in class_names}
    known = {*KEYS, *class_names, *IMAGE_COLUMNS, *PATIENT_COLUMNS}
    columns |= {name: as_attribute(rows[name]) for name in other_columns(rows, known)}
    return Labels(pd.concat([table, pd.DataFrame(columns)], axis=1), class_names)


def _read_files(
    settings: CxrLtSettings | ImportedSettings, class_names: tuple[str, ...]
) -> pd.DataFrame:
    paths = {part: label_file(settings.labels, settings.name, part) for part in SPLIT_OF_FILE}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing == [paths["val"].name]:
        log.warning(
            "%s lacks %s: validation images are taken from train's patients",
            settings.labels, paths.pop("val").name,
        )  # fmt: skip
        missing = []
    if missing:
        raise InputError(
            f"{settings.labels} lacks {', '.join(missing)}. Expected there: "
            f"{', '.join(path.name for path in paths.values())}."
        )
    other_classes = all_class_names() - set(class_names)
    tables = []
    for part, path in paths.items():
        table = read_rows(path)
        refuse_missing_columns(table, list(class_names), path)
        foreign = [name for name in table.columns if name in other_classes]
        if foreign:
            raise InputError(
                f"{path} has the class {foreign[0]!r}, which is none of the {len(class_names)} "
                f"classes of {settings.name}: {', '.join(class_names)}."
            )
        tables.append(table.assign(split=SPLIT_OF_FILE[part]))
    return pd.concat(tables, ignore_index=True)


def _find(files: ImageFiles | None, path: str) -> str:
    if files is None:
        return path
    # PhysioNet's paths begin with "files/"; people also point at that folder itself.
    inside = path.removeprefix("files/")
    return inside if path not in files.paths and inside in files.paths else files.find(path)


def _patients(rows: pd.DataFrame, paths: pd.Series, folder: Path) -> pd.Series:
    column = next((c for c in PATIENT_COLUMNS if c in rows), None)
    if column is not None:
        patients = rows[column]
    else:
        found = paths.str.extract(PATIENT_IN_PATH)
        patients = found[0].fillna(found[1]).str.lstrip("0")
    nameless = paths[patients.isna()]
    if len(nameless):
        raise InputError(
            f"{folder}: image {nameless.iloc[0]!r} has no patient. Expected: one of the columns "
            f"{', '.join(PATIENT_COLUMNS)}, or names such as 00000001_000.png, p10000032/x.jpg."
        )
    return as_patients(patients)
