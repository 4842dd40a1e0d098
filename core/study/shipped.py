"""Finished studies that come with an image of PruneScope, copied into the cache folder once.

The folder that PRUNESCOPE_SHIPPED names is laid out as a cache folder is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from core.study.environment import environment
from core.study.paths import cache_dir, studies_dir

COPYING = "copying"


def unpack(say: Callable[[str], None] = print) -> None:
    """Copy what is not in the cache folder yet; a study appears whole or not at all.

    A study that was copied before does not come back after somebody deletes it. An existing study
    of the same name, whatever its settings, stays as it is. `say` hears what was done, or why not.
    A full disk does not keep anyone from the studies there are.
    """
    folder = environment().shipped
    if folder is None:
        return
    marks = cache_dir() / "shipped"
    try:
        marks.mkdir(parents=True, exist_ok=True)
        with FileLock(marks / "unpacking.lock"):
            for source in sorted(folder.glob("studies/*")):
                _unpack_study(source, folder, marks, say)
    except OSError as error:
        say(f"The studies that come with PruneScope could not be copied: {error}")


def _unpack_study(source: Path, shipped: Path, marks: Path, say: Callable[[str], None]) -> None:
    mark = marks / source.name
    if mark.exists():
        return
    name = _name(source)
    if any(_name(there) == name for there in studies_dir().glob(f"{name}-*")):
        say(f"There is a study called {name} already, so the one that comes along stays out.")
        return
    # The images first: the study is what people see.
    images = [path for path in shipped.glob("*/*") if path.parent.name != "studies"]
    for path in [*sorted(images), source]:
        target = cache_dir() / path.relative_to(shipped)
        if not target.exists():
            _copy(path, target, marks / COPYING)
    mark.touch()
    say(f"The finished study {name} was copied to {studies_dir() / source.name}.")


def _copy(source: Path, target: Path, aside: Path) -> None:
    """A folder, copied aside and then moved into place: half a copy is never seen."""
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed here
    try:
        shutil.copytree(source, aside, ignore=shutil.ignore_patterns("*.lock"))
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _name(folder: Path) -> str:
    return folder.name.rpartition("-")[0]  # of <name>-<hash of the settings>
