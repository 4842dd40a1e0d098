"""What several files of tests look at, made once in a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[], object]
) -> Path:
    """A cache folder that `make` has filled, in whichever worker of pytest-xdist came first; the
    others wait for it. It is for reading: a test that changes something takes a copy."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder of its own below it
    cache = base / "shared" / name
    cache.parent.mkdir(exist_ok=True)
    with FileLock(cache.with_suffix(".lock")):
        if not cache.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PRUNESCOPE_CACHE", str(cache))
                make()
    return cache
