"""What an ONNX file is, from its own bytes, and why one is refused before anything opens it.

The numbers of fields are those of onnx.proto (https://github.com/onnx/onnx). Only plain graphs of
the standard's own operators pass: no data in other files, no other graphs inside, nothing random.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from core.checkpoints.formats import shown
from core.checkpoints.graphs import GraphFacts, GraphInput
from core.engine.foreign.protobuf import Malformed, Message
from core.errors import InputError

MOST_PARTS = 3_000_000
MOST_NODES = 50_000
MOST_WEIGHTS = 500_000_000
MOST_AT_ONCE = 256
SIDES = range(16, 1025)
DOMAINS = ("", "ai.onnx")
RANDOM = re.compile(r"Random\w*|Multinomial|Bernoulli")
# TensorProto.DataType: name, and bytes of a value in raw_data (0: of no fixed number).
TYPES = {
    **{1: ("float32", 4), 2: ("uint8", 1), 3: ("int8", 1), 4: ("uint16", 2), 5: ("int16", 2)},
    **{6: ("int32", 4), 7: ("int64", 8), 8: ("string", 0), 9: ("bool", 1), 10: ("float16", 2)},
    **{11: ("float64", 8), 12: ("uint32", 4), 13: ("uint64", 8), 14: ("complex64", 8)},
    **{15: ("complex128", 16), 16: ("bfloat16", 2)},
}
IMAGES = ("float32", "float16", "float64", "uint8")
WEIGHTS = ("float32", "float16", "float64", "bfloat16", "int8", "uint8")
# Change the shape or the type of what comes in, and no value.
PASS_ON = ("Identity", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose")
SCALE = ("Sub", "Div", "Mul", "Add")
DATA_FIELDS = (4, 5, 6, 7, 9, 10, 11)  # of a tensor: its values by type


class _Node:
    def __init__(self, message: Message) -> None:
        self.inputs, self.outputs = message.texts(1), message.texts(2)
        self.operator = message.text(4)
        self.domain = message.text(7)
        self.attributes = list(message.inside(5))

    def number(self, name: str, otherwise: int) -> int:
        found = (one.number(3, otherwise) for one in self.attributes if one.text(1) == name)
        return next(found, otherwise)


def graph_facts(data: bytes | memoryview) -> GraphFacts:
    """Raises InputError, in a sentence about "the graph", for what is not run here."""
    if bytes(data[4:8]) == b"ORTM":  # onnxruntime would take it for its own format
        raise InputError("the file is damaged")
    try:
        return _facts(Message(memoryview(data), [MOST_PARTS]))
    except Malformed as error:
        raise InputError(f"the file cannot be read: {error}") from error


def _facts(model: Message) -> GraphFacts:
    graphs = list(model.inside(7))
    if len(graphs) != 1:
        raise InputError("the file is damaged: it holds no graph, or several")
    if model.has(20, 25):
        raise InputError("the graph comes with functions or training of its own; export it plainly")
    opsets = {one.text(1): one.number(2) for one in model.inside(8)}
    graph = graphs[0]
    nodes = _nodes(graph)
    weights = _weights(graph, nodes)
    given = _input(graph, nodes, weights)
    return GraphFacts(
        opset=next((opsets[domain] for domain in DOMAINS if domain in opsets), 0),
        n_nodes=len(nodes),
        n_weights=sum(math.prod(dims) for kind, dims in weights.values() if kind in WEIGHTS),
        operators=tuple(Counter(node.operator for node in nodes).most_common(8)),
        dtypes=dict(Counter(kind for kind, _ in weights.values())),
        input=given,
        first=_first(given.name, nodes),
        outputs=tuple(one.text(1) for one in graph.inside(12)),
        ends={one.text(1): _end(one.text(1), nodes) for one in graph.inside(12)},
        notes={one.text(1)[:200]: one.text(2)[:100_000] for one in model.inside(14)},
    )


def _nodes(graph: Message) -> list[_Node]:
    nodes = []
    for message in graph.inside(1):
        node = _Node(message)
        nodes.append(node)
        named = shown(node.operator)
        if len(nodes) > MOST_NODES:
            raise InputError(f"the graph has more than {MOST_NODES:,} operators")
        if node.domain not in DOMAINS:
            raise InputError(
                f"the graph needs the operator {named} of {shown(node.domain)}, which is not in "
                "the ONNX standard; export it without optimisations of a runtime"
            )
        if RANDOM.fullmatch(node.operator):
            raise InputError(f"the graph draws random numbers ({named}), so no answer is the same")
        for attribute in node.attributes:
            if attribute.has(6, 11):
                raise InputError(
                    f"the graph holds other graphs ({named}), which may run for ever; export it "
                    "without loops and conditions"
                )
            if attribute.has(22, 23):
                raise InputError(f"the graph has sparse weights ({named}); store them as dense")
    return nodes


def _tensors(graph: Message, nodes: list[_Node]) -> Iterator[Message]:
    yield from graph.inside(5)
    for node in nodes:
        for attribute in node.attributes:
            yield from attribute.inside(5)
            yield from attribute.inside(10)


def _weights(graph: Message, nodes: list[_Node]) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of each stored tensor by name; all of a tensor's values are in the file."""
    if graph.has(15):
        raise InputError("the graph has sparse weights; store them as dense")
    found: dict[str, tuple[str, list[int]]] = {}
    total = 0
    for position, tensor in enumerate(_tensors(graph, nodes)):
        name = tensor.text(8) or f"tensor {position}"
        if tensor.has(13, 14) and (tensor.has(13) or any(tensor.numbers(14))):
            raise InputError(
                f"the weights {shown(name)} lie in another file; save the network with its weights "
                "in one file (onnx.save_model with save_as_external_data=False)"
            )
        kind, dims = tensor.number(2), tensor.numbers(1)
        if kind not in TYPES or any(dim < 0 for dim in dims) or len(dims) > 16:
            raise InputError(f"{shown(name)} is of a type or shape that is not read")
        called, each = TYPES[kind]
        n, raw = math.prod(dims), tensor.n_bytes(9)
        held = raw if each else 0
        if n * each > held if raw else n > sum(map(tensor.n_bytes, DATA_FIELDS)):
            raise InputError(f"{shown(name)} says it has {n:,} values where the file holds fewer")
        total += n
        found[name if name not in found else f"tensor {position}"] = called, dims
    if total > MOST_WEIGHTS:
        raise InputError(f"the graph has {total:,} weights; {MOST_WEIGHTS:,} are the most")
    return found


