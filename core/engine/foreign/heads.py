"""Classifiers that lie elsewhere than the architecture has them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch

from core.wording.amounts import some

BESIDE = "(beside)."


def head_beside(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The one linear layer whose names lack the prefix of the network, as `BESIDE` names: a
    backbone under `backbone.` often has its classifier beside it."""
    outside = {name: one for name, one in tensors.items() if not name.startswith(prefix)}
    weights = [n for n, one in outside.items() if n.endswith("weight") and one.dim() == 2]
    if len(weights) != 1:
        return {}
    stem = weights[0].removesuffix("weight")
    parts = (name for name in outside if name in (f"{stem}weight", f"{stem}bias"))
    return {f"{BESIDE}{name.removeprefix(stem)}": outside[name] for name in parts}


def several_layers(tensors: Mapping[str, torch.Tensor], unexpected: tuple[str, ...]) -> str:
    """What a classifier of several layers is, in words; "" where there is none."""
    layers = [name for name in unexpected if name.endswith("weight") and tensors[name].dim() == 2]
    chained = all(
        tensors[first].shape[0] == tensors[second].shape[1] for first, second in pairwise(layers)
    )
    if len(layers) < 2 or not chained:
        return ""
    said = [f"{name} {tensors[name].shape[1]} to {tensors[name].shape[0]}" for name in layers]
    return f"Its classifier has {len(layers)} layers ({some(said)}), where one is taken here."
