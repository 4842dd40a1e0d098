"""The kinds of files there are to fuzz, in one explicit registry."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.case import Kind


class Entry(NamedTuple):
    """`module` and `name` say where its class is: only the child that needs it loads it."""

    module: str
    name: str


KINDS: dict[str, Entry] = {
    "study": Entry("study_files", "StudyFiles"),
    "labels": Entry("labels", "LabelTables"),
    "predictions": Entry("predictions", "Predictions"),
    "checkpoints": Entry("checkpoints", "Checkpoints"),
    "onnx": Entry("graphs", "Graphs"),
    "zips": Entry("zips", "Zips"),
    "dicom": Entry("dicoms", "Dicoms"),
    "jpeg-ls": Entry("dicoms", "JpegLs"),
    "pictures": Entry("pictures", "Pictures"),
    "look": Entry("looks", "Looks"),
}


def make_kind(name: str, folder: Path) -> Kind:
    entry = KINDS[name]
    made: Callable[[Path], Kind] = getattr(import_module(f"tests.fuzz.{entry.module}"), entry.name)
    return made(folder)