def _input(
    graph: Message, nodes: list[_Node], weights: dict[str, tuple[str, list[int]]]
) -> GraphInput:
    """The images; what else older files list as inputs are weights."""
    given = [one for one in graph.inside(11) if one.text(1) not in weights]
    if len(given) != 1:
        names = ", ".join(shown(one.text(1)) for one in given[:4]) or "none"
        raise InputError(f"the graph takes {len(given)} inputs ({names}); it has to be one, images")
    name = given[0].text(1)
    tensors = [tensor for kind in given[0].inside(2) for tensor in kind.inside(1)]
    if len(tensors) != 1:
        raise InputError(f"the input {shown(name)} is no tensor")
    kind = TYPES.get(tensors[0].number(1), ("of no known type", 0))[0]
    if kind not in IMAGES:
        raise InputError(f"the input {shown(name)} is {kind}; taken are {', '.join(IMAGES)}")
    shapes = list(tensors[0].inside(2))
    dims = [one.number(1) for one in shapes[-1].inside(1)] if shapes else [0, 0, 0, 0]
    if len(dims) != 4 or any(dim < 0 for dim in dims):
        raise InputError(f"the input {shown(name)} has {len(dims)} dimensions; images have 4")
    last = dims[3] in (1, 3) and dims[1] not in (1, 3)
    batch, channels, *sides = (dims[i] for i in ((0, 3, 1, 2) if last else (0, 1, 2, 3)))
    channels = channels or _channels(nodes, weights)
    size = "x".join(str(side or "?") for side in sides)
    if channels not in (1, 3):
        raise InputError(f"images have 1 or 3 channels; the graph takes {channels}")
    known = {side for side in sides if side}
    if len(known) > 1:
        raise InputError(f"the graph takes images of {size} pixels; only squares are made here")
    side = known.pop() if known else None
    if side is not None and side not in SIDES:
        raise InputError(
            f"the graph takes images of {size} pixels; sides from {SIDES[0]} to {SIDES[-1]} are "
            "made here"
        )
    if batch > MOST_AT_ONCE:
        raise InputError(f"the graph takes {batch:,} images at once; {MOST_AT_ONCE} are the most")
    return GraphInput(name, kind, "NHWC" if last else "NCHW", batch or None, channels, side)  # type: ignore[arg-type]


def _channels(nodes: list[_Node], weights: dict[str, tuple[str, list[int]]]) -> int:
    """Of the first convolution, where the input does not say it; else 3."""
    for node in nodes:
        if node.operator == "Conv" and len(node.inputs) > 1:
            dims: Any = weights.get(node.inputs[1], ("", []))[1]
            return dims[1] * node.number("group", 1) if len(dims) == 4 else 3
    return 3


def _end(output: str, nodes: list[_Node]) -> str:
    """The operator that made an output's values: Sigmoid, Softmax, Gemm and so on."""
    makers = {name: node for node in nodes for name in node.outputs}
    for _ in range(20):
        node = makers.get(output)
        if node is None:
            return ""
        if node.operator not in PASS_ON or not node.inputs:
            return node.operator
        output = node.inputs[0]
    return ""


def _first(name: str, nodes: list[_Node]) -> str:
    """The operator that scales the images, "" where none does before they are convolved."""
    for _ in range(20):
        node = next((one for one in nodes if name in one.inputs), None)
        if node is None or not node.outputs:
            return ""
        if node.operator not in PASS_ON:
            return node.operator if node.operator in SCALE else ""
        name = node.outputs[0]
    return ""
