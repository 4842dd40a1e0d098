"""What JSON beside a checkpoint says of it: our own description, or a library's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.engine.foreign.stated import Stated, stated_network, stated_orders
from core.engine.preprocessing import Normalisation, normalisation
from core.study.settings import PreprocessingName

MAX_BYTES = 2**20
CONFIG = "config.json"
# Beside a file of transformers or timm (their hub), and of MONAI (a bundle).
DESCRIPTIONS = (CONFIG, "../configs/metadata.json")
PROCESSOR = "preprocessor_config.json"
# Of transformers' config.json: what would make other numbers from the same weights, and the values
# with which the networks known here compute the same.
USUAL: dict[str, tuple[Any, ...]] = {
    "downsample_in_bottleneck": (False,),
    "downsample_in_first_stage": (False,),
    "pooling_type": ("mean",),
}
ACTIVATIONS = {"resnet": ("relu",), "efficientnet": ("swish", "silu")}  # all others: gelu


@dataclass(frozen=True)
class Sidecar:
    """What could be read of it; a file without one, or with one of somebody else, says nothing.

    `mean`, `std` and `centre_crop` are a library's, `stated` what it calls the network, `norm_eps`
    what its layer norms add; `refusal` says why no network known here computes the same.
    """

    orders: tuple[Stated, ...] = ()
    image_size: int | None = None
    preprocessing: PreprocessingName | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    centre_crop: float | None = None
    stated: str | None = None
    norm_eps: float | None = None
    refusal: str | None = None


def read_sidecar(path: Path) -> Sidecar:
    """Of ours everything; of a library's its classes, network, and how it sees images."""
    ours = _described(path.with_suffix(".json"))
    orders = stated_orders(ours)
    for name in DESCRIPTIONS:
        orders += stated_orders(_described(path.parent / name))
    config, processor = (_described(path.parent / name) for name in (CONFIG, PROCESSOR))
    if not config.keys() & {"model_type", "pretrained_cfg"}:
        config = {}  # somebody else's
    seen = ours.get("preprocessing")
    side = seen.get("image_size") if isinstance(seen, dict) else None
    timm = config.get("pretrained_cfg")
    eps = config.get("layer_norm_eps")
    return Sidecar(
        orders=orders,
        image_size=_side(side) or _side_of(processor) or _side(config.get("image_size")),
        preprocessing=_name(seen) if isinstance(seen, dict) else None,
        **(_of_timm(timm) if isinstance(timm, dict) else _of_processor(processor)),
        stated=stated_network(config) if isinstance(timm, dict) else None,
        norm_eps=eps if isinstance(eps, float) and 0 < eps <= 0.1 else None,
        refusal=_refusal(config),
    )


def _refusal(config: dict[str, Any]) -> str | None:
    kind = config.get("model_type")
    acts = ACTIVATIONS.get(kind, ("gelu",)) if isinstance(kind, str) else ()
    for name, usual in (USUAL | {"hidden_act": acts}).items():
        if kind is not None and name in config and config[name] not in usual:
            return (
                f"config.json beside it says {name} is {str(config[name])[:40]!r}, and no network "
                "known here computes that. Bring predictions made elsewhere: prunescope "
                "import-predictions."
            )
    return None


def _of_timm(said: dict[str, Any]) -> dict[str, Any]:
    crop = said.get("crop_pct")
    crop = float(crop) if isinstance(crop, int | float) and 0.5 <= crop <= 1 else None
    return {**_normalised(said, "mean", "std"), "centre_crop": crop}


def _of_processor(said: dict[str, Any]) -> dict[str, Any]:
    """transformers' processors stretch pictures to a square, but where they cut the middle out."""
    found = _normalised(said, "image_mean", "image_std")
    crop = 1.0 if said.get("do_center_crop") is True else 0.0
    return found | {"centre_crop": crop if found else None}


def _normalised(said: dict[str, Any], mean: str, std: str) -> dict[str, Any]:
    if said.get("do_normalize") is False:
        return {"mean": (0.0,), "std": (1.0,)}
    both = [_numbers(said.get(name)) for name in (mean, std)]
    if not all(both) or len(both[0]) != len(both[1]) or min(both[1]) <= 0:
        return {}
    return {"mean": both[0], "std": both[1]}


def _numbers(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= 3:
        return ()
    fits = all(isinstance(one, int | float) and -1e4 < one < 1e4 for one in value)
    return tuple(map(float, value)) if fits else ()


def _side_of(processor: dict[str, Any]) -> int | None:
    """{"height": 224, "width": 224}, {"shortest_edge": 224} or 224, of the picture or what is cut
    out of it."""
    for name in ("crop_size", "size"):
        size = processor.get(name) if name == "size" or processor.get("do_center_crop") else None
        if isinstance(size, dict):
            sides = [size[one] for one in ("height", "width", "shortest_edge") if one in size]
            size = sides[0] if sides and sides.count(sides[0]) == len(sides) else None
        if side := _side(size):
            return side
    return None


def _side(value: Any) -> int | None:
    return value if isinstance(value, int) and 16 <= value <= 1024 else None


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
