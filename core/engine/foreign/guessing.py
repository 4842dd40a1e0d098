"""Which architecture a file's weights are of: the one whose names and shapes they agree with."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch

from core.checkpoints.graphs import GraphFacts
from core.checkpoints.preflight import Candidate, Keys, Reshaped
from core.engine.foreign import finding, hugging_face, monai
from core.engine.foreign.heads import BESIDE, SeveralLayers, head_beside, several_layers
from core.engine.foreign.layouts import LAYOUTS, Layout, Tensors
from core.engine.foreign.translated import Dialect
from core.engine.models import MODELS, build_model, output_layers
from core.errors import InputError
from core.study.networks import NO_WEIGHT as HARMLESS
from core.study.networks import Network, index, of_library, suggestion
from core.study.settings import ModelSettings
from core.wording.amounts import some

Shapes = dict[str, tuple[int, ...]]
# What else those names are left out of: they are made again if the file lacks them.
REMADE = ("num_batches_tracked", "relative_position_index", "relative_coords_table")
# What FSDP and recomputed activations put into the names of the layers they wrap.
WRAPPED = re.compile(r"(?<=\.)(_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
DEFAULT_SIZES = {"resnet_small": 64}
# Tried where the shapes of a network's tables of positions are not those of its default size.
SIZES = (224, 256, 384, 512, 192, 288, 320, 336, 448, 128, 96, 64, 160, 240, 272, 352, 480)


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
    # Networks of the same names and shapes that compute something else.
    alternatives: tuple[str, ...] = ()
    stated: bool = False  # the file itself names its network
    graph: GraphFacts | None = None  # of an ONNX file, and the output that is studied
    output: str = ""


def match(
    tensors: Tensors, architecture: str | None, image_size: int | None, stated: str | None = None
) -> Match:
    """The network that agrees best, or how the file differs from the one that was chosen.

    `stated` is what the file itself calls its network; it decides between networks of equal names
    and shapes. Raises InputError where nothing agrees, or no network has such a name.
    """
    tensors = {WRAPPED.sub("", name): tensor for name, tensor in tensors.items()}
    for dialect in (*hugging_face.DIALECTS, *monai.DIALECTS):
        if (named := dialect.translated(tensors)) is not None:
            found = _match(named, architecture, image_size, stated)
            return _in_dialect(found, dialect, named, image_size)
    return _match(tensors, architecture, image_size, stated)


def _in_dialect(found: Match, dialect: Dialect, named: Tensors, image_size: int | None) -> Match:
    """Of the networks of equal weights, the one that computes what the library does."""
    names = (found.settings.architecture, *found.alternatives)
    fitting = [n for n in names if re.fullmatch(dialect.networks, n.rpartition("/")[2])]
    if not fitting:
        raise InputError(
            f"Its weights are named as in {dialect.library}, and no network known here computes "
            "the same from them. Bring predictions made elsewhere: prunescope import-predictions."
        )
    if fitting[0] != names[0]:
        found = _match(named, fitting[0], image_size, None)
    if fitting[0] in index().networks:
        own_size = index().networks[fitting[0]].image_size
        dialect.check_padding(own_size, found.settings.image_size)
    settings = found.settings.model_copy(update={"norm_eps": dialect.norm_eps})
    return replace(found, settings=settings, library=dialect.library, alternatives=())


def _match(
    tensors: Tensors, architecture: str | None, image_size: int | None, stated: str | None
) -> Match:
    own = match_own(tensors, image_size)
    if architecture:
        return _chosen(tensors, architecture, image_size, own)
    hits = finding.exact(tensors)
    if own and (own[0].keys.fit or (own[0].share >= 0.3 and not hits)):
        plain = own[0]
        if not hits:
            near = [] if plain.keys.fit else _nearest(tensors, image_size)
            if not near or near[0].share <= plain.share:
                return _with(plain, [*own[1:], *near])
            return _with(near[0], [plain, *near[1:]])
        others = [one for one in hits if _differs(one.network, plain.settings.architecture)]
        return _decided(tensors, image_size, plain, others, own[1:], stated)
    if hits:
        first, *others = _one_each(hits)
        plain = compare_library(tensors, first.network, first.prefix, image_size)
        return _decided(tensors, image_size, plain, others, own, stated)
    near = _nearest(tensors, image_size)
    if near:
        return _with(near[0], near[1:])
    raise _unknown(tensors)


def match_own(tensors: Tensors, image_size: int | None) -> list[Match]:
    """The networks of the study file's own names, by falling share."""
    found = [one for layout in LAYOUTS if (one := _marked(tensors, layout)) is not None]
    tried = [
        _compare(tensors, layout, prefix, name, image_size)
        for layout, prefix in found
        for name in layout.architectures
    ]
    return sorted(tried, key=lambda one: -one.share)


