"""Registries are dicts from a name that stands in a study file to what does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from core.errors import InputError

Entry = TypeVar("Entry")


def chosen(registry: Mapping[str, Entry], name: str, what: str) -> Entry:
    """The entry of this name. Raises InputError that lists the names there are of `what` it is."""
    if name not in registry:
        raise InputError(f"There is no {what} {name!r}; known: {', '.join(registry)}.")
    return registry[name]
