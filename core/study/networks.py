"""The networks that torchvision, timm and torchxrayvision can build: an index of names and shapes.

`python -m tools.networks` makes it from the libraries. It is read without them: a study file's
network is checked by name, and a checkpoint's by `print_of` of its weights, in an instant.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

INDEX = Path(__file__).with_name("networks.json.gz")
LIBRARIES = ("torchvision", "timm", "torchxrayvision")
# Change no output, or follow from the architecture: counters, what profilers leave, tables of
# positions, and heads that only training uses.
NO_WEIGHT = re.compile(
    r"(^|\.)(num_batches_tracked|total_ops|total_params|op_threshs|relative_position_index"
    r"|relative_coords_table|attn_mask)$|^(AuxLogits|aux1|aux2)\."
)
ALL = 2**64


@dataclass(frozen=True)
class Network:
    """One network of a library, at its default image size, for colour images.

    `head` names the weights with a row for each class, `sized` those whose shape follows from the
    image size; both are left out of `digest`, the sum of `print_of` over all other weights, those
    of `stem` with `any_channels`. `like` is the first network, in the order of the index, that
    computes the same from the same weights. `sketch` are the smallest values of `print_of` under
    some orders: how many two networks share says how alike they are.
    """

    name: str
    n_tensors: int
    digest: int
    head: tuple[str, ...]
    stem: tuple[str, ...]
    sized: tuple[str, ...]
    like: str
    image_size: int
    fixed_size: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: float
    interpolation: str
    sketch: tuple[int, ...]

    @property
    def library(self) -> str:
        return self.name.partition("/")[0]

    @property
    def own_name(self) -> str:
        """As its library calls it."""
        return self.name.partition("/")[2]


@dataclass(frozen=True)
class Index:
    networks: dict[str, Network]
    made_with: dict[str, str]

    @cached_property
    def by_own_name(self) -> dict[str, list[str]]:
        """What a library calls a network, to the libraries' names for it here."""
        found: dict[str, list[str]] = {}
        for network in self.networks.values():
            found.setdefault(network.own_name, []).append(network.name)
        return found


@lru_cache(maxsize=1)
def index() -> Index:
    """The index, read once."""
    kept = json.loads(gzip.decompress(INDEX.read_bytes()))
    rows = (dict(zip(kept["columns"], row, strict=True)) for row in kept["networks"])
    return Index({row["name"]: _network(row) for row in rows}, kept["made_with"])


def _network(row: dict[str, Any]) -> Network:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Network(**fields)


def of_library(name: str) -> bool:
    """Whether a network's name is a library's, such as timm/resnet50."""
    return name.partition("/")[0] in LIBRARIES and "/" in name


def check_network(name: str, own: Sequence[str]) -> str:
    """The name, where it is one of `own` or of the index. Raises ValueError with the nearest."""
    if name in own or name in index().networks:
        return name
    raise ValueError(f"there is no network {name[:80]!r}; {suggestion(name, own)}")


def suggestion(name: str, own: Sequence[str]) -> str:
    """What somebody may have meant by a name that no network has, and what is allowed."""
    library, _, last = name[:80].lower().rpartition("/")
    known = {one: [one] for one in own}
    for one, full in index().by_own_name.items():
        of_it = [each for each in full if each.startswith(f"{library}/")] if library else full
        if of_it and not (one in known and not library):
            known[one] = of_it
    near = difflib.get_close_matches(last, known, n=3, cutoff=0.6)
    meant = [full for one in near for full in known[one]]
    asked = f"did you mean {' or '.join(map(repr, meant[:3]))}? " if meant else ""
    return (
        f"{asked}Allowed are {', '.join(map(repr, own))}, and every network of torchvision, timm "
        "and torchxrayvision after its library's name, such as 'timm/resnet50d'"
    )


def any_channels(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a convolution over the channels of images, however many there are."""
    return (shape[0], 0, *shape[2:])


def print_of(name: str, shape: Iterable[int]) -> int:
    """A number below 2**64 for a weight's name and shape. Sums of them, modulo 2**64, stand for
    sets of weights, in any order."""
    text = f"{name}:{'x'.join(map(str, shape))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def sketch_of(prints: Iterable[int], n: int = 24) -> tuple[int, ...]:
    """The smallest value under each of `n` orders (min-wise hashing; Broder, 1997), 32 bits each:
    two sets share about as many of them as their weights' names and shapes have in common."""
    numbers = list(prints)
    orders = [(2 * order + 1) * 0x9E3779B97F4A7C15 % ALL for order in range(n)]
    return tuple(
        min(((one ^ (one >> 29)) * odd % ALL) >> 32 for one in numbers) if numbers else 0
        for odd in orders
    )
