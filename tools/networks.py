"""`python -m tools.networks`: write the index of the networks that three libraries can build.

Every network of torchvision.models (classification), timm and torchxrayvision is built on torch's
meta device, without weights. What changes with the number of classes is its head, with the number
of channels its stem, with the image size its tables of positions. Networks with the same names and
shapes are then compared: equal in every module's class and settings, or else by their outputs from
the same random weights, in double precision. Takes many minutes; networks of more than
MOST_WEIGHTS are compared by their settings only, and count as different where these differ.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from multiprocessing import Pool
from typing import Any, get_args

import torch
from torch import nn

from core.engine.libraries import make
from core.study.networks import ALL, INDEX, NO_WEIGHT, Network, any_channels, print_of, sketch_of
from core.study.settings import Architecture

MOST_WEIGHTS = 150_000_000
# Of logits, relative to the largest, from equal weights in double precision.
TOLERANCE = 1e-9
CLASSES, OTHER_CLASSES = 11, 7
# timm's names for what a study file's own networks may compute.
OURS = ("deit_base_patch16_", "vit_base_patch16_", "efficientnet_b", "convnext_")
# Of a module: what changes nothing in evaluation, or what torch keeps for itself.
IDLE = {
    *("training", "pretrained_cfg", "default_cfg", "drop_rate", "drop_prob", "p", "attn_drop"),
    *("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "drop_path_rate"),
}
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
Shapes = dict[str, tuple[int, ...]]


def names() -> Iterator[str]:
    """Every network, in the order in which the first of equals gives its name to the others."""
    import timm
    from torchvision import models

    yield from (f"torchvision/{name}" for name in models.list_models(module=models))
    yield "torchxrayvision/densenet121"
    yield from (f"timm/{name}" for name in timm.list_models())


def on_meta(name: str, *how: Any) -> nn.Module:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(name, *how)


def shapes_of(model: nn.Module) -> Shapes:
    return {
        name: tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
        if not NO_WEIGHT.search(name)
    }


def looked_at(name: str) -> tuple[Network, str]:
    """What the index says of a network, and a digest of its modules' settings."""
    model = on_meta(name, CLASSES)
    shapes = shapes_of(model)
    seen = preprocessing(name, model)
    head, stem = head_and_stem(name, shapes)
    size = seen["image_size"]
    sized: tuple[str, ...] = ()
    if seen["fixed_size"]:
        try:
            sized = changed(shapes, shapes_of(on_meta(name, CLASSES, 3, 2 * size)))
        except Exception:  # whatever a library raises: it takes its own size only
            sized = ()
    fixed = {n: s for n, s in shapes.items() if n not in {*head, *sized}}
    prints = [print_of(n, any_channels(s) if n in stem else s) for n, s in fixed.items()]
    network = Network(
        name=name,
        n_tensors=len(shapes),
        digest=sum(prints) % ALL,
        head=head,
        stem=stem,
        sized=sized,
        like=name,
        sketch=sketch_of(prints),
        **seen,
    )
    return network, settings_of(model)


def changed(shapes: Shapes, others: Shapes) -> tuple[str, ...]:
    return tuple(name for name, shape in shapes.items() if others.get(name) != shape)


