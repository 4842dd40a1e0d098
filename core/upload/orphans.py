"""Weights that nobody needs any more: those of a study or a job that was deleted by a process which
was killed before it came to them."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from core import study
from core.upload import needs, uploads

# Somebody in a terminal may be taking weights out of a file this moment, for a study to be.
SECONDS_TO_BE_NEEDED = 600
_DIGEST = re.compile(r"\.?([0-9a-f]{64})-")


def remove_orphans() -> list[Path]:
    """Delete the weights of files that are nobody's upload, and of no study and no job; return
    their paths. Where a terminal's preflight left them, the next takes them out of its file again.

    Raises WorkError where the jobs cannot be read, or a file cannot be deleted.
    """
    old = [path for path in study.adopted_paths() if _is_old(path)]
    if not old:
        return []
    needed = {config.checkpoint.sha256 for config in needs.configs() if config.checkpoint}
    needed |= {upload.sha256 for upload in uploads.all_uploads()}
    orphans = [
        path for path in old if (found := _DIGEST.match(path.name)) and found[1] not in needed
    ]
    uploads.remove(orphans)
    return orphans


def _is_old(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > SECONDS_TO_BE_NEEDED
    return False
