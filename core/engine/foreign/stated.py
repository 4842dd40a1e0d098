"""The orders of classes that a file states: in what training code saves beside the weights, in the
notes of a safetensors file, or in JSON next to it.

Plain data in, names out. An order is known by what it is called, as `CALLED` lists, wherever it
lies.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.engine.foreign.pickle_names import StandIn
from core.wording.amounts import some

# Without case, "_" and "-".
CALLED = {
    *("class", "classes", "classname", "classnames", "classlist", "classlabels", "categories"),
    *("label", "labels", "labelname", "labelnames", "labellist", "labelset", "labelcols"),
    *("target", "targets", "targetname", "targetnames", "targetcols", "outputnames", "tasks"),
    *("pathology", "pathologies", "pathologynames", "finding", "findings", "findingnames"),
    *("disease", "diseases", "diseasenames", "condition", "conditions"),
    *("classtoidx", "classtoindex", "classtoid", "class2idx", "class2id", "class2index"),
    *("idxtoclass", "indextoclass", "idtoclass", "idx2class", "id2class", "index2class"),
    *("labeltoidx", "labeltoid", "label2idx", "label2id", "label2index"),
    *("idxtolabel", "idtolabel", "idx2label", "id2label", "index2label"),
    *("labelmap", "labelmapping", "classmap", "classmapping", "channeldef"),
}
NETWORK_CALLED = {"arch", "architecture", "modelname", "backbone", "backbonename", "encodername"}
MAX_PLACES = 5000
MAX_DEPTH = 8
MAX_NAMES = 10_000
MAX_ORDERS = 8
UNNAMED = re.compile(r"(LABEL|class|output)[ _]?\d+", re.IGNORECASE)  # as transformers fills in


@dataclass(frozen=True)
class Stated:
    """The names of outputs in order, "" for an output without one, and where the file says so."""

    where: str
    names: tuple[str, ...]


def stated_orders(said: Any) -> tuple[Stated, ...]:
    """Every order in nested dictionaries and stand-ins, the least nested first, each once."""
    found: dict[tuple[str, ...], str] = {}
    for where, key, value in _places(said):
        if _called(key) in CALLED and (names := _names(value)) and not _says_nothing(names):
            found.setdefault(names, where)
            if len(found) == MAX_ORDERS:
                break
    return tuple(Stated(where, names) for names, where in found.items())


def order_of(orders: Sequence[Stated], n_outputs: int) -> tuple[tuple[str, ...], str]:
    """The first order of so many classes, else the first of any length, and what is doubtful where
    two of them fit."""
    fitting = [order for order in orders if len(order.names) == n_outputs]
    doubt = ""
    if len(fitting) > 1:
        first, second = fitting[:2]
        doubt = (
            f"two orders of its outputs are stated, {first.where} ({some(first.names)}) and "
            f"{second.where} ({some(second.names)}); the first is taken, give --classes if it is "
            "the other"
        )
    return next((order.names for order in (*fitting, *orders)), ()), doubt


def unnamed_outputs(n_outputs: int, names: tuple[str, ...]) -> str:
    """Why the stated `names` do not say which output is which."""
    if not names:
        return "the file names no classes"
    return (
        f"the file names {len(names)} classes ({some(names)}) where the network has {n_outputs} "
        "outputs"
    )


def stated_network(said: Any) -> str | None:
    """What the file calls its network: timm's scripts say `arch`, its hub `architecture`."""
    for _, key, value in _places(said):
        if _called(key) in NETWORK_CALLED:
            value = _unwrapped(value)
            if isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable():
                return value
    return None


