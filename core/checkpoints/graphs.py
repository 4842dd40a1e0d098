"""What is known of an ONNX graph, in plain data and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class GraphInput:
    """`batch` is the number of images that it takes at once, `side` their height and width in
    pixels; None where it takes any."""

    name: str
    dtype: str
    layout: Literal["NCHW", "NHWC"]
    batch: int | None
    channels: Literal[1, 3]
    side: int | None


@dataclass(frozen=True)
class GraphFacts:
    """`first` is the operator by which the graph scales its input, "" without one; `ends` the one
    that makes each of its `outputs`; `notes` are its metadata."""

    opset: int
    n_nodes: int
    n_weights: int
    operators: tuple[tuple[str, int], ...]
    dtypes: dict[str, int]
    input: GraphInput
    first: str
    outputs: tuple[str, ...]
    ends: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_plain(cls, said: dict[str, Any]) -> GraphFacts:
        """From what `dataclasses.asdict` and JSON made of it."""
        operators = tuple((name, n) for name, n in said["operators"])
        plain = said | {"outputs": tuple(said["outputs"]), "operators": operators}
        return cls(**plain | {"input": GraphInput(**said["input"])})

    @property
    def sentence(self) -> str:
        """Its size and what it takes, in words."""
        one = self.input
        n, side = one.batch or "any number of", one.side or "any number of"
        return (
            f"{self.n_nodes:,} operators of opset {self.opset}, {self.n_weights:,} weights; takes "
            f"{n} image{'' if n == 1 else 's'} of {side} px, {one.channels} "
            f"channel{'' if one.channels == 1 else 's'}, {one.dtype}, {one.layout}"
        )
