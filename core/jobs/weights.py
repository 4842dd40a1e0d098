"""Deleting weights taken out of a checkpoint, once no upload, no study and no job needs them."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from pathlib import Path
from typing import Any

from core.errors import WorkError
from core.jobs.dependents import studies_that
from core.jobs.queue import jobs
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.trash import remove
from core.upload.uploads import Upload, all_uploads

log = logging.getLogger(__name__)

# Somebody in a terminal may be taking weights out of a file this moment, for a study to be.
SECONDS_TO_BE_NEEDED = 600
_DIGEST = re.compile(r"\.?([0-9a-f]{64})-")


def forget(sha256: str, but: Upload | None = None) -> None:
    """Delete the weights taken out of a file of this digest, unless an upload (other than `but`), a
    study or a job needs them. Raises WorkError where they cannot be deleted."""
    if any(one.sha256 == sha256 for one in all_uploads() if one != but):
        return

    def need(config: StudyConfig) -> bool:
        return config.checkpoint is not None and config.checkpoint.sha256 == sha256

    if (adopted := paths.adopted_paths(sha256)) and not studies_that(need):
        remove(adopted)


def remove_orphans() -> list[Path]:
    """Delete the weights that nobody needs and return their paths: a process that deleted a study
    or a job was killed before it came to them. Where a terminal's preflight left them, the next
    takes them out of its file again.

    Raises WorkError where a job or a study cannot be read, which may need them, or a file cannot be
    deleted.
    """
    old = [path for path in paths.adopted_paths() if _is_old(path)]
    if not old:
        return []
    # Uploads first: one may be deleted as soon as a job that needs it is there.
    needed = {upload.sha256 for upload in all_uploads()}
    needed |= {_digest(job.settings) for job in jobs()}
    needed |= {_digest(_settings(folder)) for folder in store.list_studies()}
    orphans = [
        path for path in old if (found := _DIGEST.match(path.name)) and found[1] not in needed
    ]
    remove(orphans)
    for path in orphans:
        log.info("removed %s, which a deletion that was cut short left", path.name)
    return orphans


def _settings(folder: Path) -> dict[str, Any]:
    """Of a study, as they stand in its file: those of another version are not to be understood."""
    found = store.read_json(paths.study_json(folder))
    if not isinstance(found, dict) or not isinstance(found.get("config"), dict):
        raise WorkError(f"{paths.study_json(folder)} is missing or damaged.")
    return found["config"]


def _digest(settings: dict[str, Any]) -> str:
    return (settings.get("checkpoint") or {}).get("sha256", "")


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > SECONDS_TO_BE_NEEDED
    return False
