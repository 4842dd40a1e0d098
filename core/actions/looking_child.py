"""The process behind a look at what is no checkpoint: `python -m core.actions.looking_child
FOLDER`, within limits. It sees the one file, by a name of ours with the suffix of theirs."""

from __future__ import annotations

import base64
import io
import os
import zipfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image

from core.actions.looking import PREDICTIONS, TABLES, Look, look, of_study
from core.errors import InputError, WorkError
from core.pictures.images import read_grey
from core.processes import children
from core.processes.children import Teller
from core.study.config import read_config

SECONDS_IN_ALL = 300
MEMORY_BYTES = 4 * 2**30
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
LABELS = (".csv", ".gz", ".parquet")
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
        own = text.replace(str(place), name).replace(place.name, name)
        return own.replace(str(scratch), "the upload")

    try:
        found = _found(place, name, asked.get("preset"))
        picture = _picture(place) if found.what == "image" else ""
    except InputError as error:
        raise InputError(in_their_words(str(error))) from error
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{name} takes more memory than is allowed.") from error
    said = [in_their_words(warning) for warning in found.warnings]
    return asdict(replace(found, warnings=said, picture=picture))


def _found(place: Path, name: str, preset: str | None) -> Look:
    if place.suffix == ".toml":
        return of_study(read_config(place))
    if place.suffix == ".zip":
        return _archive(place)
    return look(place, {"preset": preset} if preset and place.suffix in LABELS else {}, name)


def _archive(path: Path) -> Look:
    """What a zip holds, by its list of names; nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} is not a readable zip: {error}.") from error
    endings = Counter(Path(name).suffix.lower() or "no suffix" for name in names)
    tables = [name for name in names if name.lower().endswith(TABLES)]
    facts = {"n_files": len(names), "tables": tables, "kinds": dict(endings.most_common(12))}
    on = (
        'A zip is not unpacked here. Bring images with their labels on the page "Analyse a '
        'checkpoint", which looks at them before it keeps anything; or bring one file of it here.'
    )
    return Look("zip", facts, [on])


def _suffix(name: str) -> str:
    """What a look goes by; of all others, nothing."""
    known = (*TABLES, *PICTURES, *PREDICTIONS, ".toml", ".zip")
    return next((suffix for suffix in known if name.lower().endswith(suffix)), "")


def _picture(path: Path) -> str:
    picture = Image.fromarray(read_grey(path))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    children.work(report, SECONDS_IN_ALL, MEMORY_BYTES)
