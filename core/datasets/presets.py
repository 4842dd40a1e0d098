"""Label files as data sets publish them: what `dataset.preset` of a table knows of each.

A preset says which columns are which and what their values mean, and brings rows into the shape
that `core.datasets.table` reads: one row an image, with its path. Sources stand at each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from core.datasets.files import ImageFiles, without_suffix
from core.datasets.joined import listed
from core.datasets.tables import as_numbers, read_rows, refuse_missing_columns
from core.errors import InputError
from core.study.labels import NO_FINDING
from core.study.settings import TableColumns

log = logging.getLogger(__name__)

CHEXPERT_CLASSES = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)
PATH, SPLIT = "path", "split"
FIRST_ROWS = 200
READER, IMAGE, CLASS = "rad_id", "image_id", "class_name"
# What PadChest's label column holds that is no finding: of the report, of the image as such.
NOT_FINDINGS = frozenset({"", "nan", "unchanged", "exclude", "suboptimal study"})


@dataclass(frozen=True)
class Preset:
    """What a published label file needs to be read.

    columns: settings of `TableColumns` that the user did not choose otherwise.
    classes: the class columns; () for all columns that hold labels and nothing else.
    """

    rows: Callable[[TableColumns], pd.DataFrame]
    columns: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


def read(settings: TableColumns) -> tuple[pd.DataFrame, TableColumns]:
    """The rows of a table and the settings to read them by, as its preset has them.

    Raises InputError that names the file or column at fault.
    """
    if settings.preset is None:
        return read_rows(settings.labels), settings
    preset = PRESETS[settings.preset]
    rows = preset.rows(settings)
    chosen = preset.columns | ({"class_columns": preset.classes} if preset.classes else {})
    changed = {
        name: value for name, value in chosen.items() if name not in settings.model_fields_set
    }
    if "joined_column" in settings.model_fields_set:
        changed.pop("class_columns", None)
    return rows, settings.model_copy(update=changed)


def _chexpert(settings: TableColumns) -> pd.DataFrame:
    """Irvin et al., AAAI 2019: `train.csv`, `valid.csv`; blank is negative, -1 uncertain."""
    return _of_files(settings, {"train.csv": None, "valid.csv": None})


def _brax(settings: TableColumns) -> pd.DataFrame:
    """Reis et al., Sci Data 2022: `master_spreadsheet_update.csv`, labelled as CheXpert is."""
    rows = _one_file(settings, "master_spreadsheet*.csv")
    refuse_missing_columns(rows, ["PngPath", "DicomPath", "PatientID"], settings.labels)
    return rows


def _mimic(settings: TableColumns) -> pd.DataFrame:
    """Johnson et al., PhysioNet 2.0.0 and 2.1.0: labels of studies, beside a table of images."""
    folder, labels = _folder_and_file(settings.labels, "mimic-cxr-*-chexpert.csv*")
    studies = read_rows(labels)
    images = read_rows(_only(folder, "mimic-cxr-*-metadata.csv*"))
    splits = read_rows(_only(folder, "mimic-cxr-*-split.csv*"))
    refuse_missing_columns(studies, ["subject_id", "study_id"], labels)
    keys = ["subject_id", "study_id"]
    kept = [*keys, "dicom_id", *(name for name in ("ViewPosition", "StudyDate") if name in images)]
    refuse_missing_columns(images, kept, folder)
    refuse_missing_columns(splits, ["dicom_id", SPLIT], folder)
    for table, key, one in ((images, "dicom_id", "metadata"), (splits, "dicom_id", "split"),
                            (studies, "study_id", "labels")):  # fmt: skip
        if (twice := table[key].duplicated()).any():
            raise InputError(
                f"{folder}: {key} {table.loc[twice, key].iloc[0]} has several rows in the table of "
                f"the {one}; it should have one. Was a file joined with itself?"
            )
    placed = images[kept].merge(splits[["dicom_id", SPLIT]], on="dicom_id")
    rows = placed.merge(studies, on=keys)
    for n_left, why in ((len(images) - len(placed), "the table of splits lacks them"),
                        (len(placed) - len(rows), "their study has no labels")):  # fmt: skip
        if n_left:
            log.warning("%s: %d of %d images are left out, as %s", labels, n_left, len(images), why)
    patient, study, image = (rows[name] for name in ("subject_id", "study_id", "dicom_id"))
    rows[PATH] = "p" + patient.str[:2] + "/p" + patient + "/s" + study + "/" + image + ".jpg"
    return rows


def _padchest(settings: TableColumns) -> pd.DataFrame:
    """Bustos et al., Med Image Anal 2020: a list of names an image; "normal" is no finding."""
    rows = _one_file(settings, "PADCHEST_chest_x_ray_images_labels*.csv*")
    refuse_missing_columns(rows, ["ImageID", "ImageDir", "PatientID", "Labels"], settings.labels)
    names = rows["Labels"].fillna("").map(_padchest_names)
    unusable = names.map(len).eq(0)
    if unusable.any():
        log.warning(
            "%s: %d of %d images are left out: they are marked as excluded, or name nothing",
            settings.labels, int(unusable.sum()), len(rows),
        )  # fmt: skip
    rows, names = rows[~unusable].reset_index(drop=True), names[~unusable]
    rows["Labels"] = names.map("|".join).tolist()
    rows[PATH] = rows["ImageDir"] + "/" + rows["ImageID"]
    return rows.drop(columns="ImageDir")


def _padchest_names(text: str) -> list[str]:
    found = [name.strip() for name in listed(text)]
    if "exclude" in found:
        return []
    names = [NO_FINDING if name == "normal" else name for name in found if name not in NOT_FINDINGS]
    others = [name for name in names if name != NO_FINDING]
    return sorted(set(others or names))


def _vindr(settings: TableColumns) -> pd.DataFrame:
    """Nguyen et al., Sci Data 2022: a row per image and reader (`image_labels_train.csv`, three
    readers), or per box (`train.csv` of the challenge); the test file holds their consensus."""
    parts = {"image_labels_train.csv": "train", "image_labels_test.csv": "test", "train.csv": None}
    rows = _of_files(settings, parts)
    rows = rows.rename(columns={"Other disease": "Other diseases"})
    refuse_missing_columns(rows, [IMAGE], settings.labels)
    if CLASS in rows:
        refuse_missing_columns(rows, [READER], settings.labels)
        rows = pd.crosstab([rows[IMAGE], rows[READER]], rows[CLASS]).clip(upper=1).reset_index()
    classes = [name for name in rows if name not in (IMAGE, READER, SPLIT)]
    called = rows[classes].apply(as_numbers).apply(pd.to_numeric, errors="coerce").fillna(0)
    share = called.groupby(rows[IMAGE], sort=False).mean()
    found = share > (0.5 if settings.readers == "majority" else 0)
    table = found.astype(int).reset_index()
    if SPLIT in rows:
        table[SPLIT] = table[IMAGE].map(rows.drop_duplicates(IMAGE).set_index(IMAGE)[SPLIT])
    table[PATH] = table[IMAGE] + ".dicom"
    return table.drop(columns=IMAGE)


def _cxr_lt_2024(settings: TableColumns) -> pd.DataFrame:
    """Lin et al., Med Image Anal 2025 (PhysioNet, CXR-LT 2.0.0): `labels.csv` of all 45 classes, or
    the files of task 1; also the `train.csv`, ... of 2023."""
    tasks = {"train_labeled.csv": "train", "development_labeled_task1.csv": "validation"}
    tasks |= {"test_labeled_task1.csv": "test"}
    former = {"train.csv": "train", "development.csv": "validation", "test.csv": "test"}
    folder = settings.labels
    parts = former if folder.is_dir() and (folder / "development.csv").is_file() else tasks
    whole = folder.is_dir() and not any((folder / name).is_file() for name in parts)
    rows = read_rows(_only(folder, "labels.csv")) if whole else _of_files(settings, parts)
    rows = rows.rename(columns={"fpath": PATH})
    refuse_missing_columns(rows, [PATH, "subject_id"], settings.labels)
    return rows


def _cxr_lt_2026(settings: TableColumns) -> pd.DataFrame:
    """Dong et al., Med Image Anal 2026: `CXRLT_2026_training.csv`, images of PadChest."""
    rows = _one_file(settings, "CXRLT_2026_training*.csv")
    refuse_missing_columns(rows, ["ImageID", "PatientID"], settings.labels)
    return rows


MENTIONED = {"blank": "negative", "patient_column": "PatientID"}
# All that `dataset.preset` may be; `core.study.preset_names` has their meanings.
PRESETS: dict[str, Preset] = {
    "chexpert": Preset(_chexpert, {"image_column": "Path", "blank": "negative"}, CHEXPERT_CLASSES),
    "mimic-cxr-jpg": Preset(
        _mimic, {"patient_column": "subject_id", "blank": "negative"}, CHEXPERT_CLASSES
    ),
    "padchest": Preset(
        _padchest, {"patient_column": "PatientID", "joined_column": "Labels", "joined_by": "|"}
    ),
    "vindr-cxr": Preset(_vindr),
    "brax": Preset(_brax, {"image_column": "PngPath", **MENTIONED}, CHEXPERT_CLASSES),
    "cxr-lt-2024": Preset(_cxr_lt_2024, {"patient_column": "subject_id"}),
    "cxr-lt-2026": Preset(_cxr_lt_2026, {"image_column": "ImageID", "patient_column": "PatientID"}),
}


def found_below(paths: pd.Series, files: ImageFiles) -> pd.Series:
    """The paths as they are below the images folder: published tables begin theirs with a folder
    ("CheXpert-v1.0-small/", "files/") that may be the images folder itself, or leave out those in
    which the images lie; and some name other files than the release at hand has (.dicom, .png)."""
    known = files.paths
    if not len(paths) or paths.isin(known).any():
        return paths
    stems: dict[str, str] = {}
    for path in sorted(known):
        stems.setdefault(without_suffix(path), path)
    # The fewest first folders without which an image of the first rows is there: a few may be
    # missing.
    first = paths.head(FIRST_ROWS).str.split("/")
    for n in range(first.map(len).max()):
        ends = first.str[n:].str.join("/")
        if ends.isin(known).any() or ends.map(without_suffix).isin(stems).any():
            ends = paths.str.split("/").str[n:].str.join("/")
            return ends.map(
                lambda path: path if path in known else stems.get(without_suffix(path), path)
            )
    # By the bare name only where one file and one row have it: others may differ.
    names = paths.map(_name)
    files_of: dict[str, list[str]] = {}
    for path in known:
        files_of.setdefault(_name(path), []).append(path)
    only = {name: found[0] for name, found in files_of.items() if len(found) == 1}
    return paths.where(names.duplicated(keep=False) | ~names.isin(only), names.map(only))


def _name(path: str) -> str:
    return without_suffix(path.rpartition("/")[2])


def _of_files(settings: TableColumns, parts: Mapping[str, str | None]) -> pd.DataFrame:
    """The table, or those of the parts that its folder holds, each with its split."""
    if not settings.labels.is_dir():
        return read_rows(settings.labels)
    there = {name: split for name, split in parts.items() if (settings.labels / name).is_file()}
    if not there:
        raise InputError(
            f"{settings.labels} holds none of {', '.join(parts)}. Point dataset.labels at the "
            "file, or at the folder that holds them."
        )
    tables = {name: read_rows(settings.labels / name) for name in there}
    if "test" in there.values():  # without it, the patients at hand are divided
        tables = {name: table.assign(split=there[name]) for name, table in tables.items()}
    return pd.concat(tables.values(), ignore_index=True)


def _one_file(settings: TableColumns, pattern: str) -> pd.DataFrame:
    return read_rows(_folder_and_file(settings.labels, pattern)[1])


def _folder_and_file(labels: Path, pattern: str) -> tuple[Path, Path]:
    return (labels, _only(labels, pattern)) if labels.is_dir() else (labels.parent, labels)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        many = f"{len(found)}: {', '.join(path.name for path in found)}" if found else "none"
        raise InputError(f"{folder} should hold one file {pattern}; it holds {many}.")
    return found[0]
