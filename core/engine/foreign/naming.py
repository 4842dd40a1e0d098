"""Where the weights of a network lie in what was saved, however training code wrapped them.

Nested dictionaries in, named tensors out. Every mapping of tensors that looks like the weights of a
network is found, by what is in it and not by what it is called; a classifier that lies beside its
backbone is joined to it. Where there are several networks, such as a moving average (EMA), teacher
and student, or a momentum copy, all of them are named, and a person says which.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.engine.foreign.pickle_names import StandIn, Stored
from core.engine.foreign.renaming import WrongChoice
from core.errors import InputError
from core.wording.amounts import some

MAX_TENSORS = 10_000
MAX_PLACES = 20_000
MAX_DEPTH = 6
MAX_NETWORKS = 12
# State of what trains a network, which has shapes like the network's own.
ASIDE = re.compile(
    r"opt|optim.*|.*optimi[sz]er.*|.*sched.*|.*scaler.*|rng.*|.*_rng.*|callbacks?|loops|history|"
    r"metrics?|grads?|gradients?|momentum_buffer.*|exp_avg.*|fp32_groups.*|buffer_names|param_shapes",
    re.IGNORECASE,
)
HEAD = re.compile(r".*(head|classifier|fc|linear|logits|output|last_layer).*", re.IGNORECASE)
# Numbered copies under these are networks; under any other name they are blocks of one.
ENSEMBLE = re.compile(r"(.*_)?(models?|nets?|networks?|members?|folds?|ensemble)_?", re.IGNORECASE)
ROLE = re.compile(
    r"(?:.*_)?(?:student|teacher|ema|swa|online|target|generator|discriminator|critic|"
    r"encoder_[qk]|momentum)(?:_.*)?|(?:net_?)?[gd]",
    re.IGNORECASE,
)
FEW = 5  # tensors: a batch norm has as many, a network more


class Tensor(Protocol):
    """What is asked of a tensor here, whether it has been read or not."""

    def numel(self) -> int: ...

    def dim(self) -> int: ...


Tensors = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """Weights that stand together under `name`, a path of keys and prefixes; "" for the whole."""

    name: str
    tensors: Tensors
    n_weights: int
    wrapper: str = ""


@dataclass(frozen=True)
class Found:
    """The networks of a file, the largest first, and the keys of what lies beside them."""

    networks: tuple[Network, ...]
    beside: tuple[str, ...] = ()

    def chosen(self, name: str | None) -> Network | None:
        """The network of that name, or the only one; None where a person has to say which.

        Raises WrongChoice where none has the name.
        """
        if name is None:
            return self.networks[0] if len(self.networks) == 1 else None
        for network in self.networks:
            if network.name == name:
                return network
        if len(self.networks) == 1:
            raise WrongChoice(f"It holds one network, not {name!r}; leave --network out.")
        names = ", ".join(network.name for network in self.networks)
        raise WrongChoice(f"It holds no network {name!r}; there are: {names}.")


def find_networks(loaded: Any) -> Found:
    """Raises InputError where there are no named weights in what was loaded."""
    if _is_tensor(loaded):
        raise InputError("It holds a single tensor, not the named weights of a network.")
    if isinstance(loaded, StandIn):
        raise _more_than_weights(loaded.name)
    if not isinstance(loaded, Mapping | list | tuple):
        raise InputError(f"It holds a {type(loaded).__name__}, not a dictionary of named weights.")
    states = _with_heads(_states(loaded))
    if not states:
        raise _without_weights(loaded)
    networks = [network for path, state in states for network in _split(path, state)]
    networks = _without_doubles(networks)
    networks.sort(key=lambda network: -network.n_weights)
    largest = networks[0].n_weights
    # What is much smaller and plays no part that one knows is statistics, not a second network.
    kept = [n for n in networks if n.n_weights >= 0.2 * largest or ROLE.fullmatch(_last(n.name))]
    for network in kept:
        if len(network.tensors) > MAX_TENSORS:
            n = len(network.tensors)
            raise InputError(f"It holds {n:,} tensors; networks here have fewer.")
    return Found(tuple(kept[:MAX_NETWORKS]), _beside(loaded, kept))


def join_pruned(tensors: Tensors) -> tuple[Tensors, tuple[str, ...]]:
    """torch.nn.utils.prune keeps `weight_orig` and `weight_mask`: their product is the weight. The
    names that were such a pair come second."""
    joined_tensors, joined = dict(tensors), []
    for name in tensors:
        if not name.endswith("_mask"):
            continue
        stem = name.removesuffix("_mask")
        original, mask = joined_tensors.get(f"{stem}_orig"), joined_tensors[name]
        if original is None:
            continue
        if original.shape != mask.shape:
            raise InputError(
                f"{stem}_orig and {stem}_mask differ in shape: {tuple(original.shape)} and "
                f"{tuple(mask.shape)}."
            )
        joined_tensors[stem] = original * mask.to(original.dtype)
        del joined_tensors[f"{stem}_orig"], joined_tensors[name]
        joined.append(stem)
    return joined_tensors, tuple(joined)


Path = tuple[str, ...]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Stored) or (hasattr(value, "numel") and hasattr(value, "dim"))


def _states(loaded: Any) -> list[tuple[Path, Tensors]]:
    """Every mapping with tensors that could be a network's or a head's, by the way to it."""
    found, unusual = [], []
    for path, place in _mappings(loaded):
        tensors = {str(k): v for k, v in place.items() if isinstance(k, str) and _is_tensor(v)}
        if any(_is_weight(name, tensor) for name, tensor in tensors.items()):
            _refuse_rebuilt(place)
            found.append((path, tensors))
        elif any(tensor.dim() >= 2 for tensor in tensors.values()):
            unusual.append((path, tensors))
    return found or unusual


def _mappings(loaded: Any) -> Iterator[tuple[Path, Mapping[Any, Any]]]:
    waiting: deque[tuple[Path, Any]] = deque([((), loaded)])
    seen: set[int] = set()
    while waiting and len(seen) < MAX_PLACES:
        path, place = waiting.popleft()
        if id(place) in seen:
            continue
        seen.add(id(place))
        if isinstance(place, Mapping):
            yield path, place
            inside = [(key, value) for key, value in place.items() if isinstance(key, str)]
        else:
            inside = [(str(number), value) for number, value in enumerate(place[:100])]
        if len(path) < MAX_DEPTH:
            waiting.extend(
                ((*path, key), value)
                for key, value in inside
                if isinstance(value, Mapping | list | tuple) and not ASIDE.fullmatch(key)
            )


def _is_weight(name: str, tensor: Tensor) -> bool:
    return tensor.dim() >= 2 and bool(re.search(r"(weight|kernel)(_orig|_v|_g)?$", name))


def _refuse_rebuilt(place: Mapping[Any, Any]) -> None:
    """Weights that some class would have made of tensors cannot be had without running it."""
    for key, value in place.items():
        if isinstance(value, StandIn) and isinstance(key, str) and "." in key:
            made_of = (*value.args, *(value.state if isinstance(value.state, tuple) else ()))
            parts = [p for one in made_of for p in (one if isinstance(one, tuple) else (one,))]
            if any(_is_tensor(part) for part in parts):
                raise _more_than_weights(value.name, key)


def _with_heads(states: list[tuple[Path, Tensors]]) -> list[tuple[Path, Tensors]]:
    """A classifier in a dictionary of its own joins the backbone in the one beside it."""
    together: dict[Path, list[tuple[Path, Tensors]]] = {}
    for path, tensors in states:
        together.setdefault(path[:-1] if path else ("",), []).append((path, tensors))
    found = []
    for parent, beside in together.items():
        heads = [one for one in beside if HEAD.fullmatch(one[0][-1] if one[0] else "")]
        heads = [one for one in heads if all(t.dim() <= 2 for t in one[1].values())]
        rest = [one for one in beside if not any(one is head for head in heads)]
        if heads and len(rest) == 1:
            parts = [*rest, *heads]
            joined = {f"{path[-1]}.{name}": t for path, part in parts for name, t in part.items()}
            found.append((parent, joined))
        else:
            found += beside
    return found


def _split(path: Path, state: Tensors) -> list[Network]:
    """The networks whose names stand in one dictionary under prefixes of their own."""
    wrapper, prefix = ".".join(path), ""
    for _ in range(MAX_DEPTH):
        groups: dict[str, list[str]] = {}
        for name in state:
            if name.startswith(prefix):
                group, dot, _ = name[len(prefix) :].partition(".")
                groups.setdefault(group if dot else "", []).append(name)
        large = {g: names for g, names in groups.items() if g and len(names) >= FEW}
        if len(large) >= 2 and (several := _several(prefix, large, state)):
            return [_one_of(network, several, prefix, wrapper, state) for network in several]
        if len(large) != 1:
            break
        prefix += f"{next(iter(large))}."
    return [Network(wrapper, state, _count(state.values()), wrapper)]


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _several(prefix: str, groups: dict[str, list[str]], state: Tensors) -> dict[str, list[str]]:
    """Those of the groups that are networks: with equal names inside, or by the part they play."""
    weights = {group: _count(state[name] for name in names) for group, names in groups.items()}
    if any(ROLE.fullmatch(group) for group in groups):
        most = max(weights.values())
        deep = {g: names for g, names in groups.items() if len(names) > FEW}
        apart = {g: names for g, names in deep.items() if weights[g] >= 0.1 * most}
        return apart if len(apart) > 1 else {}
    alike: dict[frozenset[str], list[str]] = {}
    for group, names in groups.items():
        start = len(prefix) + len(group) + 1
        alike.setdefault(frozenset(name[start:] for name in names), []).append(group)
    twins = max(alike.values(), key=len)
    stems = {re.sub(r"\d+", "", group) for group in twins}
    parent = prefix.rstrip(".").rpartition(".")[2]
    numbered = len(stems) == 1 and not ENSEMBLE.fullmatch(next(iter(stems)) or parent)
    share = sum(weights[group] for group in twins) / max(_count(state.values()), 1)
    if len(twins) < 2 or numbered or share < 0.6 or len(groups[twins[0]]) <= FEW:
        return {}
    return {group: groups[group] for group in twins}


def _one_of(
    group: str, several: dict[str, list[str]], prefix: str, wrapper: str, state: Tensors
) -> Network:
    """One network, with what belongs to none of the others."""
    others = {name for other, names in several.items() if other != group for name in names}
    name = ".".join(part for part in (wrapper, f"{prefix}{group}") if part)
    tensors = {key: tensor for key, tensor in state.items() if key not in others}
    return Network(name, tensors, _count(state[key] for key in several[group]), wrapper)


def _without_doubles(networks: list[Network]) -> list[Network]:
    """Each once, where a file mentions the same tensors under two keys."""
    found: list[Network] = []
    for network in networks:
        if not any(network.tensors == other.tensors for other in found):
            found.append(network)
    return found


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _beside(loaded: Any, networks: list[Network]) -> tuple[str, ...]:
    if not isinstance(loaded, Mapping) or not all(network.wrapper for network in networks):
        return ()
    used = {network.wrapper.partition(".")[0] for network in networks}
    return tuple(str(key)[:80] for key in list(loaded)[:60] if str(key) not in used)[:50]


def _without_weights(loaded: Any) -> InputError:
    values = list(loaded.values()) if isinstance(loaded, Mapping) else list(loaded)
    for value in values[:100]:
        if isinstance(value, StandIn):
            return _more_than_weights(value.name)
    if not isinstance(loaded, Mapping):
        return InputError(f"It holds a {type(loaded).__name__}, not a dictionary of named weights.")
    keys = some(tuple(str(key)[:40] for key in list(loaded)[:5])) if loaded else "nothing"
    return InputError(f"It holds no named weights: {keys}.")


def _more_than_weights(name: str, key: str = "") -> InputError:
    what = f"{key[:80]} is a {name[:100]}" if key else f"it names {name[:100]}"
    return InputError(
        f"It is more than weights: {what}, which is not run here. If it is your own model, save "
        "model.state_dict() and bring that."
    )
