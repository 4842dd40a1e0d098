"""A look at a file that somebody brings in the browser: a limited child opens it, and the file is
deleted as soon as there is an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.actions.looking import Look, is_checkpoint, of_checkpoint
from core.checkpoints.preflight import Preflight
from core.processes import children
from core.upload.uploads import Upload

CHECKPOINTS = "core.engine.foreign.facts_child"
ALL_ELSE = "core.actions.looking_child"
Answer = children.Answer[Look]


def ask(upload: Upload, preset: str | None = None) -> None:
    """Start a child that looks, unless there is one or an answer; by a preset, at a table."""
    child = CHECKPOINTS if is_checkpoint(upload.path, upload.name) else ALL_ELSE
    asked = {"path": str(upload.path), "name": upload.name, "preset": preset}
    children.start(_folder(upload), child, asked)


def answer(upload: Upload) -> Answer:
    """How the look stands, without waiting."""
    return children.answer(_folder(upload), _read)


def _read(said: Any) -> Look:
    if "what" in said:
        return Look(**said)
    return of_checkpoint(Preflight.from_json(json.dumps(said).encode()))


def _folder(upload: Upload) -> Path:
    return upload.folder / "looks" / "file"
