"""What a checkpoint's own JSON says, where one of ours lies beside its description."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.engine.foreign.naming import are_names
from core.engine.preprocessing import Normalisation, normalisation
from core.study.settings import PreprocessingName

MAX_BYTES = 2**20


@dataclass(frozen=True)
class Sidecar:
    """What could be read of it; a file without one, or with one of somebody else, says nothing."""

    class_names: tuple[str, ...] = ()
    image_size: int | None = None
    preprocessing: PreprocessingName | None = None


def read_sidecar(path: Path) -> Sidecar:
    beside = path.with_suffix(".json")
    try:
        if not beside.is_file() or beside.stat().st_size > MAX_BYTES:
            return Sidecar()
        described: Any = json.loads(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        return Sidecar()
    if not isinstance(described, dict):
        return Sidecar()
    names, seen = described.get("class_names"), described.get("preprocessing")
    side = seen.get("image_size") if isinstance(seen, dict) else None
    return Sidecar(
        class_names=tuple(names) if are_names(names) else (),
        image_size=side if isinstance(side, int) and 16 <= side <= 1024 else None,
        preprocessing=_name(seen) if isinstance(seen, dict) else None,
    )


def _name(seen: dict[str, Any]) -> PreprocessingName | None:
    """Which of ours it describes."""
    try:
        described = Normalisation.described(seen)
    except (KeyError, TypeError):
        return None
    for name in get_args(PreprocessingName):
        if normalisation(name, 1) == described or normalisation(name, 3) == described:
            return name
    return None
