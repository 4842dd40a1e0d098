"""What JSON beside a checkpoint says of it: our own description, or a library's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.engine.foreign.stated import Stated, stated_orders
from core.engine.preprocessing import Normalisation, normalisation
from core.study.settings import PreprocessingName

MAX_BYTES = 2**20


# Beside a file of transformers or timm (their hub), and of MONAI (a bundle).
DESCRIPTIONS = ("config.json", "../configs/metadata.json")


@dataclass(frozen=True)
class Sidecar:
    """What could be read of it; a file without one, or with one of somebody else, says nothing."""

    orders: tuple[Stated, ...] = ()
    image_size: int | None = None
    preprocessing: PreprocessingName | None = None


def read_sidecar(path: Path) -> Sidecar:
    """Of ours everything; of a library's the classes."""
    ours = _described(path.with_suffix(".json"))
    orders = stated_orders(ours)
    for name in DESCRIPTIONS:
        orders += stated_orders(_described(path.parent / name))
    seen = ours.get("preprocessing")
    side = seen.get("image_size") if isinstance(seen, dict) else None
    return Sidecar(
        orders=orders,
        image_size=side if isinstance(side, int) and 16 <= side <= 1024 else None,
        preprocessing=_name(seen) if isinstance(seen, dict) else None,
    )


def _described(beside: Path) -> dict[str, Any]:
    try:
        if not beside.is_file() or beside.stat().st_size > MAX_BYTES:
            return {}
        described: Any = json.loads(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return described if isinstance(described, dict) else {}


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
