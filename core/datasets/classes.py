"""The class lists that ship with the project, in `data/classes`."""

from __future__ import annotations

import json
from pathlib import Path

from core.errors import InputError

FOLDER = Path(__file__).resolve().parents[2] / "data" / "classes"


def class_list(name: str) -> tuple[str, ...]:
    """The class names of a published label set, in its order. Unknown names list the valid ones."""
    lists = class_lists()
    if name not in lists:
        raise InputError(f"There is no class list {name!r}; there are: {', '.join(lists)}.")
    return tuple(json.loads(lists[name].read_text(encoding="utf-8"))["classes"])


def class_lists() -> dict[str, Path]:
    """Where each list is, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}


def all_class_names() -> frozenset[str]:
    """Every class name of every shipped list."""
    return frozenset(name for one in class_lists() for name in class_list(one))
