"""An ONNX graph as a network of ours: onnxruntime computes it in a process with limits.

The graph's bytes are its only state, so a study keeps them as it keeps any weights. It has no
weights that could be pruned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from core.checkpoints.graphs import GraphFacts
from core.errors import InputError, WorkError
from core.processes import limited

ONNX = "onnx"  # in `model.architecture`
CHILD = "core.engine.foreign.onnx_child"
MAX_BYTES = 2**30
SPARE_BYTES = 2 * 2**30
SECONDS_TO_OPEN = 30.0  # of processor time, and for each image
SECONDS_AN_IMAGE = 5.0
VALUES_AT_ONCE = 8_000_000  # of images that go to the process together: 32 MB


@dataclass(frozen=True)
class Described:
    """`outputs`: position, name and number of classes of each that has a number for each class."""

    facts: GraphFacts
    image_size: int
    outputs: tuple[tuple[int, str, int], ...]


def describe(graph: bytes, image_size: int | None = None) -> Described:
    """What a file holds, after a run on one black image.

    Raises InputError, in a sentence about "the graph", where it is refused or does not run.
    """
    said = json.loads(_ask({"want": "facts", "image_size": image_size}, graph, b"", 1))
    return Described(
        GraphFacts.of_plain(said["facts"]),
        said["image_size"],
        tuple((position, name, n) for position, name, n in said["outputs"]),
    )


class OnnxNetwork(nn.Module):
    """(images, channels, height, width) float32 -> (images, classes): what `output` of the graph
    gives, of the `rows` that stand for classes."""

    output_layers: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("graph", torch.empty(0, dtype=torch.uint8))
        self.register_buffer("output", torch.zeros((), dtype=torch.int64))
        self.register_buffer("rows", torch.empty(0, dtype=torch.int64))
        self.graph: torch.Tensor
        self.output: torch.Tensor
        self.rows: torch.Tensor

    @classmethod
    def of(cls, graph: bytes, output: int, n_outputs: int) -> OnnxNetwork:
        network = cls()
        network.graph = torch.frombuffer(bytearray(graph), dtype=torch.uint8)
        network.output = torch.tensor(output)
        network.rows = torch.arange(n_outputs)
        return network

    def keep(self, rows: list[int]) -> None:
        """Leave these outputs, in this order."""
        self.rows = self.rows[torch.tensor(rows)]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Any length fits: bytes have no shape of their own."""
        for name in ("graph", "output", "rows"):
            if prefix + name in state_dict:
                setattr(self, name, state_dict[prefix + name])
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def images_at_once(self, side: int) -> int:
        """How many images of so many pixels in height and width go to the process together."""
        return max(1, VALUES_AT_ONCE // (3 * side**2))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        plain = images.detach().to("cpu", torch.float32).contiguous().numpy()
        question = {
            "want": "prediction",
            "shape": plain.shape,
            "output": int(self.output),
        }
        graph = self.graph.cpu().numpy().tobytes()
        said = _ask(question, graph, plain.tobytes(), len(plain))
        n_outputs = int.from_bytes(said[:8], "little")
        found = np.frombuffer(said, np.float32, offset=8).reshape(len(plain), n_outputs)
        return torch.from_numpy(found.copy())[:, self.rows.cpu()]


def _ask(question: dict[str, Any], graph: bytes, images: bytes, n_images: int) -> bytes:
    if len(graph) > MAX_BYTES:
        raise InputError(f"an ONNX file of more than {MAX_BYTES / 2**30:.0f} GiB is not read")
    asked = json.dumps(question | {"n_bytes": len(graph)}).encode()
    memory = 6 * (len(graph) + len(images)) + SPARE_BYTES
    seconds = SECONDS_TO_OPEN + SECONDS_AN_IMAGE * n_images
    whole = b"".join([len(asked).to_bytes(8, "little"), asked, graph, images])
    try:
        return limited.ask(CHILD, whole, seconds, memory)
    except limited.OverLimit as error:
        raise InputError(
            "the graph takes more time or memory than it may, or ends the process that runs it: "
            f"at most {SECONDS_TO_OPEN:.0f} s, {SECONDS_AN_IMAGE:.0f} s for each image and "
            f"{memory / 2**30:.1f} GiB"
        ) from error
    except ValueError as error:
        raise InputError(str(error)) from error
    except WorkError as error:
        raise WorkError(
            "The process that runs the ONNX graph did not answer. Try again."
        ) from error
