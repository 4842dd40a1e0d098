"""Datasets of people's own: which there are, whose they are, and what they take of the disk.

Each is a folder `cache/datasets/<name>-<id>/` with `images/`, `labels.csv`, `study.toml`, and
`note.json`, which says who keeps it. One without a note is nobody's, so nobody deletes it here.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from core import store
from core.errors import InputError
from core.study import StudyConfig, cache_dir, read_config


@dataclass(frozen=True)
class OwnDataset:
    """`n_bytes` are those of its files when it was kept, which never change."""

    folder: Path
    config: StudyConfig
    person: str
    n_bytes: int

    @property
    def name(self) -> str:
        return self.config.study.name

    @property
    def images(self) -> Path:
        return self.folder / "images"


def datasets_dir() -> Path:
    return cache_dir() / "datasets"


def write_note(folder: Path, person: str) -> None:
    store.write_json({"person": person, "n_bytes": bytes_below(folder)}, folder / "note.json")


def own_datasets() -> list[StudyConfig]:
    """The study files of all own data, by name."""
    return [one.config for one in _all()]


def datasets_of(person: str) -> list[OwnDataset]:
    """Those that a person keeps, by name."""
    return [one for one in _all() if person and one.person == person]


def bytes_below(folder: Path) -> int:
    """What the files in a folder take, while others may be writing and deleting there."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def _all() -> list[OwnDataset]:
    found = []
    for path in sorted(datasets_dir().glob("*/study.toml")):
        with contextlib.suppress(InputError):
            said = store.read_json(path.parent / "note.json")
            note = said if isinstance(said, dict) else {}
            person, n_bytes = str(note.get("person", "")), int(note.get("n_bytes", 0))
            found.append(OwnDataset(path.parent, read_config(path), person, n_bytes))
    return found
