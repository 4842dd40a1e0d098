"""Masks are torch's own, bit for bit; they nest; and only prunable weights are touched."""

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from core.engine.models import MODELS, build_model
from core.engine.pruning import (
    METHODS,
    achieved_sparsity,
    apply_masks,
    make_masks,
    prunable_weights,
)
from core.errors import InputError
from core.study.settings import DEFAULT_SPARSITIES, ModelSettings


def torch_masks(model: nn.Module, sparsity: float) -> dict[str, torch.Tensor]:
    """The published way: torch's own global pruning of every Conv2d and Linear."""
    model = copy.deepcopy(model)
    tensors = {nn.Conv2d: "weight", nn.Linear: "weight", nn.MultiheadAttention: "in_proj_weight"}
    found = {
        f"{name}.{tensor}": (module, tensor)
        for name, module in model.named_modules()
        for kind, tensor in tensors.items()
        if isinstance(module, kind)
    }
    prune.global_unstructured(found.values(), prune.L1Unstructured, amount=sparsity)
    return {name: getattr(m, f"{tensor}_mask").bool() for name, (m, tensor) in found.items()}


# Torch's own way takes seconds per mask at this size: the whole grid is left to `make test-slow`.
LARGE = set(MODELS) - {"resnet_small", "mobilenet_v3_large"}
OF_EACH_FAMILY = (
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "resnet50",
    "swin_t",
)


def assert_masks_equal_torchs_own(architecture, sparsities):
    model = build_model(ModelSettings(architecture=architecture, image_size=64), 20, seed=0)
    weights = prunable_weights(model)
    for sparsity in sparsities:
        ours, theirs = make_masks(weights, "l1_global", sparsity), torch_masks(model, sparsity)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("architecture", sorted(set(MODELS) - LARGE))
def test_masks_equal_torchs_own_at_every_grid_sparsity(architecture):
    assert_masks_equal_torchs_own(architecture, DEFAULT_SPARSITIES)


@pytest.mark.parametrize("architecture", OF_EACH_FAMILY)
def test_masks_of_large_models_equal_torchs_own_at_one_sparsity(architecture):
    assert_masks_equal_torchs_own(architecture, [0.9])


def test_masks_of_attention_equal_torchs_own_at_every_grid_sparsity():
    model = nn.Sequential(nn.MultiheadAttention(8, 2), nn.Linear(8, 3))
    for sparsity in DEFAULT_SPARSITIES:
        ours = make_masks(prunable_weights(model), "l1_global", sparsity)
        theirs = torch_masks(model, sparsity)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", sorted(LARGE))
def test_masks_of_large_models_equal_torchs_own_at_every_grid_sparsity(architecture):
    assert_masks_equal_torchs_own(architecture, DEFAULT_SPARSITIES)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=12, max_size=12),
    st.lists(st.integers(-3, 3), min_size=20, max_size=20),
    st.integers(0, 100),
)
def test_masks_equal_torchs_own_where_weights_are_tied(first, second, percent):
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 5))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(first, dtype=torch.float).view(3, 4))
        model[1].weight.copy_(torch.tensor(second, dtype=torch.float).view(5, 4))
    ours = make_masks(prunable_weights(model), "l1_global", percent / 100)
    theirs = torch_masks(model, percent / 100)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("method", METHODS)
def test_masks_nest(method):
    weights = {"layer.weight": torch.randn(50, 40)}
    masks = [make_masks(weights, method, s, seed=3)["layer.weight"] for s in DEFAULT_SPARSITIES]
    for denser, sparser in itertools.pairwise(masks):
        assert not (sparser & ~denser).any()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 100), st.sampled_from(sorted(METHODS)))
def test_as_many_weights_are_zeroed_as_the_sparsity_says(n, percent, method):
    mask = make_masks({"w": torch.randn(n, 1)}, method, percent / 100)["w"]
    assert int((~mask).sum()) == round(percent / 100 * n)


def test_l1_zeroes_the_smallest_weights_by_hand():
    weights = {"a.weight": torch.tensor([[0.1, -3.0]]), "b.weight": torch.tensor([[-0.2, 2.0]])}
    masks = make_masks(weights, "l1_global", 0.5)
    assert masks["a.weight"].tolist() == [[False, True]]
    assert masks["b.weight"].tolist() == [[False, True]]


def test_random_masks_follow_from_the_seed():
    weights = {"w": torch.randn(30, 30)}
    one, same, other = (make_masks(weights, "random_global", 0.5, seed)["w"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_biases_and_norm_layers_are_kept_and_dense_weights_come_back():
    model = build_model(ModelSettings(architecture="resnet_small", image_size=64), 4, seed=1)
    before = copy.deepcopy(model.state_dict())
    dense = {name: w.detach().clone() for name, w in prunable_weights(model).items()}
    apply_masks(model, dense, make_masks(dense, "l1_global", 0.9))
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == set(dense)
    apply_masks(model, dense, make_masks(dense, "l1_global", 0.0))
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


def test_achieved_sparsity_overall_by_layer_and_by_classifier_row():
    model = nn.Sequential(nn.Conv2d(1, 1, 2), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[[[0.0, 1.0], [2.0, 0.0]]]]))
        model[2].weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]]))
    table = achieved_sparsity(model)
    assert table["layer"].tolist() == ["overall", "0.weight", "2.weight", "2.weight", "2.weight"]
    assert table["achieved_sparsity"].tolist() == [0.5, 0.5, 0.5, 0.75, 0.25]
    assert table["row"].isna().tolist() == [True, True, True, False, False]
    assert np.array_equal(table["n_weights"], [12, 4, 8, 4, 4])


@pytest.mark.parametrize(
    ("method", "sparsity", "words"),
    [("l2_global", 0.5, f"known: {', '.join(METHODS)}"), ("l1_global", 1.5, "between 0 and 1")],
)
def test_bad_requests_are_refused(method, sparsity, words):
    with pytest.raises(InputError, match=words):
        make_masks({"w": torch.ones(2, 2)}, method, sparsity)


def test_attentions_queries_keys_and_values_are_pruned_too():
    """torch.nn.MultiheadAttention keeps them in one tensor, outside any Linear layer."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.MultiheadAttention(8, 2), torch.nn.Linear(8, 3))
    weights = prunable_weights(model)
    assert list(weights) == ["0.in_proj_weight", "0.out_proj.weight", "1.weight"]
    dense = {name: weight.detach().clone() for name, weight in weights.items()}
    apply_masks(model, dense, make_masks(dense, "l1_global", 0.75))
    assert achieved_sparsity(model)["achieved_sparsity"][0] == 0.75
    assert 0.5 < float((model[0].in_proj_weight == 0).float().mean()) < 1
    assert list(prunable_weights(model, attention=False)) == ["0.out_proj.weight", "1.weight"]
