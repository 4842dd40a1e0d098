"""Deleting a study: its folder, for good. Logged before it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

from core.errors import InputError, WorkError
from core.jobs import is_locked
from core.people import audit
from core.study import lock_path, studies_dir


def delete_study(folder: Path, who: str) -> None:
    """Delete a study's models, predictions and tables; images and study files stay.

    Raises InputError where it runs, or is none; WorkError where it cannot be logged or deleted.
    """
    if folder.parent != studies_dir() or folder.is_symlink() or not folder.is_dir():
        raise InputError(f"There is no study {folder.name}.")
    if is_locked(lock_path(folder)):
        raise InputError(f"{folder.name} is running. Cancel it first.")
    audit.record(who, "deletion", {"study": folder.name})
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise WorkError(f"Could not delete all of {folder}: {error.strerror or error}.") from error
