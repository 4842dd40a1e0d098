"""Weights that nobody needs any more: those of a study or a job that was deleted by a process which
was killed before it came to them."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from pathlib import Path
from typing import Any

from core import jobs
from core.errors import WorkError
from core.study import paths, store
from core.upload import uploads

log = logging.getLogger(__name__)

# Somebody in a terminal may be taking weights out of a file this moment, for a study to be.
SECONDS_TO_BE_NEEDED = 600
_DIGEST = re.compile(r"\.?([0-9a-f]{64})-")


def remove_orphans() -> list[Path]:
    """Delete the weights of files that are nobody's upload, and of no study and no job; return
    their paths. Where a terminal's preflight left them, the next takes them out of its file again.

    Raises WorkError where a job or a study cannot be read, which may need them, or a file cannot be
    deleted.
    """
    old = [path for path in paths.adopted_paths() if _is_old(path)]
    if not old:
        return []
    # Uploads first: one may be deleted as soon as a job that needs it is there.
    needed = {upload.sha256 for upload in uploads.all_uploads()}
    needed |= {_digest(job.settings) for job in jobs.jobs()}
    needed |= {_digest(_settings(folder)) for folder in store.list_studies()}
    orphans = [
        path for path in old if (found := _DIGEST.match(path.name)) and found[1] not in needed
    ]
    uploads.remove(orphans)
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