def _chosen(tensors: Tensors, architecture: str, image_size: int | None, own: list[Match]) -> Match:
    if of_library(architecture) and architecture in index().networks:
        network = index().networks[architecture]
        prefix = next((h.prefix for h in finding.exact(tensors) if h.network == network), None)
        if prefix is None:
            near = {h.network.name: h.prefix for h in finding.alike(tensors, 50)}
            prefix = near.get(architecture, near.get(network.like, ""))
        return _with(compare_library(tensors, network, prefix, image_size), own)
    if architecture not in MODELS:
        raise InputError(
            f"There is no architecture {architecture!r}; {suggestion(architecture, list(MODELS))}."
        )
    chosen = next((one for one in own if one.settings.architecture == architecture), None)
    if chosen is None:
        raise InputError(
            f"The file's names are not those of {architecture}: {some(list(tensors), 3)}."
        )
    return _with(chosen, [one for one in own if one is not chosen])


def _decided(
    tensors: Tensors,
    image_size: int | None,
    plain: Match,
    others: list[finding.Hit],
    ups: list[Match],
    stated: str | None,
) -> Match:
    """What the file states of networks of equal names and shapes, else the plain one; the rest are
    its alternatives."""
    plain = _with(plain, ups)
    names = tuple(hit.network.name for hit in _one_each(others))
    mine = plain.settings.architecture
    wanted = stated_network(stated)
    if wanted is None:
        return replace(plain, alternatives=names)
    all_hits = {hit.network.name: hit for hit in others}
    for name in wanted:
        if name in all_hits:
            hit = all_hits[name]
            chosen = _with(compare_library(tensors, hit.network, hit.prefix, image_size), ups)
            return replace(chosen, stated=True)
        if name == mine or (
            name in index().networks and not _differs(index().networks[name], mine)
        ):
            return replace(plain, stated=True)
    return replace(plain, alternatives=names)


def stated_network(stated: str | None) -> list[str] | None:
    """The networks that a file may mean by a name such as "tf_efficientnet_b0.ns_jft_in1k"."""
    if not stated:
        return None
    name = stated.strip().removeprefix("hf_hub:").removeprefix("hf-hub:").removeprefix("timm/")
    name = name.partition(".")[0]
    return [*index().by_own_name.get(name, []), name]


def _differs(network: Network, architecture: str) -> bool:
    """Whether it computes something else than one of our own networks, or another's."""
    name = architecture if of_library(architecture) else f"torchvision/{architecture}"
    other = index().networks.get(name)
    return other is None or network.like != other.like


def _one_each(hits: list[finding.Hit]) -> list[finding.Hit]:
    """Of networks that compute the same, the first; one that others were made from comes first."""
    ranked = sorted(hits, key=lambda hit: hit.network.own_name.startswith(finding.DERIVED))
    firsts: dict[str, finding.Hit] = {}
    for hit in ranked:
        firsts.setdefault(hit.network.like, hit)
    return list(firsts.values())


