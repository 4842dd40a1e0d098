"""Deleting files, and folders: out of the way at once, then emptied."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from core.errors import WorkError
from core.study.paths import deleted_dir


def remove(files: Iterable[Path]) -> None:
    """Delete files, those that are there. Raises WorkError where one stays."""
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise WorkError(f"Could not delete {path}: {error.strerror}.") from error


def put_aside(folder: Path) -> None:
    """Out of the way at once: half of it would be found by nobody, and be there for ever. Raises
    OSError where it stays."""
    place = deleted_dir()
    if place.is_symlink() or place.is_file():  # what is deleted goes nowhere else
        place.unlink()
    place.mkdir(parents=True, exist_ok=True)
    folder.rename(place / f"{folder.name}-{secrets.token_hex(4)}")


def empty_deleted() -> None:
    """Remove what was deleted, also by a process that was stopped while it did. Links go, and what
    they lead to stays. Raises WorkError where something stays, once all the rest is gone."""
    place = deleted_dir()
    if place.is_symlink():
        return
    kept: list[str] = []
    for aside in sorted(place.glob("*")):
        try:
            _remove(aside)
        except OSError as error:
            kept.append(f"Could not delete all of {aside}: {error.strerror}.")
    if kept:
        raise WorkError(kept[0])


def _remove(aside: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process is at it
        if aside.is_dir() and not aside.is_symlink():
            shutil.rmtree(aside)
        else:
            aside.unlink()
