"""Lock files: who works, and at what."""

from __future__ import annotations

from pathlib import Path

from core.study.paths import jobs_database


def worker_running() -> bool:
    """Whether a worker holds this cache folder's lock."""
    return is_locked(worker_lock_path())


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock file. Holds it for a moment itself where none does."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def worker_lock_path() -> Path:
    return jobs_database().with_name("worker.lock")
