"""Networks of the libraries' index whose weights have a file's names and shapes.

The digest of the index is a sum, so a candidate's head, stem and tables of positions are taken off
a file's own sum, and a thousand networks are compared in an instant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import starmap

from core.engine.foreign.layouts import Tensors
from core.study.networks import ALL, NO_WEIGHT, Network, any_channels, index, print_of, sketch_of

# A prefix such as "model." or "module.backbone.": names below the one that most weights are below.
MOST_PREFIXES = 6
# timm's names for what was trained in another way, or ported with other padding.
DERIVED = ("deit", "flexivit", "tf_")


@dataclass(frozen=True)
class Hit:
    network: Network
    prefix: str


def exact(tensors: Tensors) -> list[Hit]:
    """The networks of just these weights, in the order of the index; of the shortest prefix."""
    for prefix in prefixes(tensors):
        shapes = _shapes(tensors, prefix)
        prints = {name: print_of(name, shape) for name, shape in shapes.items()}
        total = sum(prints.values())
        hits = [
            Hit(network, prefix)
            for network in index().networks.values()
            if _left(network, shapes, prints, total) == network.digest
        ]
        if hits:
            return hits
    return []


def alike(tensors: Tensors, n: int = 4) -> list[Hit]:
    """The networks that share most of their names and shapes with the file, the nearest first;
    without those that share hardly any."""
    found: list[tuple[float, Hit]] = []
    for prefix in prefixes(tensors):
        ours = sketch_of(starmap(print_of, _shapes(tensors, prefix).items()))
        for network in index().networks.values():
            shared = sum(a == b for a, b in zip(ours, network.sketch, strict=True))
            if shared >= len(ours) / 4:
                found.append((shared, Hit(network, prefix)))
    found.sort(key=lambda one: (-one[0], one[1].network.own_name.startswith(DERIVED)))
    firsts: dict[str, Hit] = {}
    for _, hit in found:
        firsts.setdefault(hit.network.like, hit)
    return list(firsts.values())[:n]


def prefixes(tensors: Tensors) -> Iterator[str]:
    """ "", and each longer prefix that more than half of the names share."""
    prefix = ""
    for _ in range(MOST_PREFIXES):
        yield prefix
        below: dict[str, int] = {}
        for name in tensors:
            if name.startswith(prefix):
                first, dot, _ = name[len(prefix) :].partition(".")
                if dot:
                    below[first] = below.get(first, 0) + 1
        most = max(below, key=lambda first: below[first], default="")
        if not most or 2 * below[most] <= len(tensors):
            return
        prefix += f"{most}."


def _shapes(tensors: Tensors, prefix: str) -> dict[str, tuple[int, ...]]:
    inside = (
        (name[len(prefix) :], tuple(tensor.shape))
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    )
    return {name: shape for name, shape in inside if not NO_WEIGHT.search(name)}


def _left(
    network: Network, shapes: dict[str, tuple[int, ...]], prints: dict[str, int], total: int
) -> int:
    """The sum without what the index leaves out of this network. A head's layer may have been
    replaced by several, or by one layer in place of the last of several."""
    aside = {*network.head, *network.sized}
    for layer in {name.rpartition(".")[0] for name in network.head}:
        if f"{layer}.weight" not in prints:
            top = layer.partition(".")[0]
            own = (f"{top}.weight", f"{top}.bias")
            aside |= {one for one in prints if one.startswith(f"{layer}.") or one in own}
    for name in network.stem:
        if len(shape := shapes.get(name, ())) > 1:
            total += print_of(name, any_channels(shape)) - prints[name]
    return (total - sum(prints.get(name, 0) for name in aside)) % ALL
