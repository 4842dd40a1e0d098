"""Where the weights lie in what was saved: wrappers, torch's pruning pairs, and names of classes.

Plain dictionaries in, plain dictionaries out; it works on anything that has the shape of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import torch

from core.errors import InputError

# Under which key training code keeps the state_dict; the first that holds tensors is taken.
WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "weights",
    "model",
    "net",
    "network",
    "model_state",
    "module",
    "params",
    "state_dict_ema",
    "model_ema",
)
CLASS_NAMES = ("class_names", "classes", "labels", "pathologies", "targets", "idx_to_class")
# Lightning keeps a model's arguments under these.
NESTED = ("hyper_parameters", "hparams", "args", "config", "meta")
MAX_TENSORS = 10_000


@dataclass(frozen=True)
class Found:
    """The tensors of a file by name, and what else it says."""

    tensors: dict[str, torch.Tensor]
    wrapper: str = ""
    beside: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()  # names that were a pair of weight_orig and weight_mask


def find_weights(loaded: Any) -> Found:
    """Raises InputError where there is no dictionary of tensors in what was loaded."""
    if isinstance(loaded, torch.Tensor):
        raise InputError("It holds a single tensor, not the named weights of a network.")
    if not isinstance(loaded, Mapping):
        raise InputError(f"It holds a {type(loaded).__name__}, not a dictionary of named weights.")
    state, wrapper = loaded, ""
    for key in WRAPPERS:
        inner = loaded.get(key)
        if isinstance(inner, Mapping) and _n_tensors(inner):
            state, wrapper = inner, key
            break
    # DataParallel inside Lightning, and the like: one wrapper within another.
    if wrapper and isinstance(state.get("state_dict"), Mapping):
        state, wrapper = state["state_dict"], f"{wrapper}.state_dict"
    tensors = {str(k): v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        keys = ", ".join(str(key)[:40] for key in list(loaded)[:5]) or "nothing"
        raise InputError(f"It holds no named weights: {keys}.")
    if len(tensors) > MAX_TENSORS:
        raise InputError(f"It holds {len(tensors):,} tensors; networks here have fewer.")
    beside = tuple(str(key)[:80] for key in loaded if str(key) != wrapper.partition(".")[0])
    return Found(tensors, wrapper, beside[:50] if wrapper else (), _class_names(loaded))


def join_pruned(found: Found) -> Found:
    """torch.nn.utils.prune keeps `weight_orig` and `weight_mask`: their product is the weight."""
    tensors, joined = dict(found.tensors), []
    for name in found.tensors:
        if not name.endswith("_mask"):
            continue
        stem = name.removesuffix("_mask")
        original, mask = tensors.get(f"{stem}_orig"), tensors[name]
        if original is None:
            continue
        if original.shape != mask.shape:
            raise InputError(
                f"{stem}_orig and {stem}_mask differ in shape: {tuple(original.shape)} and "
                f"{tuple(mask.shape)}."
            )
        tensors[stem] = original * mask.to(original.dtype)
        del tensors[f"{stem}_orig"], tensors[name]
        joined.append(stem)
    return replace(found, tensors=tensors, joined=tuple(joined))


def names_of_metadata(metadata: Mapping[str, str] | None) -> tuple[str, ...]:
    """Class names in a safetensors header: JSON, or joined by commas."""
    read: dict[str, Any] = {}
    for key in CLASS_NAMES:
        text = (metadata or {}).get(key)
        if not text:
            continue
        try:
            read[key] = json.loads(text)
        except ValueError:
            read[key] = [part.strip() for part in text.split(",")]
    return _class_names(read)


def _class_names(loaded: Mapping[Any, Any]) -> tuple[str, ...]:
    for place in (loaded, *(loaded.get(key) for key in NESTED)):
        if not isinstance(place, Mapping):
            continue
        for key in CLASS_NAMES:
            names = place.get(key)
            if isinstance(names, Mapping):
                names = _in_order(names)
            if are_names(names):
                return tuple(names)
    return ()


def are_names(names: Any) -> TypeGuard[Sequence[str]]:
    """Whether it is a list of words such as classes are called by."""
    return (
        isinstance(names, list | tuple)
        and 0 < len(names) <= 10_000
        and all(isinstance(name, str) and len(name) <= 200 for name in names)
    )


def _in_order(names: Mapping[Any, Any]) -> list[Any] | None:
    """{0: "Hernia", 1: ...}, as idx_to_class has it."""
    try:
        return [names[key] for key in sorted(names, key=int)]
    except (TypeError, ValueError):
        return None


def _n_tensors(state: Mapping[Any, Any]) -> int:
    inner = state.get("state_dict")
    if isinstance(inner, Mapping):
        return _n_tensors(inner)
    return sum(isinstance(value, torch.Tensor) for value in state.values())