def head_and_stem(name: str, shapes: Shapes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What changes with the number of classes, and with that of channels."""
    if name.startswith("torchvision/"):
        head = changed(shapes, shapes_of(on_meta(name, OTHER_CLASSES)))
        return head, (next(n for n, shape in shapes.items() if len(shape) == 4),)
    try:
        both = shapes_of(on_meta(name, OTHER_CLASSES, 1))
    except Exception:  # whatever a library raises: it takes colours only
        return changed(shapes, shapes_of(on_meta(name, OTHER_CLASSES))), ()
    differ = changed(shapes, both)
    head = tuple(one for one in differ if both[one][0] == OTHER_CLASSES)
    return head, tuple(one for one in differ if one not in head)


def preprocessing(name: str, model: nn.Module) -> dict[str, Any]:
    """What the library's own transform for evaluation does."""
    if name.startswith("timm/"):
        cfg: dict[str, Any] = model.pretrained_cfg  # type: ignore[assignment]
        return {
            "image_size": cfg["input_size"][-1],
            "fixed_size": bool(cfg.get("fixed_input_size")),
            "mean": tuple(cfg["mean"]),
            "std": tuple(cfg["std"]),
            "crop": float(cfg.get("crop_pct") or 0.875),
            "interpolation": cfg.get("interpolation") or "bilinear",
        }
    if name.startswith("torchxrayvision/"):
        side = {"image_size": 224, "fixed_size": False}
        xrv = {"mean": (0.5,), "std": (1 / 2048,), "crop": 1.0, "interpolation": "bilinear"}
        return side | xrv
    from torchvision import models

    weights = next(iter(models.get_model_weights(name.partition("/")[2])))
    with_transform = weights.transforms()
    vit = name.startswith("torchvision/vit")
    side = 224 if vit else with_transform.crop_size[0]  # the builder's own
    return {
        "image_size": side,
        "fixed_size": vit,
        "mean": tuple(with_transform.mean),
        "std": tuple(with_transform.std),
        "crop": with_transform.crop_size[0] / with_transform.resize_size[0],
        "interpolation": with_transform.interpolation.value,
    }


def settings_of(model: nn.Module) -> str:
    """A digest of every module's class and plain settings: equal ones compute the same."""
    told = []
    for name, module in model.named_modules():
        plain = [
            (key, ADDRESS.sub("", repr(value)))
            for key, value in sorted(vars(module).items())
            if key not in IDLE and "hook" not in key and not isinstance(value, torch.Tensor)
        ]
        told.append((name, type(module).__module__, type(module).__qualname__, plain))
    return hashlib.sha256(repr(told).encode()).hexdigest()


def state_for(model: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights in which nothing is 0 or 1: what starts as such would hide differences."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if not tensor.is_floating_point():
            state[name] = tensor
        elif name.endswith("running_var"):
            state[name] = noise.abs() + 0.5
        else:
            fan_in = max(tensor.numel() // max(len(tensor), 1), 1) if tensor.dim() > 1 else 10
            state[name] = tensor.double() + 0.3 * noise / fan_in**0.5
    return state


def outputs(model: nn.Module, state: dict[str, torch.Tensor], size: int) -> torch.Tensor:
    model = model.double().eval()
    model.load_state_dict(state, strict=False)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model(images.double())


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) < TOLERANCE * float(one.abs().max())


def compared(group: list[Network], structure: dict[str, str]) -> list[Network]:
    """The same networks, each `like` the first that computes the same."""
    found: list[Network] = []
    firsts: dict[str, Network] = {}  # by settings
    heads: list[tuple[Network, torch.Tensor]] = []  # by outputs
    state: dict[str, torch.Tensor] | None = None
    size = 0
    for network in group:
        if (same := firsts.get(structure[network.name])) is not None:
            found.append(replace(network, like=same.like))
            continue
        firsts[structure[network.name]] = network
        try:
            other = size if network.fixed_size and size and size != network.image_size else None
            on_paper = on_meta(network.name, CLASSES, 3, other)
            if sum(one.numel() for one in on_paper.parameters()) > MOST_WEIGHTS:
                raise ValueError("too large to be compared by its outputs")
            model = make(network.name, CLASSES, 3, other)
            if state is None:
                state = state_for(model)
                size = network.image_size if network.fixed_size else min(network.image_size, 128)
            values = outputs(model, state, size)
        except Exception as error:  # whatever a library raises: it stays on its own
            print(f"  {network.name}: {str(error).splitlines()[0][:100]}", file=sys.stderr)
            found.append(network)
            continue
        for first, theirs in heads:
            if equal(values, theirs):
                network = replace(network, like=first.like)
                firsts[structure[network.name]] = network
                break
        else:
            heads.append((network, values))
        found.append(network)
    return found


def main() -> None:
    with Pool(initializer=torch.set_num_threads, initargs=(1,), maxtasksperchild=100) as pool:
        answers = [one for one in pool.imap(looked_at_or_named, names(), 8) if one]
        networks = {network.name: network for network, _ in answers}
        structure = {network.name: settings for network, settings in answers}
        write(list(networks.values()))
        groups = defaultdict(list)
        for one in networks.values():
            groups[(one.digest, one.head, one.stem, one.sized)].append(one)
        several = [(group, structure) for group in groups.values() if len(group) > 1]
        for found in pool.starmap(compared, several, 1):
            networks |= {one.name: one for one in found}
    write(list(networks.values()))
    write(list(as_ours(networks).values()))


def looked_at_or_named(name: str) -> tuple[Network, str] | None:
    try:
        found = looked_at(name)
        return found if found[0].head else None  # an encoder has no classes
    except Exception as error:  # whatever a library raises: it is left out
        print(f"left out: {name}: {str(error)[:100]}", file=sys.stderr)
        return None


def as_ours(networks: dict[str, Network]) -> dict[str, Network]:
    """timm's networks that a study file's own network computes, under torchvision's names."""
    from core.engine.foreign.adopting import network_of
    from core.engine.foreign.guessing import match_own

    found = dict(networks)
    for one in networks.values():
        if one.library != "timm" or one.like != one.name:
            continue
        if not one.own_name.startswith(OURS):
            continue
        model = make(one.name, CLASSES).eval()
        state = {name: t.float() for name, t in state_for(model).items()}
        tried = [match for match in match_own(state, None) if match.keys.fit]
        if not tried:
            continue
        ours = network_of(tried[0]).double()
        size = tried[0].settings.image_size
        values = outputs(model, {n: t.double() for n, t in state.items()}, size)
        theirs = outputs(ours, {n: t.double() for n, t in ours.state_dict().items()}, size)
        if equal(values, theirs):
            same = f"torchvision/{tried[0].settings.architecture}"
            print(f"{one.name} computes what {same} computes", file=sys.stderr)
            found |= {
                name: replace(other, like=same)
                for name, other in found.items()
                if other.like == one.name
            }
    return found


def write(networks: list[Network]) -> None:
    columns = list(asdict(networks[0]))
    kept = {
        "made_with": {name: version(name) for name in ("torchvision", "timm", "torchxrayvision")},
        "columns": columns,
        "networks": [[asdict(one)[column] for column in columns] for one in networks],
    }
    text = json.dumps(kept, separators=(",", ":")).encode()
    INDEX.write_bytes(gzip.compress(text, 9, mtime=0))
    ours = set(get_args(Architecture))
    print(f"{len(networks)} networks, {INDEX.stat().st_size:,} bytes; {len(ours)} of our own names")


if __name__ == "__main__":
    main()
