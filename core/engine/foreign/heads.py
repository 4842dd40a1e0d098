"""Classifiers that lie elsewhere than the architecture has them, or have several layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import torch

from core.study.given_networks import BATCH_NORM

BESIDE = "(beside)."
MOST_LAYERS = 4
UNSAID = "relu"  # stands for the activation, which no file holds, until a person has said which

Tensors = dict[str, torch.Tensor]


def head_beside(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """The classifier whose names lack the prefix of the network, as `BESIDE` names: a backbone
    under `backbone.` often has its classifier beside it. One linear layer, or several in a row."""
    outside = {name: one for name, one in tensors.items() if not name.startswith(prefix)}
    weights = [n for n, one in outside.items() if n.endswith("weight") and one.dim() == 2]
    if len(weights) == 1:
        stem = weights[0].removesuffix("weight")
        parts = [name for name in outside if name in (f"{stem}weight", f"{stem}bias")]
    else:
        tops = {name.partition(".")[0] for name in weights}
        stem = f"{tops.pop()}." if len(tops) == 1 else ""
        parts = [name for name in outside if stem and name.startswith(stem)]
    return {f"{BESIDE}{name.removeprefix(stem)}": outside[name] for name in parts}


@dataclass(frozen=True)
class SeveralLayers:
    """`layers` as in `model.head`, and a file's tensors with the classifier's as those of
    `core.engine.classifiers`."""

    layers: str
    tensors: Tensors


def several_layers(
    named: Tensors, head: str, kept: set[str], n_features: int
) -> SeveralLayers | None:
    """A classifier of several linear layers in place of the weight called `head`; None without
    one, or where its order cannot be told. kept: names that are the network's own."""
    starts = (f"{head.partition('.')[0]}.", *(() if head in named else (BESIDE,)))
    inside = [name for name in named if name.startswith(starts) and name not in kept]
    weights = [n for n in inside if n.endswith(".weight") and named[n].dim() == 2]
    layers = _chain({n.removesuffix("weight"): named[n] for n in weights}, n_features)
    if len(layers) < 2:
        return None
    norms = {n.removesuffix("running_mean") for n in inside if n.endswith(".running_mean")}
    places = {part: _place(part) for part in (*layers, *norms)}
    if norms and (None in places.values() or sorted(layers, key=places.get) != layers):  # type: ignore[arg-type]
        return None  # whether a norm comes before or after an activation is in its number only
    words: list[str] = []
    modules: dict[str, int] = {}

    def put(part: str, word: str) -> None:
        modules[part] = len(words)
        words.append(word)

    for number, layer in enumerate(layers):
        last = places[layers[number - 1]] if number else -1
        between = sorted(n for n in norms if (last or 0) < places[n] < places[layer])  # type: ignore[operator]
        before = [n for n in between if number and places[n] == (last or 0) + 1]
        for norm in before:
            put(norm, BATCH_NORM)
        if number:
            words.append(UNSAID)
        for norm in between:
            if norm not in before:
                put(norm, BATCH_NORM)
        put(layer, str(named[f"{layer}weight"].shape[0]))
    if norms - modules.keys():
        return None
    stem = head.removesuffix("weight")
    found = {
        f"{stem}{modules[part]}.{name.removeprefix(part)}" if part in modules else name: tensor
        for name, tensor in named.items()
        for part in [f"{name.rpartition('.')[0]}."]
    }
    return SeveralLayers(" ".join(words[:-1]), found)


def _chain(weights: Mapping[str, torch.Tensor], n_features: int) -> list[str]:
    """The layers in the order in which each takes what the one before gives; of several orders
    that of their names. Empty where there is none."""
    if len(weights) > MOST_LAYERS:
        return []
    for order in permutations(sorted(weights, key=_natural)):
        widths = [n_features, *(weights[layer].shape[0] for layer in order)]
        if all(weights[layer].shape[1] == w for layer, w in zip(order, widths, strict=False)):
            return list(order)
    return []


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]


def _place(part: str) -> int | None:
    """The number of a module in a Sequential."""
    number = part.rstrip(".").rpartition(".")[2]
    return int(number) if number.isdecimal() and len(number) < 4 else None