def _nearest(tensors: Tensors, image_size: int | None) -> list[Match]:
    found = []
    for hit in finding.alike(tensors):
        try:
            found.append(compare_library(tensors, hit.network, hit.prefix, image_size))
        except InputError:  # it cannot be built for such images
            continue
    return sorted((one for one in found if one.share >= 0.3), key=lambda one: -one.share)


def _with(found: Match, ups: list[Match]) -> Match:
    near = tuple(Candidate(one.settings.architecture, round(one.share, 4)) for one in ups[:3])
    return replace(found, runner_ups=near)


def _unknown(tensors: Tensors) -> InputError:
    if deep := next((name for name, one in tensors.items() if one.dim() == 5), ""):
        return InputError(
            f"It is a network for volumes: {deep} has five dimensions. Networks here take single "
            "pictures."
        )
    return InputError(
        f"No network known here has weights of such names and shapes ({some(list(tensors), 3)}). "
        f"Known are the classifiers of torchvision {_versions()}, and resnet_small. With others, "
        "predict the test images elsewhere: prunescope import-predictions."
    )


def _versions() -> str:
    made = index().made_with
    return (
        f"{made['torchvision']}, timm {made['timm']} and torchxrayvision {made['torchxrayvision']}"
    )


def compare_library(
    tensors: Tensors, network: Network, prefix: str, image_size: int | None
) -> Match:
    """A file against a network of a library, at the image size that its shapes ask for."""
    layout = Layout(network.library, "", ())
    if not network.fixed_size or not network.sized:
        return _compare(tensors, layout, prefix, network.name, image_size or network.image_size)
    sizes = dict.fromkeys((image_size or network.image_size, network.image_size, *SIZES))
    first = None
    for size in sizes:
        try:
            found = _compare(tensors, layout, prefix, network.name, size)
        except InputError:  # such as a size that its patches do not divide
            continue
        first = first or found
        if not any(one.name in network.sized for one in found.keys.reshaped):
            if image_size not in (None, size):
                raise InputError(
                    f"This {network.name} was made for images of {size} px, not {image_size}; "
                    "leave model.image_size out."
                )
            return found
    if first is None:
        raise InputError(f"{network.name} cannot be built for images of {image_size} px.")
    return first


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
    heads, expected = _expected(architecture, channels, size, 1)
    several = _several(named, heads, expected)
    if several:
        named = several.tensors
        heads, expected = _expected(architecture, channels, size, 1, several.layers)
    else:
        named = _with_plain_head(named, heads[0], expected)
    given = named.get(heads[0])
    n_outputs = given.shape[0] if given is not None and given.dim() >= 2 else 1
    expected = expected | {
        name: (n_outputs, *expected[name][1:])
        for head in heads
        for name in (head, f"{head.removesuffix('weight')}bias")
        if name in expected
    }
    settings = ModelSettings.model_validate(
        {"architecture": architecture, "image_size": size, "channels": channels}
        | ({"head": several.layers} if several else {})
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
    architecture: str, channels: Literal[1, 3], image_size: int, n_outputs: int, head: str = ""
) -> tuple[tuple[str, ...], Shapes]:
    """The classifier's weights, and every name's shape; built without values, so in an instant."""
    settings = ModelSettings.model_validate(
        {"architecture": architecture, "image_size": image_size, "channels": channels, "head": head}
    )
    with torch.device("meta"):
        network = build_model(settings, n_outputs, seed=0)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    last = output_layers(network)
    names = {module: name for name, module in network.named_modules()}
    return tuple(f"{names[layer]}.weight" for layer in last), shapes


def _several(named: Tensors, heads: tuple[str, ...], expected: Shapes) -> SeveralLayers | None:
    shape = expected[heads[0]]
    if len(heads) > 1 or len(shape) != 2:
        return None
    own = {heads[0], f"{heads[0].removesuffix('weight')}bias"}
    return several_layers(named, heads[0], set(expected) - own, shape[1])


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
