"""Own data: a zip of images and a CSV, looked at and unpacked by a child, as a `table` dataset.

What is found out first is a `DataReport`; only a person's yes makes the dataset, whole or not at
all. `core.actions.deletion` takes it away again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from core.errors import InputError, WorkError
from core.people import audit
from core.processes import children
from core.study import store
from core.study.config import StudyConfig, read_config
from core.upload.datasets import (
    alone,
    datasets_dir,
    own_datasets,
    write_note,
)
from core.upload.uploads import Upload

CHILD = "core.upload.own_data_child"
VERSION = 2
# In our copy of the table: where each row's image lies below `images/`.
IMAGE_COLUMN = "image_path"
# There as well: the patient's folder in the table's own path, where the zip may lack it.
PATIENT_COLUMN = "patient_folder"
SHARES = ("validation_share", "test_share")


@dataclass(frozen=True)
class Columns:
    """Which columns mean what; None leaves it to what the columns hold. shares: of the patients for
    validation and for testing, where no column says it; None for the default of study files."""

    image: str | None = None
    patient: str | None = None
    split: str | None = None
    classes: tuple[str, ...] = ()
    shares: tuple[float, float] | None = None

    @property
    def share_settings(self) -> dict[str, float]:
        """As a study file has them."""
        return dict(zip(SHARES, self.shares, strict=True)) if self.shares else {}


@dataclass(frozen=True)
class ClassFound:
    class_name: str
    n_positive: int
    frequency: float


@dataclass(frozen=True)
class DataReport:
    """What is in a zip of images and a CSV. Names of files are as the zip has them.

    `missing` are images that the table names and the zip lacks, `unused` the other way round,
    `broken` images that cannot be decoded; a few of each by name, and how many there are.
    """

    table: str
    columns: tuple[str, ...]
    image_column: str
    patient_column: str
    split_column: str
    n_rows: int
    n_images: int
    classes: tuple[ClassFound, ...]
    n_patients: int
    splits: dict[str, int]
    joined_column: str = ""
    missing: tuple[str, ...] = ()
    n_missing: int = 0
    broken: tuple[str, ...] = ()
    n_broken: int = 0
    n_unused: int = 0
    n_skipped: int = 0
    n_bytes: int = 0
    refusal: str | None = None


_REPORT = TypeAdapter(DataReport)
DataAnswer = children.Answer[DataReport]


def look_folder(upload: Upload, columns: Columns) -> Path:
    text = json.dumps([VERSION, asdict(columns)], sort_keys=True)
    return upload.folder / "looks" / hashlib.sha256(text.encode()).hexdigest()[:16]


def look(upload: Upload, columns: Columns) -> None:
    """Start a child that unpacks the zip beside its answer, unless there is one or an answer."""
    asked = {
        "path": str(upload.path),
        "name": upload.name,
        "columns": asdict(columns),
        "person": upload.person,
    }
    children.start(look_folder(upload, columns), CHILD, asked)


def answer(upload: Upload, columns: Columns) -> DataAnswer:
    """How a look stands; a refusal is of a zip that cannot be used at all."""
    return children.answer(look_folder(upload, columns), _REPORT.validate_python)


def forget(upload: Upload, columns: Columns) -> None:
    children.forget(look_folder(upload, columns))


def keep(
    upload: Upload, columns: Columns, name: str, who: str, taken: Collection[str] = ()
) -> StudyConfig:
    """Make the dataset of a look that was not refused, called `name`; returns its study file.

    taken: names of datasets that are not people's own. Of several who keep one name at the same
    moment one does. Raises InputError for a name that is taken or none, WorkError where it cannot
    be kept.
    """
    found = answer(upload, columns)
    if found.report is None or found.report.refusal:
        raise InputError("This data cannot be used as it is, so it was not kept.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        raise InputError(
            f"{name[:60]!r} is no name for a dataset; allowed are up to 41 small letters, digits "
            "and dashes."
        )
    os.sync()  # the zip goes next, and without power what is only written may be nothing
    with alone():
        if name in taken or any(config.study.name == name for config in own_datasets()):
            raise InputError(f"There is a dataset called {name} already.")
        kept = _put_in_place(upload, columns, name, who, found.report)
    forget(upload, columns)
    return kept


def _put_in_place(
    upload: Upload, columns: Columns, name: str, who: str, report: DataReport
) -> StudyConfig:
    unpacked = look_folder(upload, columns) / "unpacked"
    target = datasets_dir() / f"{name}-{upload.id[:8]}"
    toml = _study_file(name, upload.name, target, report, columns)
    try:
        datasets_dir().mkdir(parents=True, exist_ok=True)
        with store.whole_file(unpacked / "study.toml") as path:
            path.write_text(toml, encoding="utf-8")
        read_config(unpacked / "study.toml")  # before anybody can find it
        write_note(unpacked, who)
        audit.record(who, "upload", {"dataset": name, "file": upload.name, "upload": upload.id})
        unpacked.rename(target)
    except OSError as error:
        raise WorkError(f"The dataset could not be kept: {error.strerror}.") from error
    return read_config(target / "study.toml")


def _study_file(name: str, title: str, folder: Path, report: DataReport, columns: Columns) -> str:
    dataset: dict[str, object] = {
        "kind": "table",
        "images": str(folder / "images"),
        "labels": str(folder / "labels.csv"),
        "image_column": IMAGE_COLUMN,
        "on_bad_image": "skip" if report.n_missing or report.n_broken else "fail",
        "joined_column": report.joined_column,
        "class_columns": [one.class_name for one in report.classes] * (not report.joined_column),
        "patient_column": report.patient_column,
        "split_column": report.split_column,
    }
    settings = "\n".join(f"{key} = {_quoted(value)}" for key, value in dataset.items() if value)
    for key, share in columns.share_settings.items():
        settings += f"\n{key} = {share}"
    return f"""\
# Own data, uploaded as a zip. Usable as --dataset of prunescope preflight and analyze.

[study]
name = {_quoted(name)}
title = {_quoted(f"Own data: {title}"[:200])}

[dataset]
{settings}

[model]
architecture = "resnet50"
image_size = 224
"""


def _quoted(value: object) -> str:
    """A string or a list of strings in TOML, whose strings are JSON's but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
