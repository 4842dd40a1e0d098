"""Deleting a folder: out of the way at once, then emptied."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from core.errors import WorkError
from core.study import deleted_dir


def put_aside(folder: Path) -> None:
    """Out of the way at once: half of it would be found by nobody, and be there for ever. Raises
    OSError where it stays."""
    aside = deleted_dir() / f"{folder.name}-{secrets.token_hex(4)}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(aside)


def empty_deleted() -> None:
    """Remove what was deleted, also by a process that was stopped while it did. Raises WorkError
    where something stays."""
    for aside in deleted_dir().glob("*"):
        try:
            shutil.rmtree(aside)
        except FileNotFoundError:  # another process is at it
            continue
        except OSError as error:
            raise WorkError(f"Could not delete all of {aside}: {error.strerror}.") from error
