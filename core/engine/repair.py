"""Repairs: what is done to a pruned network before it predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from core.engine.pixels import Pixels
from core.study.config import StudyConfig
from core.study.labels import Labels


@dataclass(frozen=True)
class Material:
    """What a repair may use: images and labels (of the training split, never of the test split),
    the network before it was pruned, and the seed of its run."""

    config: StudyConfig
    labels: Labels
    pixels: Pixels
    dense: nn.Module
    seed: int


def none(pruned: nn.Module, material: Material) -> None:
    """The network stays as pruning left it."""


# Changes the pruned network, which is in evaluation mode, in place; weights that are 0 stay 0.
REPAIRS: dict[str, Callable[[nn.Module, Material], None]] = {"none": none}
