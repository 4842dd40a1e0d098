"""Which architecture a file's weights are of: the one whose names and shapes they agree with."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch

from core.checkpoints.preflight import Candidate, Keys, Reshaped
from core.engine.foreign.heads import BESIDE, head_beside
from core.engine.foreign.layouts import LAYOUTS, Layout, Tensors
from core.engine.models import MODELS, build_model
from core.errors import InputError
from core.study.settings import ModelSettings
from core.wording.amounts import some

Shapes = dict[str, tuple[int, ...]]
# Change no output: counters, what profilers leave, tables that follow from the architecture, and
# torchxrayvision's operating points, which keep each class's order of images.
HARMLESS = re.compile(
    r"(^|\.)(num_batches_tracked|total_ops|total_params|op_threshs|relative_position_index)$"
)
# What else those names are left out of: they are made again if the file lacks them.
REMADE = ("num_batches_tracked", "relative_position_index")
DEFAULT_SIZES = {"resnet_small": 64}


@dataclass(frozen=True)
class Match:
    """A file's tensors in the names of `settings.architecture`, and how they differ from it.

    `outside` are tensors whose names lack the prefix of the network's own.
    """

    settings: ModelSettings
    n_outputs: int
    library: str
    prefix: str
    share: float
    tensors: Tensors
    keys: Keys
    runner_ups: tuple[Candidate, ...]


def match(tensors: Tensors, architecture: str | None, image_size: int | None) -> Match:
    """The architecture that agrees best, or how the file differs from the one that was chosen.

    Raises InputError where nothing agrees, or the architecture has no such name.
    """
    if architecture and architecture not in MODELS:
        raise InputError(f"There is no architecture {architecture!r}; known: {', '.join(MODELS)}.")
    found = [one for layout in LAYOUTS if (one := _marked(tensors, layout)) is not None]
    tried = [
        _compare(tensors, layout, prefix, name, image_size)
        for layout, prefix in found
        for name in layout.architectures
    ]
    tried.sort(key=lambda one: -one.share)
    if architecture:
        chosen = next((one for one in tried if one.settings.architecture == architecture), None)
        if chosen is None:
            raise InputError(
                f"The file's names are not those of {architecture}: {some(list(tensors), 3)}."
            )
        rest = [one for one in tried if one is not chosen]
    elif tried and tried[0].share >= 0.3:
        chosen, *rest = tried
    else:
        raise InputError(
            f"No known architecture has weights of such names and shapes ({some(list(tensors), 3)})"
            f". Known: {', '.join(MODELS)}, as torchvision and, in part, timm and torchxrayvision "
            "name them."
        )
    ups = tuple(Candidate(one.settings.architecture, round(one.share, 4)) for one in rest[:3])
    return Match(**(vars(chosen) | {"runner_ups": ups}))


def _marked(tensors: Tensors, layout: Layout) -> tuple[Layout, str] | None:
    """The prefix under which the layout's marker stands; of several the one of most weights."""
    prefixes = [
        name.removesuffix(layout.marker)
        for name in tensors
        if name == layout.marker or name.endswith(f".{layout.marker}")
    ]
    if not prefixes:
        return None
    counts = Counter({p: sum(name.startswith(p) for name in tensors) for p in prefixes})
    return layout, min(counts, key=lambda prefix: (-counts[prefix], len(prefix)))


