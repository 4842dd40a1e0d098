"""A given network loses the very weights that its owner's own pruning would take, though its
outputs were put into the dataset's order: of equal weights, torch's choice depends on places."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from core.engine.checkpoints import CheckpointInfo
from core.engine.foreign.adopting import keep_outputs, output_rows
from core.engine.pruning import make_masks, prunable_weights
from core.engine.sweep import pruned_copy, rows_in_file

CLASSES = ("Edema", "Effusion", "Hernia", "Mass", "Nodule")  # the dataset's order
IN_FILE = ("Mass", "Hernia", "Edema", "Nodule", "Effusion")


def tied_network() -> nn.Module:
    """Its weights have few values, as those of a network that was quantised."""
    model = nn.Sequential(nn.Linear(8, 12), nn.Linear(12, 5))
    values = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight.copy_(torch.randint(1, 4, weight.shape, generator=values) / 4)
    return model


def zeros(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight == 0 for name, weight in prunable_weights(model).items()}


def adopted(model: nn.Module) -> tuple[nn.Module, CheckpointInfo]:
    ours = copy.deepcopy(model)
    keep_outputs(ours, output_rows(IN_FILE, CLASSES, 5))
    info = CheckpointInfo(
        model={}, class_names=list(CLASSES), preprocessing={}, run=0, seed=0, epoch=0,
        validation_loss=None, versions={}, source={"classes": list(IN_FILE)},
    )  # fmt: skip
    return ours, info


@pytest.mark.parametrize("sparsity", [0.2, 0.5, 0.8, 0.95])
def test_masks_are_those_of_the_network_as_its_file_has_it(sparsity):
    theirs = tied_network()
    ours, info = adopted(theirs)
    pruned = pruned_copy(ours, "l1_global", sparsity, info)
    modules = [m for m in theirs.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(
        [(m, "weight") for m in modules], prune.L1Unstructured, amount=sparsity
    )
    for module in modules:
        prune.remove(module, "weight")
    keep_outputs(theirs, output_rows(IN_FILE, CLASSES, 5))
    wanted, found = zeros(theirs), zeros(pruned)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_ranked_in_the_datasets_order_other_weights_would_go():
    """Else the test above would pass whatever is done."""
    ours, info = adopted(tied_network())
    kept = make_masks(prunable_weights(ours), "l1_global", 0.8)
    taken = zeros(pruned_copy(ours, "l1_global", 0.8, info))
    assert any(not torch.equal(~kept[name], taken[name]) for name in kept)


def test_our_own_training_has_no_other_order_and_outputs_without_a_class_are_left_out():
    info = adopted(tied_network())[1]
    assert rows_in_file(info) == [3, 2, 0, 4, 1]
    source = {"classes": ["Mass", "", "Edema"]}
    some = CheckpointInfo(**{**vars(info), "class_names": ["Edema", "Mass"], "source": source})
    assert rows_in_file(some) == [1, 0]
    assert rows_in_file(CheckpointInfo(**{**vars(info), "source": None})) is None
