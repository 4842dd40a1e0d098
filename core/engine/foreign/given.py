"""What was read of a stranger's file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.checkpoints.preflight import NetworkInFile
from core.engine.foreign.stated import Stated

if TYPE_CHECKING:  # torch takes seconds to import, in which the child can already start
    import torch

    from core.engine.onnx import Described


@dataclass(frozen=True)
class Given:
    """What a file holds: float32 tensors (counters are int64) by the file's own names, or by those
    that a person gave them; none where nobody said which of several `networks` to take."""

    sha256: str
    n_bytes: int
    format: str
    wrapper: str
    beside: tuple[str, ...]
    orders: tuple[Stated, ...]  # of classes, as the file states them
    stated: str | None  # what the file calls its network, such as timm's "resnet50.a1_in1k"
    networks: tuple[NetworkInFile, ...]
    joined: tuple[str, ...]  # names that were a pair of weight_orig and weight_mask
    dtypes: dict[str, int]
    not_finite: dict[str, int]
    wrong_choice: str  # why the network or the new names that were asked for cannot be had
    tensors: dict[str, torch.Tensor]
    graph: Described | None = None  # of an ONNX file, whose `networks` are its outputs