def _compare(
    tensors: Tensors, layout: Layout, prefix: str, architecture: str, image_size: int | None
) -> Match:
    inside = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    outside = [name for name in tensors if not name.startswith(prefix)]
    named = layout.rename(inside) | head_beside(tensors, prefix)
    size = _image_size(architecture, named, image_size)
    channels = _channels(named, _expected(architecture, 3, size, 1)[1])
    head, expected = _expected(architecture, channels, size, 1)
    named = _with_plain_head(named, head, expected)
    n_outputs = named[head].shape[0] if head in named and named[head].dim() == 2 else 1
    expected = dict(expected)
    expected[head] = (n_outputs, expected[head][1])
    bias = head.removesuffix("weight") + "bias"
    expected[bias] = (n_outputs,)
    settings = ModelSettings.model_validate(
        {"architecture": architecture, "image_size": size, "channels": channels}
    )
    keys = _differences(named, expected, outside)
    agreeing = {n for n, s in expected.items() if n in named and tuple(named[n].shape) == s}
    weight = sum(named[name].numel() for name in agreeing)
    total = sum(tensor.numel() for name, tensor in named.items() if not HARMLESS.search(name))
    wanted = sum(torch.Size(s).numel() for n, s in expected.items() if not HARMLESS.search(n))
    share = weight / max(total, wanted, 1)
    return Match(settings, n_outputs, layout.library, prefix, min(share, 1.0), named, keys, ())


def _differences(named: Tensors, expected: Shapes, outside: list[str]) -> Keys:
    reshaped = tuple(
        Reshaped(name, tuple(named[name].shape), shape)
        for name, shape in expected.items()
        if name in named and tuple(named[name].shape) != shape
    )
    more = [name for name in named if name not in expected]
    return Keys(
        n_matching=sum(name in expected for name in named) - len(reshaped),
        missing=tuple(n for n in expected if n not in named and not n.endswith(REMADE)),
        unexpected=tuple(name for name in more if not HARMLESS.search(name)),
        reshaped=reshaped,
        ignored=tuple([name for name in more if HARMLESS.search(name)] + outside),
    )


def _channels(named: Tensors, expected: Shapes) -> Literal[1, 3]:
    """Of the first convolution: 1 where it takes grey images as they are."""
    first = next(name for name, shape in expected.items() if len(shape) == 4)
    given = named.get(first)
    return 1 if given is not None and given.dim() == 4 and given.shape[1] == 1 else 3


def _image_size(architecture: str, named: Tensors, wanted: int | None) -> int:
    """A ViT's positions decide it; every other network takes what it is given."""
    positions = named.get("encoder.pos_embedding")
    if architecture == "vit_b_16" and positions is not None and positions.dim() == 3:
        side = round(max(positions.shape[1] - 1, 1) ** 0.5)
        if wanted not in (None, 16 * side):
            raise InputError(
                f"This ViT was made for images of {16 * side} px, not {wanted}; leave "
                "model.image_size out."
            )
        return min(max(16 * side, 16), 1024)
    return wanted or DEFAULT_SIZES.get(architecture, 224)


@lru_cache(maxsize=64)
def _expected(
    architecture: str, channels: Literal[1, 3], image_size: int, n_outputs: int
) -> tuple[str, Shapes]:
    """The classifier's name, and every name's shape; built without values, so in an instant."""
    settings = ModelSettings.model_validate(
        {"architecture": architecture, "image_size": image_size, "channels": channels}
    )
    with torch.device("meta"):
        network = build_model(settings, n_outputs, seed=0)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    linear = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Linear)]
    return f"{linear[-1]}.weight", shapes


def _with_plain_head(named: Tensors, head: str, expected: Shapes) -> Tensors:
    """A classifier that was put into a Sequential, or in place of one, gets its usual name."""
    top = head.partition(".")[0]
    others = [
        name
        for name, tensor in named.items()
        if (name.partition(".")[0] == top or name.startswith(BESIDE))
        and name.endswith(".weight")
        and tensor.dim() == 2
        and name not in expected
    ]
    if head in named or len(others) != 1 or named[others[0]].shape[1] != expected[head][1]:
        return {name: tensor for name, tensor in named.items() if not name.startswith(BESIDE)}
    old, new = others[0].removesuffix("weight"), head.removesuffix("weight")
    return {
        f"{new}{name.removeprefix(old)}" if name.startswith(old) else name: tensor
        for name, tensor in named.items()
    }
