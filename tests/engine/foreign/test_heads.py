"""Classifiers of several layers are built again from their weights, and asked about."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from core.checkpoints.checks import Twin, which_activation
from core.engine.classifiers import with_activation
from core.engine.foreign.adopting import keep_outputs, network_of
from core.engine.foreign.guessing import match
from core.engine.libraries import make
from core.engine.models import build_model
from core.engine.pruning import achieved_sparsity, prunable_weights
from core.errors import InputError
from core.study.settings import ModelSettings

HEADS = {
    "8 relu": nn.Sequential(
        nn.Linear(256, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)
    ),
    "8 batchnorm relu": nn.Sequential(
        nn.Dropout(0.5), nn.Linear(256, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
    ),
    "8 relu batchnorm": nn.Sequential(
        nn.Linear(256, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3)
    ),
    "8 relu 8 relu": nn.Sequential(
        nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    ),
    "batchnorm 8 relu batchnorm": nn.Sequential(  # as fastai's
        nn.BatchNorm1d(256), nn.Linear(256, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3)
    ),
}  # fmt: skip


def small(head: nn.Module | None = None) -> nn.Module:
    """Four blocks of 256 features at the end, with norms that are not at their defaults."""
    model = build_model(ModelSettings(architecture="resnet_small", image_size=64), 3, seed=1)
    if head is not None:
        model.classifier = head
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean = torch.linspace(-0.1, 0.1, module.num_features)
            module.running_var = torch.linspace(0.5, 1.5, module.num_features)
    return model.eval()


def outputs(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2)))


@pytest.mark.parametrize("layers", HEADS)
def test_a_classifier_of_several_layers_is_the_one_of_the_file(layers):
    theirs = small(HEADS[layers])
    found = match(theirs.state_dict(), None, 64)
    assert found.keys.fit, found.keys
    assert (found.settings.architecture, found.settings.head) == ("resnet_small", layers)
    ours = network_of(found)
    assert torch.allclose(outputs(ours), outputs(theirs), atol=1e-6)
    whole, mine = (sum(w.numel() for w in prunable_weights(m).values()) for m in (theirs, ours))
    assert whole == mine
    keep_outputs(ours, [2, 0])
    assert torch.allclose(outputs(ours), outputs(theirs)[:, [2, 0]], atol=1e-6)


def test_another_activation_gives_other_numbers_and_is_a_persons_choice():
    found = match(small(HEADS["8 relu"]).state_dict(), None, 64)
    gelu = small(nn.Sequential(nn.Linear(256, 8), nn.GELU(), nn.Identity(), nn.Linear(8, 3)))
    gelu.load_state_dict(small(HEADS["8 relu"]).state_dict())
    head = {"head": with_activation(found.settings.head, "gelu")}
    chosen = replace(found, settings=found.settings.model_copy(update=head))
    assert torch.allclose(outputs(network_of(chosen)), outputs(gelu), atol=1e-6)
    assert not torch.allclose(outputs(network_of(found)), outputs(gelu), atol=1e-6)
    asked = which_activation(found.settings.head, (Twin("gelu", 0.8), Twin("relu", 0.7)), 200)
    assert asked.startswith("Its classifier has 2 layers, and no file says what is computed")
    assert asked.endswith("gelu predicts them best. Say which it is: --set model.head=gelu.")


@pytest.mark.parametrize("names", ["classifier.fc1 classifier.fc2", "head.0 head.3", "fc1 fc2"])
def test_they_are_found_under_other_names_and_beside_the_backbone(names):
    theirs = small(HEADS["8 relu"])
    first, second = names.split()
    apart = {}
    for name, tensor in theirs.state_dict().items():
        name = name.replace("classifier.0", first).replace("classifier.3", second)
        inside = name.startswith(("stem", "stages"))
        apart[f"backbone.{name}" if inside and "classifier" not in names else name] = tensor
    if names == "fc1 fc2":  # two layers beside it under no common name
        assert not match(apart, None, 64).keys.fit
        return
    found = match(apart, None, 64)
    assert (found.settings.head, found.keys.fit) == ("8 relu", True)
    assert torch.allclose(outputs(network_of(found)), outputs(theirs), atol=1e-6)


def test_a_librarys_network_has_its_outputs_at_the_end_of_the_new_layers():
    theirs = make("timm/resnet10t", 3).eval()
    theirs.fc = nn.Sequential(nn.Linear(512, 8), nn.ReLU(), nn.Linear(8, 3))
    found = match(theirs.state_dict(), None, 64)
    ours = network_of(found)
    assert (found.n_outputs, found.settings.head) == (3, "8 relu")
    assert torch.allclose(outputs(ours), outputs(theirs), atol=1e-5)
    table = achieved_sparsity(ours)
    assert list(table["layer"][table["row"].notna()]) == ["fc.2.weight"] * 3


def test_what_cannot_be_told_is_not_guessed():
    state = small(HEADS["8 relu"]).state_dict()
    norm = nn.BatchNorm1d(8).state_dict()  # before the activation or after it?
    named = state | {f"classifier.bn.{name}": tensor for name, tensor in norm.items()}
    assert not match(named, None, 64).keys.fit
    prelu = state | {"classifier.1.weight": torch.ones(1)}
    assert match(prelu, None, 64).keys.unexpected


@pytest.mark.parametrize("layers", ["8 sigmoid", "relu" * 60, "0 relu", "8  relu"])
def test_layers_of_other_words_are_refused(layers):
    with pytest.raises(ValueError, match="head"):
        ModelSettings(architecture="resnet_small", head=layers)


def test_two_output_layers_cannot_be_replaced_by_one():
    settings = ModelSettings(
        architecture="timm/deit_tiny_distilled_patch16_224", image_size=224, head="8 relu"
    )
    with torch.device("meta"), pytest.raises(InputError, match="before a single linear layer"):
        build_model(settings, 3, seed=0)
