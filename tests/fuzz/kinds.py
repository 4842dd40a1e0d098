"""The kinds of files there are to fuzz, in one explicit registry."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.case import Kind


class Entry(NamedTuple):
    """`module` and `name` say where its class is: only the child that needs it loads it."""

    what: str
    module: str
    name: str


KINDS: dict[str, Entry] = {
    "study": Entry("study files, TOML and --set", "study_files", "StudyFiles"),
    "labels": Entry("label tables, CSV and Parquet", "labels", "LabelTables"),
    "predictions": Entry("predictions, pickle, CSV, Parquet", "predictions", "Predictions"),
    "checkpoints": Entry("checkpoints, safetensors and torch", "checkpoints", "Checkpoints"),
    "zips": Entry("zips of X-rays and a table", "zips", "Zips"),
    "dicom": Entry("DICOM of every transfer syntax", "dicoms", "Dicoms"),
    "jpeg-ls": Entry("one JPEG-LS file, its scan damaged", "dicoms", "JpegLs"),
    "pictures": Entry("PNG, JPEG, TIFF and five more", "pictures", "Pictures"),
}


def make_kind(name: str, folder: Path) -> Kind:
    entry = KINDS[name]
    made: Callable[[Path], Kind] = getattr(import_module(f"tests.fuzz.{entry.module}"), entry.name)
    return made(folder)
