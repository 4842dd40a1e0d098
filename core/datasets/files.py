"""Which image files lie below a folder: found by one walk, never by asking for each image."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from core.errors import InputError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".jp2"),
    *(".dcm", ".dicom"),
)


# Paths that are as they should be, as nearly all are: a table may have a million.
PLAIN = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*")


def without_suffix(path: str) -> str:
    """A path without the suffix of an image; the numbers at the end of a DICOM UID are none."""
    small = path.lower()
    return next((path[: -len(one)] for one in SUFFIXES if small.endswith(one)), path)


def alike(path: str) -> str:
    """The same of paths that differ only in case, or in how macOS takes an ö apart."""
    return unicodedata.normalize("NFC", path).casefold()


def relative_path(text: object, source: Path, row: int | None = None) -> str:
    """A path below the images folder, with forward slashes.

    Raises InputError for an empty, absolute or escaping path; `source` and the number of its `row`
    are named as its origin.
    """
    if isinstance(text, str) and PLAIN.fullmatch(text):
        return text
    given = "" if pd.isna(text) else str(text).strip()
    path = PurePosixPath(given.replace("\\", "/"))
    if not path.parts or "\0" in given:
        where = f" (row {row:,})" if row else ""
        raise InputError(f"{source} holds an image without a path{where}.")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise InputError(
            f"{source}: the image path {given!r} is absolute or leads out of the images folder; "
            "paths are relative to it, such as images/0001.png."
        )
    return path.as_posix()


@dataclass(frozen=True)
class ImageFiles:
    """The files below `folder`, as relative paths with forward slashes."""

    folder: Path
    paths: frozenset[str]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in sorted(self.paths):
            names.setdefault(path.rpartition("/")[2], []).append(path)
        return names

    @cached_property
    def _by_folded(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for path in self.paths:
            names.setdefault(alike(path), []).append(path)
        return names

    def spelled(self, path: str) -> str:
        """`path`, or the only file that is `alike`: x.PNG for x.png."""
        found = [] if path in self.paths else self._by_folded.get(alike(path), [])
        return found[0] if len(found) == 1 else path

    def find(self, path: str) -> str:
        """`path` where it is there, else the one file of that name in any subfolder, else `path`.

        Raises InputError where two files share a bare name, since they may differ.
        """
        path = self.spelled(path)
        if path in self.paths or "/" in path:
            return path
        found = self._by_name.get(path, [])
        if len(found) > 1:
            raise InputError(
                f"{path} is there twice below {self.folder}: {found[0]} and {found[1]}. Point "
                "dataset.images at the folder to use."
            )
        return found[0] if found else path


def image_files(folder: Path) -> ImageFiles:
    """Walk `folder` once. Linked folders are followed, each once."""
    if not folder.is_dir():
        raise InputError(f"dataset.images: {folder} is not a folder.")
    paths: set[str] = set()
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        identity = os.path.realpath(parent)
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        below = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        paths.update(prefix + name for name in names)
    return ImageFiles(folder, frozenset(paths))


def refuse_missing(
    paths: pd.Series, files: ImageFiles, on_bad_image: Literal["fail", "skip"]
) -> None:
    """Raise InputError that names a missing image and how many more there are.

    With "skip" nothing is raised: the missing images stay in the labels until the images are
    decoded, which leaves them out together with broken ones and says so.
    """
    missing = [path for path in paths if path not in files.paths]
    if on_bad_image == "skip" and len(missing) < len(paths):
        return
    if len(missing):
        more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
        raise InputError(
            f"The image {missing[0]}{more} of {len(paths):,} is not below {files.folder}. Put "
            'the files there, or set dataset.on_bad_image = "skip" to leave missing images out.'
        )
