"""Losses: what training lowers, over labels that are certain."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional

Loss = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, int]]


def bce(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Binary cross-entropy."""
    certain = ~targets.isnan()
    loss = functional.binary_cross_entropy_with_logits(
        logits[certain], targets[certain], reduction="sum"
    )
    return loss, int(certain.sum())


# logits, targets, both (images, classes) -> the sum over certain labels, and how many there are;
# a NaN target is uncertain and carries no loss. Training and validation divide one by the other.
LOSSES: dict[str, Loss] = {"bce": bce}
