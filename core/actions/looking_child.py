"""The process behind a look at a table or an image: `python -m core.actions.looking_child FOLDER`,
within limits. It sees the one file, by a name of ours with the suffix of theirs."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image

from core.actions.looking import PREDICTIONS, TABLES, look
from core.errors import InputError, WorkError
from core.pictures.images import read_grey
from core.processes import children
from core.processes.children import Teller

SECONDS_IN_ALL = 300
MEMORY_BYTES = 4 * 2**30
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
PICTURE_SIDE = 512  # pixels at most


def report(folder: Path, tell: Teller) -> dict[str, Any]:
    """The `Look` at the file that is asked about. Raises InputError in a sentence for what is not
    understood."""
    asked = children.question(folder)
    if asked is None:
        raise WorkError("The question is gone.")
    tell("Looking at the file", 0, 1)
    name, scratch = asked["name"], children.scratch(folder, os.getpid())
    scratch.mkdir()
    place = scratch / f"file{_suffix(name)}"
    os.link(asked["path"], place)

    def in_their_words(text: str) -> str:
        return text.replace(str(place), name).replace(place.name, name)

    try:
        found = look(place)
        picture = _picture(place) if found.what == "image" else ""
    except InputError as error:
        raise InputError(in_their_words(str(error))) from error
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{name} takes more memory than is allowed.") from error
    said = [in_their_words(warning) for warning in found.warnings]
    return asdict(replace(found, warnings=said, picture=picture))


def _suffix(name: str) -> str:
    """What a look goes by; of all others, nothing."""
    lower = name.lower()
    if lower.endswith(".toml"):
        raise InputError(
            f"{name} is a study file, which names files of the server. Look at it there: "
            "prunescope look STUDY.toml"
        )
    if lower.endswith(PREDICTIONS):
        raise InputError(
            f"{name} holds predictions, which are looked at as a folder: prunescope look FOLDER"
        )
    return next((suffix for suffix in (*TABLES, *PICTURES) if lower.endswith(suffix)), "")


def _picture(path: Path) -> str:
    picture = Image.fromarray(read_grey(path))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    children.work(report, SECONDS_IN_ALL, MEMORY_BYTES)
