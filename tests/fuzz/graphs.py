"""ONNX files: their bytes, what their messages hold, and graphs of odd operators."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from core.checkpoints.formats import format_of
from core.engine.foreign.onnx_graph import graph_facts
from core.engine.foreign.stated import notes_of_metadata, stated_orders
from core.errors import InputError
from tests.engine.foreign import graphs
from tests.fuzz.mutations import damaged

NUMBERS = (-1, 0, 1, 2, 7, 16, 255, 2**31, 2**62, -(2**63))
OPERATORS = (
    *("Conv", "Resize", "Pad", "Tile", "Expand", "Reshape", "Gather", "Slice", "TopK", "Range"),
    *("ConstantOfShape", "OneHot", "NonZero", "Compress", "Einsum", "LSTM", "MaxPool", "Squeeze"),
    *("Loop", "If", "Scan", "RandomNormal", "SequenceEmpty", "StringNormalizer", "MatMulInteger"),
)


class Graphs:
    """Which files get as far as onnxruntime, whose own process has limits: none that could reach
    beyond itself."""

    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.onnx"
        self.real = [
            graphs.graph(end="Sigmoid"),
            graphs.graph(last=True, batch=2, scale=True, notes={"classes": '["a", "b", "c"]'}),
            graphs.graph(kind=TensorProto.UINT8, features=True),
            *graphs.hostile("/nowhere/canary").values(),
        ]

    def make(self, rng: random.Random) -> Path:
        data = rng.choice(self.real[:3] if rng.random() < 0.8 else self.real)
        if rng.random() < 0.5:
            data = _odd(rng, data)
        if rng.random() < 0.6:
            data = damaged(rng, data)
        self.path.write_bytes(data)
        return self.path

    def read(self, path: Path) -> None:
        if format_of(path) != "onnx":
            raise InputError("It is no ONNX file.")
        data = path.read_bytes()
        facts = graph_facts(data)
        stated_orders(notes_of_metadata(facts.notes))
        assert facts.input.channels in (1, 3)
        assert facts.n_weights <= 16 * len(data)
        _nothing_elsewhere(data)


def _nothing_elsewhere(data: bytes) -> None:
    """Of an accepted file onnx itself reads no data in other files, and no graph inside."""
    try:
        model = onnx.load_from_string(data)
    except Exception:  # onnx refuses more, in errors of its own
        return
    tensors = list(model.graph.initializer)
    for node in model.graph.node:
        assert node.domain in ("", "ai.onnx")
        for attribute in node.attribute:
            assert not attribute.HasField("g")
            assert not attribute.graphs
            tensors += [attribute.t, *attribute.tensors]
    assert not any(one.external_data or one.data_location for one in tensors)
    assert not model.functions
    assert not model.graph.sparse_initializer


def _odd(rng: random.Random, data: bytes) -> bytes:
    model = onnx.load_from_string(data) if data[:1] == b"\x08" and _reads(data) else None
    if model is None or not model.graph.node:
        return data
    graph = model.graph
    node = rng.choice(graph.node)
    for _ in range(rng.randint(1, 4)):
        match rng.randint(0, 8):
            case 0:
                node.op_type = rng.choice(OPERATORS)
            case 1:
                node.domain = rng.choice(("ai.onnx", "ai.onnx.ml", "com.microsoft", "\0"))
            case 2:
                node.attribute.append(helper.make_attribute("to", rng.choice(NUMBERS)))
            case 3 if graph.initializer:
                rng.choice(graph.initializer).dims.append(rng.choice(NUMBERS))
            case 4 if graph.initializer:
                rng.choice(graph.initializer).data_type = rng.randint(0, 30)
            case 5 if graph.initializer:
                far = rng.choice(graph.initializer)
                far.data_location = TensorProto.EXTERNAL
                far.external_data.add(key="location", value="/etc/hostname")
            case 6 if graph.input:
                dims = graph.input[0].type.tensor_type.shape.dim
                if dims:
                    rng.choice(dims).dim_value = rng.choice(NUMBERS)
            case 7 if graph.input:
                graph.input[0].type.tensor_type.elem_type = rng.randint(0, 30)
            case _:
                value = np.zeros(rng.randint(0, 5), "f").tolist()
                inner = helper.make_tensor("t", TensorProto.FLOAT, [len(value)], value)
                node.attribute.append(helper.make_attribute("value", inner))
    return model.SerializeToString()


def _reads(data: bytes) -> bool:
    try:
        onnx.load_from_string(data)
    except Exception:  # of many kinds
        return False
    return True
