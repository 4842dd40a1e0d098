"""Trainings: the weights of runs, shared by all studies that would train the same.

A study's `study.json` refers to its training by id. Studies of given checkpoints, and those that
older versions began, have their weights in their own folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from core.study import paths, store

REFERENCE = "training"


def trained_checkpoint(folder: Path, run: int) -> Path:
    """Where the weights of a study's run lie, or will."""
    own, training = paths.own_checkpoints_dir(folder), _training_of(folder)
    there = paths.training_dir(training) if training and not own.is_dir() else own
    return paths.checkpoint_path(there, run)


def refer(folder: Path, training: str, provenance: dict[str, Any]) -> None:
    """Write a study's provenance with its training, where its weights are not its own."""
    if not paths.own_checkpoints_dir(folder).is_dir():
        provenance.setdefault(REFERENCE, training)
    # From now on nobody deletes it; who does so now is waited for.
    with _references():
        store.write_json(provenance, paths.study_json(folder))


def take_home(folder: Path) -> None:
    """Move a training that no other study refers to into the study's folder, to be deleted with it.

    Killed right after it, nothing is lost: it is a study that has its weights in its own folder.
    Raises OSError where the training cannot be moved.
    """
    training, own = _training_of(folder), paths.own_checkpoints_dir(folder)
    if not training or own.exists() or not paths.training_dir(training).is_dir():
        return
    with _references():
        others = (one for one in store.list_studies() if one != folder)
        if not any(_may_refer(other, training) for other in others):
            paths.training_dir(training).rename(own)


def _references() -> FileLock:
    return FileLock(paths.trainings_lock_path())


def _training_of(folder: Path) -> str | None:
    return store.read_provenance(folder).get(REFERENCE)


def _may_refer(folder: Path, training: str) -> bool:
    """Also where nobody can tell, because `study.json` is damaged."""
    provenance = store.read_provenance(folder)
    return not provenance or provenance.get(REFERENCE) == training
