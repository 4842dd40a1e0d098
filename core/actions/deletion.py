"""Deleting for good: a study, an upload, a dataset of one's own. Logged before it happens."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from core.actions.saved_views import forgetting_study
from core.checkpoints import preflights
from core.errors import InputError, WorkError
from core.jobs import dependents, weights
from core.people import audit
from core.people.access import Person
from core.pictures import thumbnails, xrays
from core.processes import children
from core.reader_study.database import reader_studies
from core.study import store
from core.study.config import StudyConfig
from core.study.paths import images_dir, lock_path, pixels_dirs, studies_dir
from core.study.trainings import take_home
from core.study.trash import empty_deleted, put_aside
from core.upload.datasets import OwnDataset, alone, is_below
from core.upload.uploads import Upload, note_path
from core.wording.amounts import some


def delete_study(folder: Path, who: str) -> None:
    """Delete a study's models, predictions and tables, and the views saved of it; images and study
    files stay, and so do the weights that another study, or of a given checkpoint anybody, needs.

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
            with forgetting_study(folder.name):
                take_home(folder)
                put_aside(folder)
    except Timeout as error:
        raise InputError(f"{folder.name} is running. Cancel it first.") from error
    except OSError as error:
        raise WorkError(f"Could not delete {folder}: {error.strerror or error}.") from error
    try:
        if digest:  # killed here, it leaves orphans, which the next worker removes
            weights.forget(digest)
    finally:
        empty_deleted()


def delete_upload(upload: Upload, who: str) -> None:
    """Delete an upload, with what was found out about it and, unless somebody needs them, the
    weights taken out of it. Studies made of it stay.

    Raises InputError where it is not theirs, WorkError where it cannot be logged or deleted.
    """
    if upload.person != who:
        raise InputError("This upload is somebody else's.")
    audit.record(who, "deletion", {"upload": upload.id, "file": upload.name})
    for folder in upload.folder.glob("*/*"):  # preflights and looks at own data
        children.end(folder)
    weights.forget(upload.sha256, but=upload)
    preflights.forget_reports(upload.path.name)
    try:
        # The note goes first: half a deletion is half an upload, and swept away as one.
        note_path(upload.id).unlink(missing_ok=True)
        shutil.rmtree(upload.folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkError(f"Could not delete all of {upload.name}: {error.strerror}.") from error


def delete_dataset(dataset: OwnDataset, person: Person) -> None:
    """Delete a dataset for good: people their own, administrators any. What was made of its images
    goes first: where that fails the dataset is still there, whole, to be deleted again. No study of
    it is submitted meanwhile.

    Raises InputError where it is not theirs, or where studies need its images, which it names;
    WorkError where it cannot be logged or deleted.
    """
    if person.role != "admin" and dataset.person != person.email:
        raise InputError("This dataset is somebody else's.")
    with alone():
        if not dataset.folder.is_dir():
            raise InputError(f"There is no dataset {dataset.name} any more.")
        _refuse_while_needed(dataset)
        about = {} if dataset.person == person.email else {"of": dataset.person or "nobody"}
        audit.record(person.email, "deletion", {"dataset": dataset.name} | about)
        images = dataset.images.resolve()
        thumbnails.forget((path for path in images.rglob("*") if path.is_file()), xrays.SIZES)
        try:
            preflights.forget_those_on(dataset)
            for folder in (*pixels_dirs(images), dataset.folder):
                put_aside(folder)
        except OSError as error:
            raise WorkError(f"Could not delete {dataset.name}: {error.strerror}.") from error
    empty_deleted()


def _digest_of_checkpoint(folder: Path) -> str | None:
    try:
        checkpoint = store.read_config(folder).checkpoint
    except (InputError, WorkError):  # damaged, or of another version; deleted all the same
        return None
    return checkpoint.sha256 if checkpoint else None


def _refuse_while_readers_need_it(folder: Path) -> None:
    names = [one.name for one in reader_studies(folder.name)]
    if names:
        raise InputError(
            f"{folder.name} has reader studies ({', '.join(names)}), whose readers judge its "
            "images. One that nobody has answered can be deleted on Reader results; one with "
            "answers keeps its study."
        )


def _refuse_while_needed(dataset: OwnDataset) -> None:
    def need(config: StudyConfig) -> bool:
        folder = images_dir(config.dataset)
        return folder is not None and is_below(folder, dataset.folder)

    if names := dependents.studies_that(need):
        raise InputError(
            f"{dataset.name} is used by {'study' if len(names) == 1 else 'studies'} {some(names)}. "
            "Delete what uses it first, on the Jobs page."
        )
