"""Small ONNX files, made with onnx: of networks whose answers are known, and of nobody's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
SIDE = 16
N_CLASSES = 3


def weights_of(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(channels, classes) and (classes,), of the network that `graph` makes."""
    rng = np.random.default_rng(5)
    shape = channels, N_CLASSES
    return rng.normal(size=shape).astype("f"), rng.normal(size=N_CLASSES).astype("f")


def answer_of(images: np.ndarray) -> np.ndarray:
    """What that network makes of (images, channels, height, width), before its last activation."""
    weights, bias = weights_of(images.shape[1])
    return images.mean(axis=(2, 3)) @ weights + bias


def graph(
    end: str = "",
    kind: int = FLOAT,
    last: bool = False,
    batch: int | str = "n",
    channels: int = 3,
    side: int | str = SIDE,
    scale: bool = False,
    notes: dict[str, str] | None = None,
    features: bool = False,
) -> bytes:
    """Means of the channels, then a linear layer: weights and all in one file."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    inside = FLOAT if kind == TensorProto.UINT8 else kind
    wide = np.float32 if kind == TensorProto.UINT8 else dtype
    weights, bias = (part.astype(wide) for part in weights_of(channels))
    shape = [batch, side, side, channels] if last else [batch, channels, side, side]
    nodes, at = [], "image"
    if kind == TensorProto.UINT8:
        nodes.append(helper.make_node("Cast", [at], ["cast"], to=FLOAT))
        at = "cast"
    if scale:
        nodes.append(helper.make_node("Sub", [at, "half"], ["scaled"]))
        at = "scaled"
    if last:
        nodes.append(helper.make_node("Transpose", [at], ["first"], perm=[0, 3, 1, 2]))
        at = "first"
    nodes += [
        helper.make_node("ReduceMean", [at], ["pooled"], axes=[2, 3]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["linear" if end else "y"]),
    ]
    if end:
        nodes.append(helper.make_node(end, ["linear"], ["y"]))
    given = [helper.make_tensor_value_info("image", kind, shape)]
    y = (TensorProto.INT64, [1, N_CLASSES]) if end == "ArgMax" else (inside, [batch, N_CLASSES])
    found = [helper.make_tensor_value_info("y", *y)]
    if features:
        found.append(helper.make_tensor_value_info("features", inside, [batch, channels]))
    stored = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    if scale:
        stored.append(numpy_helper.from_array(np.array(0.5, wide), "half"))
    model = model_of(nodes, given, found, stored)
    helper.set_model_props(model, notes or {})
    return model.SerializeToString()


def model_of(
    nodes: Sequence, given: Sequence, found: Sequence, stored: Sequence = ()
) -> onnx.ModelProto:
    made = helper.make_graph(nodes, "network", given, found, stored)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.odd", 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def hostile(canary: str) -> dict[str, bytes]:
    """Files that nobody should have sent, by name. `canary` is a file that none may read."""
    image = helper.make_tensor_value_info("image", FLOAT, ["n", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("y", FLOAT, ["n", N_CLASSES])
    node, whole = helper.make_node, graph()

    def ending(*nodes: onnx.NodeProto, stored: Sequence = ()) -> bytes:
        """The network, with these nodes between its linear layer, "linear", and its end, "y"."""
        model = onnx.load_from_string(graph(end="Identity"))
        model.graph.node.pop()
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(stored)
        return model.SerializeToString()

    def elsewhere(name: str, where: str) -> TensorProto:
        tensor = numpy_helper.from_array(np.zeros(N_CLASSES, "f"), name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=where)
        return tensor

    def sized(*sizes: int) -> list[onnx.NodeProto]:
        """ "blank", zeros of that shape, which a few bytes say."""
        shape = numpy_helper.from_array(np.array(sizes, np.int64), "sizes")
        return [
            node("Constant", [], ["shape"], value=shape),
            node("ConstantOfShape", ["shape"], ["blank"]),
        ]

    add = node("Add", ["linear", "far"], ["y"])
    outside = onnx.load_from_string(ending(add, stored=[elsewhere("far", canary)]))
    lying = onnx.load_from_string(whole)
    lying.graph.initializer[0].dims[:] = [1_000_000, 400]
    twice = onnx.load_from_string(whole).graph.SerializeToString()
    with_function = onnx.load_from_string(whole)
    with_function.functions.append(
        helper.make_function("com.odd", "F", ["a"], ["b"], [node("Identity", ["a"], ["b"])], [])
    )
    branch = helper.make_graph([node("Identity", ["linear"], ["b"])], "branch", [], [y])
    true = numpy_helper.from_array(np.array(True), "true")
    sparse = onnx.load_from_string(whole)
    sparse.graph.sparse_initializer.add().dims.extend([3, 3])
    slow = [
        *sized(4000, 4000),
        *[node("MatMul", [f"b{i}" if i else "blank", "blank"], [f"b{i + 1}"]) for i in range(200)],
        node("ReduceMean", ["b200"], ["mean"], keepdims=0),
        node("Add", ["linear", "mean"], ["y"]),
    ]
    two = model_of(
        [node("Add", ["image", "other"], ["y"])],
        [image, helper.make_tensor_value_info("other", FLOAT, ["n", 3, SIDE, SIDE])],
        [y],
    )
    nested = b"\x0a\x00" * 200_000
    return {
        "weights in another file": outside.SerializeToString(),
        "weights up the tree": ending(add, stored=[elsewhere("far", "../../../etc/passwd")]),
        "a constant in another file": ending(
            node("Constant", [], ["far"], value=elsewhere("far", canary)), add
        ),
        "an operator of its own": ending(node("Shell", ["linear"], ["y"], domain="com.odd")),
        "a function of its own": with_function.SerializeToString(),
        "a graph in a graph": ending(
            node("If", ["true"], ["y"], then_branch=branch, else_branch=branch), stored=[true]
        ),
        "another format's mark": b"\x08\x07\x12\x08ORTM" + b"\0" * 4 + whole,
        "a graph twice": whole + b"\x3a" + _length(len(twice)) + twice,
        "values that it lacks": lying.SerializeToString(),
        "sparse weights": sparse.SerializeToString(),
        "memory without end": ending(
            *sized(1_000_000, 1_000_000),
            node("ReduceMean", ["blank"], ["mean"], keepdims=0),
            node("Add", ["linear", "mean"], ["y"]),
        ),
        "time without end": ending(*slow),
        "random numbers": ending(
            node("RandomNormalLike", ["linear"], ["chance"]),
            node("Add", ["linear", "chance"], ["y"]),
        ),
        "operators without end": b"\x08\x07\x3a" + _length(len(nested)) + nested,
        "two inputs": two.SerializeToString(),
        "cut": whole[: len(whole) // 2],
        "a length beyond the end": b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        "not finite": ending(node("Log", ["linear"], ["log"]), node("Sqrt", ["log"], ["y"])),
        "no classes": graph(end="ArgMax"),
        "too many images": graph(batch=100_000),
        "no square": graph().replace(b"\x08\x10\x0a\x02\x08\x10", b"\x08\x10\x0a\x02\x08\x20"),
    }


def _length(n: int) -> bytes:
    found = b""
    while n > 127:
        found += bytes([n & 127 | 128])
        n >>= 7
    return found + bytes([n])
