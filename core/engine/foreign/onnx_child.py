"""The process that opens and runs an ONNX graph: `python -m core.engine.foreign.onnx_child`.

A question is JSON's length, JSON, the file's bytes and, to predict, float32 images. The graph is
checked first, then onnxruntime gets its bytes on one thread, within the limits of
`core.processes.serving`, in a process that can open no file any more.
"""

from __future__ import annotations

import heapq  # noqa: F401, for Counter, which loads it late: no file can be opened then
import json
import resource
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
import onnxruntime as ort

from core.checkpoints.formats import shown
from core.checkpoints.graphs import GraphFacts
from core.engine.foreign.onnx_graph import graph_facts
from core.errors import InputError
from core.processes.serving import serve

LENGTH = struct.Struct("<Q")
PIXELS_AT_ONCE = 8 * 224**2  # of all images that go through an any-number graph together
MOST_OUTPUTS = 10_000
FLOATS = {"tensor(float)", "tensor(float16)", "tensor(double)"}


def answer(question: bytes) -> list[bytes]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    view = memoryview(question)
    (length,) = LENGTH.unpack(view[: LENGTH.size])
    asked = json.loads(bytes(view[LENGTH.size : LENGTH.size + length]))
    start = LENGTH.size + length
    graph = view[start : start + asked["n_bytes"]]
    facts = graph_facts(graph)
    session = _session(bytes(graph))
    if asked["want"] == "facts":
        return [json.dumps(_described(facts, session, asked["image_size"])).encode()]
    images = np.frombuffer(view[start + asked["n_bytes"] :], np.float32)
    found = _predicted(session, facts, images.reshape(asked["shape"]), asked["output"])
    return [LENGTH.pack(found.shape[1]), found.tobytes()]


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False  # which takes more than is needed, up to the limit
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own have no common base
        raise InputError(f"onnxruntime cannot open the graph: {_sentence(error)}") from error


def _described(
    facts: GraphFacts, session: ort.InferenceSession, image_size: int | None
) -> dict[str, Any]:
    """The facts, and which outputs have a number for each class: (position, name, classes)."""
    side = facts.input.side or image_size or 224
    if image_size and image_size != side:
        raise InputError(f"the graph takes images of {side} px, not {image_size}")
    blank = np.zeros((1, facts.input.channels, side, side), np.float32)
    floats = [i for i, one in enumerate(session.get_outputs()) if one.type in FLOATS]
    shapes = {i: part.shape for i, part in _run(session, facts, blank, floats).items()}
    outputs = [
        (i, facts.outputs[i], shape[1])
        for i, shape in shapes.items()
        if len(shape) in (2, 4)
        and shape[0] == 1
        and set(shape[2:]) <= {1}
        and 0 < shape[1] <= MOST_OUTPUTS
    ]
    if not outputs:
        found = ", ".join(f"{shown(facts.outputs[i])} {list(s)}" for i, s in shapes.items())
        raise InputError(
            f"the graph has no output with a number for each class; its outputs are, for one "
            f"image: {found or 'no floating-point numbers'}"
        )
    return {"facts": asdict(facts), "image_size": side, "outputs": outputs}


def _predicted(
    session: ort.InferenceSession, facts: GraphFacts, images: np.ndarray, output: int
) -> np.ndarray:
    """(images, classes) float32 of (images, channels, height, width) float32."""
    at_once = facts.input.batch or max(1, PIXELS_AT_ONCE // images.shape[2] ** 2)
    parts = [
        _run(session, facts, images[start : start + at_once], [output])[output]
        for start in range(0, len(images), at_once)
    ]
    found = np.concatenate(parts).astype(np.float32).reshape(len(images), -1)
    if not np.isfinite(found).all():
        raise InputError("the graph gives NaN or infinite values")
    return np.ascontiguousarray(found)


def _run(
    session: ort.InferenceSession, facts: GraphFacts, images: np.ndarray, outputs: list[int]
) -> dict[int, np.ndarray]:
    """By its position, each output's rows of these images, at most as many as go in at once."""
    given, n = facts.input, len(images)
    if given.batch and n < given.batch:  # filled up with the last
        images = np.concatenate([images, np.repeat(images[-1:], given.batch - n, axis=0)])
    if given.layout == "NHWC":
        images = images.transpose(0, 2, 3, 1)
    if given.dtype == "uint8":
        images = np.clip(np.rint(images), 0, 255)
    names = [session.get_outputs()[i].name for i in outputs]
    try:
        fed = {given.name: np.ascontiguousarray(images.astype(given.dtype))}
        found = session.run(names, fed) if names else []
    except Exception as error:  # its own have no common base
        raise InputError(
            f"the graph does not run on images of {images.shape[2]} px: {_sentence(error)}"
        ) from error
    rows = {i: np.asarray(part) for i, part in zip(outputs, found, strict=True)}
    return {i: part[:n] if part.ndim else part for i, part in rows.items()}


def _sentence(error: Exception) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return shown(said[0].rpartition(" : ")[2])[:200].rstrip(".")


if __name__ == "__main__":
    serve(answer)
