"""Datasets of people's own: which there are, whose they are, and what they take of the disk.

Each is a folder `cache/datasets/<name>-<id>/` with `images/`, `labels.csv`, `study.toml`, and
`note.json`, which says who keeps it. One without a note, from before there were notes, is nobody's:
everybody may try a checkpoint on it, and only administrators can delete it.

A lock keeps names apart, and datasets from being deleted while a study of them is submitted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import InputError, WorkError
from core.study import store
from core.study.config import StudyConfig, read_config
from core.study.paths import cache_dir, images_dir

SECONDS_TO_WAIT = 30.0  # for the lock; of a large dataset the thumbnails take seconds


@dataclass(frozen=True)
class OwnDataset:
    """`n_bytes` are those of its files when it was kept, which never change; 0 where there is no
    note, and `person` is empty."""

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
    return [one.config for one in all_datasets()]


def datasets_of(person: str) -> list[OwnDataset]:
    """Those that a person keeps, by name."""
    return [one for one in all_datasets() if person and one.person == person]


@contextmanager
def alone() -> Iterator[None]:
    """Among all processes, one at a time keeps a dataset, deletes one, or submits a study of one:
    what it has looked at holds until it is done. Raises WorkError where another takes too long."""
    lock = FileLock(cache_dir() / "datasets.lock", timeout=SECONDS_TO_WAIT)
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise WorkError("Another dataset is being kept or deleted; try again soon.") from error
    except OSError as error:
        raise WorkError(f"{lock.lock_file} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def images_kept(config: StudyConfig) -> Iterator[None]:
    """Nobody deletes the dataset that a study is of while it is submitted; from then on its job
    says that it is needed. Raises InputError where the dataset has gone."""
    folder = images_dir(config.dataset)
    if folder is None or not is_below(folder, datasets_dir()):
        yield
        return
    with alone():
        if not folder.is_dir():
            raise InputError(
                f"The dataset of {config.study.name} was deleted meanwhile, so nothing was "
                "started. Choose another."
            )
        yield


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder, or leads there by links."""
    return path.is_relative_to(folder) or path.resolve().is_relative_to(folder.resolve())


def bytes_of(dataset: OwnDataset) -> int:
    """What it takes of the disk; counted where no note says so."""
    return dataset.n_bytes or bytes_below(dataset.folder)


def bytes_below(folder: Path) -> int:
    """What the files in a folder take, while others may be writing and deleting there."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def all_datasets() -> list[OwnDataset]:
    """Everybody's and nobody's, by name."""
    found = []
    for path in sorted(datasets_dir().glob("*/study.toml")):
        with contextlib.suppress(InputError):
            said = store.read_json(path.parent / "note.json")
            note = said if isinstance(said, dict) else {}
            person, n_bytes = str(note.get("person", "")), int(note.get("n_bytes", 0))
            found.append(OwnDataset(path.parent, read_config(path), person, n_bytes))
    return found