def notes_of_metadata(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """A safetensors header's notes: text, or JSON as text."""
    return {key: _parsed(text) for key, text in (metadata or {}).items()}


def are_names(names: Any) -> TypeGuard[Sequence[str]]:
    """Whether it is a list of words such as classes are called by."""
    return (
        isinstance(names, list | tuple)
        and 0 < len(names) <= MAX_NAMES
        and all(isinstance(name, str) and len(name) <= 200 for name in names)
    )


def _places(said: Any) -> Iterator[tuple[str, str, Any]]:
    """(where, key, value) of everything named, breadth first, so far as honest files are nested."""
    waiting = deque([("", said, 0)])
    seen: set[int] = set()
    n_places = 0
    while waiting:
        where, place, depth = waiting.popleft()
        if id(place) in seen:
            continue
        seen.add(id(place))
        for key, value in _inside(place).items():
            if not isinstance(key, str):
                continue
            n_places += 1
            if n_places > MAX_PLACES:
                return
            path = f"{where}.{key[:60]}" if where else key[:60]
            yield path, key, value
            if depth < MAX_DEPTH and isinstance(value, Mapping | StandIn):
                waiting.append((path, value, depth + 1))


def _inside(value: Any) -> Mapping[Any, Any]:
    """What is named in a dictionary, or in the object that a stand-in stands for."""
    if isinstance(value, StandIn):
        state = value.state
        if isinstance(state, tuple) and state:  # with slots: (dictionary, slots)
            state = state[0]
        state = state if isinstance(state, Mapping) else {}
        content = state.get("_content")  # OmegaConf
        return {**value.items, **(content if isinstance(content, Mapping) else state)}
    return value if isinstance(value, Mapping) else {}


def _called(key: str) -> str:
    return re.sub(r"[_\-\s]", "", key[:60]).casefold()


def _says_nothing(names: tuple[str, ...]) -> bool:
    return all(not name or name.isdigit() or UNNAMED.fullmatch(name) for name in names)


def _names(value: Any) -> tuple[str, ...]:
    value = _unwrapped(value)
    if isinstance(value, str):
        value = _split(value)
    if isinstance(value, Mapping):
        return _in_order({key: _unwrapped(one) for key, one in list(value.items())[:MAX_NAMES]})
    if isinstance(value, list | tuple):
        value = [_unwrapped(one) for one in value[: MAX_NAMES + 1]]
        if value and all(isinstance(one, Mapping) for one in value):
            return _of_records(value)
    return tuple(value) if are_names(value) else ()


def _in_order(names: Mapping[Any, Any]) -> tuple[str, ...]:
    """{0: "Hernia", 1: ...} as idx_to_class has it, or {"Hernia": 0, ...}; counted from 0 or 1."""
    keys, values = list(names), list(names.values())
    if are_names(values) and all(_number(key) is not None for key in keys):
        by_number = {_number(key): name for key, name in names.items()}
    elif are_names(keys) and all(_is_count(value) for value in values):
        by_number = {value: name for name, value in names.items()}
    else:
        return ()
    numbers = sorted(number for number in by_number if number is not None)
    if len(numbers) < len(names) or numbers[0] not in (0, 1) or numbers[-1] > 2 * len(names) + 1:
        return ()
    if numbers[0] == 1 and numbers[-1] > len(names):
        return ()
    return tuple(by_number.get(number, "") for number in range(numbers[0], numbers[-1] + 1))


def _of_records(records: list[Any]) -> tuple[str, ...]:
    """[{"id": 0, "name": "Hernia"}, ...], as COCO has it."""
    ids = [one.get("id", place) for place, one in enumerate(records)]
    if not all(isinstance(one, int | str) for one in ids):
        return ()
    by_id = {number: one.get("name") for number, one in zip(ids, records, strict=True)}
    return _in_order(by_id) if len(by_id) == len(records) else ()


def _number(key: Any) -> int | None:
    if isinstance(key, str):
        return int(key) if key.isdecimal() and len(key) < 6 else None
    return key if _is_count(key) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NAMES


def _unwrapped(value: Any) -> Any:
    """The list in an OmegaConf node or a NumPy array, the text in a NumPy string."""
    if not isinstance(value, StandIn):
        return value
    state = value.state
    if isinstance(state, Mapping):  # OmegaConf: nodes hold _val, lists and dictionaries _content
        inner = state.get("_val", state.get("_content", value))
        return inner if inner is not value else (value.items or value)
    if isinstance(state, tuple) and len(state) == 5:  # an array: version, shape, type, order, data
        return _array(state[2], state[4], state[1])
    if value.name.endswith("multiarray.scalar") and len(value.args) == 2:
        return _scalar(*value.args)
    return value.items or value


def _array(dtype: Any, data: Any, shape: Any) -> Any:
    if not isinstance(shape, tuple) or len(shape) != 1:
        return None
    if isinstance(data, list):
        return data
    code = _code(dtype)
    if isinstance(data, bytes) and code[:1] == "U" and code[1:].isdecimal():
        width = 4 * int(code[1:5] or 0)
        if width and len(data) <= width * MAX_NAMES:
            pieces = (data[at : at + width] for at in range(0, len(data), width))
            return [_text(piece) for piece in pieces]
    return None


def _scalar(dtype: Any, data: Any) -> Any:
    code = _code(dtype)
    if isinstance(data, bytes) and code[:1] == "U":
        return _text(data[:2000])
    if isinstance(data, bytes) and code in ("i8", "i4", "i2", "i1"):
        return int.from_bytes(data[:8], "little", signed=True)
    return None


def _code(dtype: Any) -> str:
    code = dtype.args[0] if isinstance(dtype, StandIn) and dtype.args else ""
    return code.lstrip("<=|") if isinstance(code, str) else ""


def _text(data: bytes) -> str:
    return data.decode("utf-32-le", "replace").rstrip("\0")


def _split(text: str) -> Any:
    """JSON, or names between commas, semicolons, bars or line ends."""
    if (parsed := _parsed(text)) is not text:
        return parsed
    for separator in ("\n", ";", "|", ","):
        if separator in text:
            return [part.strip() for part in text.strip().split(separator)[: MAX_NAMES + 1]]
    return [text] if re.fullmatch(r"\w[\w ]{0,60}", text) else None  # a network of one output


def _parsed(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
