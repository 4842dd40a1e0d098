"""Pruning methods: which prunable weights of a dense model become zero at a sparsity.

Prunable are the weight tensors of every Conv2d and Linear, classifier included (Holste et al.,
MICCAI 2023), and the queries, keys and values of torch's attention, which are Linear layers in all
but class; biases and norm layers are kept. A method ranks them all together, globally.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from torch import nn

from core.engine.registry import chosen
from core.errors import InputError

Weights = dict[str, torch.Tensor]


# Of `torch.nn.MultiheadAttention`: its first three Linear layers in one tensor.
IN_PROJECTION = "in_proj_weight"


def prunable_weights(model: nn.Module, attention: bool = True) -> Weights:
    """Parameter name -> weight tensor, in the order of `model.named_modules()`. Without
    `attention` as in studies of before, which left IN_PROJECTION out."""
    found: Weights = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            found[f"{name}.weight"] = module.weight
        elif attention and getattr(module, IN_PROJECTION, None) is not None:
            found[f"{name}.{IN_PROJECTION}"] = module.get_parameter(IN_PROJECTION)
    return found


def l1_global(dense: torch.Tensor, n_zero: int, seed: int) -> torch.Tensor:
    """True at the n_zero smallest |w|; ties as torch's own `L1Unstructured` breaks them."""
    magnitude = dense.abs()
    smallest = magnitude <= torch.kthvalue(magnitude, n_zero).values
    if int(smallest.sum()) > n_zero:
        # Equal weights straddle the threshold, and only topk itself chooses among them as topk.
        smallest[:] = False
        smallest[torch.topk(magnitude, n_zero, largest=False).indices] = True
    return smallest


def random_global(dense: torch.Tensor, n_zero: int, seed: int) -> torch.Tensor:
    """True at n_zero weights drawn only from `seed`, so that masks nest over sparsities."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.zeros(dense.numel(), dtype=torch.bool)
    drawn[torch.randperm(dense.numel(), generator=generator)[:n_zero]] = True
    return drawn


# dense (weights,), how many to zero (at least 1), seed -> True where a weight is zeroed
METHODS: dict[str, Callable[[torch.Tensor, int, int], torch.Tensor]] = {
    "l1_global": l1_global,
    "random_global": random_global,
}


def make_masks(weights: Weights, method: str, sparsity: float, seed: int = 0) -> Weights:
    """Boolean masks, True where a weight is kept; round(sparsity * n) weights are not.

    One-shot from the dense `weights`, on the CPU. Raises InputError for an unknown method or a
    sparsity outside 0 to 1.
    """
    zeroed = chosen(METHODS, method, "pruning method")
    if not 0 <= sparsity <= 1:
        raise InputError(f"Sparsity {sparsity} is not between 0 and 1.")
    dense = torch.cat([weight.detach().reshape(-1) for weight in weights.values()])
    keep = torch.ones(dense.numel(), dtype=torch.bool)
    n_zero = round(sparsity * dense.numel())
    if n_zero:
        keep = ~zeroed(dense, n_zero, seed)
    pieces = keep.split([weight.numel() for weight in weights.values()])
    return {
        name: piece.view(weight.shape)
        for (name, weight), piece in zip(weights.items(), pieces, strict=True)
    }


@torch.no_grad()
def apply_masks(model: nn.Module, dense: Weights, masks: Weights) -> None:
    """Set the prunable weights of `model` to dense * mask, in place."""
    for name, mask in masks.items():
        model.get_parameter(name).copy_(dense[name] * mask)


def head_weights(model: nn.Module, weights: Weights) -> list[str]:
    """The weights with a row for each class: the last, but where a library's network names them.
    Of a network without weights none."""
    named = [f"{name}.weight" for name in getattr(model, "output_layers", ())]
    return [name for name in named if name in weights] or list(weights)[-1:]


def achieved_sparsity(model: nn.Module, attention: bool = True) -> pd.DataFrame:
    """layer, row, n_weights, n_zero, achieved_sparsity: overall, per layer, and per classifier row.

    `layer` is "overall" in the first row; `row` is the output index within the last layer, else
    missing.
    """
    weights = prunable_weights(model, attention)
    layers = [(name, None, w.numel(), int((w == 0).sum())) for name, w in weights.items()]
    overall = (
        "overall",
        None,
        sum(layer[2] for layer in layers),
        sum(layer[3] for layer in layers),
    )
    rows = []
    for classifier_name in head_weights(model, weights)[:1]:
        classifier = weights[classifier_name]
        zeros = (classifier == 0).flatten(1).sum(dim=1).tolist()
        per_row = classifier.numel() // len(zeros)
        rows = [(classifier_name, row, per_row, zero) for row, zero in enumerate(zeros)]
    columns = ["layer", "row", "n_weights", "n_zero"]
    table = pd.DataFrame([overall, *layers, *rows], columns=columns)
    table["row"] = table["row"].astype("Int64")
    table["achieved_sparsity"] = table["n_zero"] / table["n_weights"].clip(lower=1)
    return table
