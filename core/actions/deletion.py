"""Deleting a study for good, with the views saved of it. Logged before it happens."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import InputError, WorkError
from core.people import audit
from core.study import store
from core.study.paths import lock_path, studies_dir
from core.study.trash import empty_deleted, put_aside
from core.upload import uploads


def delete_study(folder: Path, who: str) -> None:
    """Delete a study's models, predictions and tables, and the views saved of it; images and study
    files stay, and so do the weights of a given checkpoint as long as anybody else needs them.

    Raises InputError where it runs, is none, or readers judge its images; WorkError where it cannot
    be logged or deleted.
    """
    if folder.parent != studies_dir() or folder.is_symlink() or not folder.is_dir():
        raise InputError(f"There is no study {folder.name}.")
    _refuse_while_readers_need_it(folder)
    digest = _digest_of_checkpoint(folder)
    try:
        with FileLock(lock_path(folder), timeout=0):
            audit.record(who, "deletion", {"study": folder.name})
            with _forgetting_views(folder):
                put_aside(folder)
    except Timeout as error:
        raise InputError(f"{folder.name} is running. Cancel it first.") from error
    except OSError as error:
        raise WorkError(f"Could not delete {folder}: {error.strerror or error}.") from error
    try:
        if digest:  # killed here, it leaves orphans, which the next worker removes
            uploads.forget_weights(digest)
    finally:
        empty_deleted()


def _digest_of_checkpoint(folder: Path) -> str | None:
    try:
        checkpoint = store.read_config(folder).checkpoint
    except (InputError, WorkError):  # damaged, or of another version; deleted all the same
        return None
    return checkpoint.sha256 if checkpoint else None


def _forgetting_views(folder: Path) -> AbstractContextManager[None]:
    from core.actions.saved_views import forgetting_study  # only here: it opens a database

    return forgetting_study(folder.name)


def _refuse_while_readers_need_it(folder: Path) -> None:
    from core.reader_study.database import reader_studies  # only here: it opens a database

    names = [one.name for one in reader_studies(folder.name)]
    if names:
        raise InputError(
            f"{folder.name} has reader studies ({', '.join(names)}), whose readers judge its "
            "images. One that nobody has answered can be deleted on Reader results; one with "
            "answers keeps its study."
        )
