"""The same network, saved in every way people save it, gives the same logits."""

from __future__ import annotations

import argparse
import json
import re
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from core.engine.foreign.adopting import keep_outputs, network_of
from core.engine.foreign.guessing import match
from core.engine.foreign.layouts import densenet_of_old
from core.engine.foreign.reading import Reader
from core.engine.models import build_model
from core.errors import InputError
from core.study.settings import ModelSettings

CLASSES = ["Effusion", "Nodule", "Hernia"]


@pytest.fixture(scope="module")
def reader():
    with Reader() as running:
        yield running


def network(architecture: str, channels: int = 3) -> nn.Module:
    """Random, with batch norms that are not at their defaults."""
    settings = ModelSettings.model_validate(
        {"architecture": architecture, "image_size": 64, "channels": channels}
    )
    model = build_model(settings, len(CLASSES), seed=3)
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) / 10
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
    return model.eval()


@pytest.fixture(scope="module")
def networks():
    return {name: network(name) for name in ("resnet50", "densenet121", "resnet_small")}


def pruned_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """With weight_orig and weight_mask, as torch's pruning leaves them."""
    state = OrderedDict()
    for name, tensor in model.state_dict().items():
        if name.endswith(".weight") and tensor.dim() in (2, 4):
            state[f"{name}_orig"] = tensor
            state[f"{name}_mask"] = torch.ones_like(tensor)
        else:
            state[name] = tensor
    return state


def prefixed(model: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}


SAVED = {
    "state_dict.pt": lambda model: model.state_dict(),
    "published.pt": lambda m: {"weights": m.state_dict(), "optimizer": {"lr": 1}, "epoch": 3},
    "model_state_dict.tar": lambda m: {"model_state_dict": m.state_dict(), "loss": 0.1},
    "lightning.ckpt": lambda m: {
        "state_dict": prefixed(m, "model.") | {"criterion.pos_weight": torch.ones(3)},
        "hyper_parameters": {"lr": 1e-3, "class_names": CLASSES},
        "epoch": 2,
        "callbacks": {},
    },
    "timm-script.pth": lambda m: {
        "state_dict": m.state_dict(),
        "args": argparse.Namespace(lr=0.1),
        "arch": "resnet50",
    },
    "module.pt": lambda m: prefixed(m, "module."),
    "compiled.pt": lambda m: {"model": prefixed(m, "_orig_mod.module.")},
    "own-wrapper.pt": lambda m: prefixed(m, "densenet121."),
    "pruned.pt": pruned_state,
}


def read_back(reader, path, architecture: str | None = None):
    given = reader.read(path)
    found = match(given.tensors, architecture, 64)
    assert found.keys.fit, found.keys
    return given, found


def logits(model: nn.Module, channels: int = 3) -> torch.Tensor:
    images = torch.randn(2, channels, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model(images)


@pytest.mark.parametrize("architecture", ["resnet50", "densenet121", "resnet_small"])
@pytest.mark.parametrize("name", SAVED)
def test_every_way_of_saving_gives_the_same_logits(architecture, name, networks, reader, tmp_path):
    model = networks[architecture]
    torch.save(SAVED[name](model), tmp_path / name)
    given, found = read_back(reader, tmp_path / name)
    assert found.settings.architecture == architecture
    assert torch.allclose(logits(network_of(found)), logits(model), atol=1e-5)
    if name == "lightning.ckpt":
        assert [order.names for order in given.orders] == [tuple(CLASSES)]
        assert found.prefix == "model."
        assert "criterion.pos_weight" in found.keys.ignored
    if name == "pruned.pt":
        assert len(given.joined) == sum(t.dim() in (2, 4) for t in model.state_dict().values())


@pytest.mark.parametrize("architecture", ["resnet50", "densenet121", "resnet_small"])
def test_safetensors_half_precision_and_files_of_old(architecture, networks, reader, tmp_path):
    model = networks[architecture]
    state = model.state_dict()
    plain = tmp_path / "plain.safetensors"
    save_file(state, plain, {"class_names": json.dumps(CLASSES)})
    given, found = read_back(reader, plain)
    assert [order.names for order in given.orders] == [tuple(CLASSES)]
    assert torch.allclose(logits(network_of(found)), logits(model), atol=1e-5)

    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    given, found = read_back(reader, tmp_path / "old.pt")
    assert given.format == "torch file of old"
    assert torch.allclose(logits(network_of(found)), logits(model), atol=1e-5)

    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save(half, tmp_path / "half.pt")
    given, found = read_back(reader, tmp_path / "half.pt")
    assert given.dtypes["float16"] > 10
    rounded = network(architecture)
    rounded.load_state_dict({k: v.float() for k, v in half.items()})
    assert torch.allclose(logits(network_of(found)), logits(rounded.eval()), atol=1e-5)


def test_torchs_own_pruning_is_joined_to_what_it_computed(reader, tmp_path):
    model = network("resnet_small")
    modules = [(m, "weight") for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(modules, prune.L1Unstructured, amount=0.6)
    torch.save(model.state_dict(), tmp_path / "pruned.pt")
    _, found = read_back(reader, tmp_path / "pruned.pt")
    read = network_of(found)
    assert torch.allclose(logits(read), logits(model), atol=1e-5)
    zeros = [(w == 0).sum() for n, w in read.named_parameters() if w.dim() in (2, 4)]
    n = sum(w.numel() for w in read.parameters() if w.dim() in (2, 4))
    assert int(sum(zeros)) == round(0.6 * n)


def test_torchxrayvisions_densenet_is_a_densenet_of_one_channel(reader, tmp_path):
    model = network("densenet121", channels=1)
    state = model.state_dict() | {"op_threshs": torch.rand(3)}
    torch.save(state, tmp_path / "xrv.pt")
    _, found = read_back(reader, tmp_path / "xrv.pt")
    assert (found.settings.architecture, found.settings.channels) == ("densenet121", 1)
    assert torch.allclose(logits(network_of(found), 1), logits(model, 1), atol=1e-5)


def test_a_densenet_of_before_torch_04_is_renamed(networks):
    state = networks["densenet121"].state_dict()
    old = {
        name.replace(".norm1.", ".norm.1.")
        .replace(".norm2.", ".norm.2.")
        .replace(".conv1.", ".conv.1.")
        .replace(".conv2.", ".conv.2."): tensor
        for name, tensor in state.items()
    }
    assert old.keys() != state.keys()
    assert densenet_of_old(old).keys() == state.keys()
    assert match(old, None, 64).keys.fit


def test_monais_densenet_is_torchvisions_under_other_names(networks):
    state = networks["densenet121"].state_dict()
    theirs = {
        re.sub(r"(denselayer\d+)\.", r"\1.layers.", name).replace(
            "classifier", "class_layers.out"
        ): t
        for name, t in state.items()
    }
    found = match(theirs, None, 64)
    assert (found.library, found.keys.fit) == ("MONAI", True)
    assert torch.equal(network_of(found).classifier.weight, state["classifier.weight"])


@pytest.mark.parametrize("head", ["head.", "classifier.1.", "probe.linear."])
def test_a_classifier_beside_its_backbone_is_found(head, networks):
    state = networks["resnet50"].state_dict()
    apart = {
        name.replace("fc.", head) if name.startswith("fc.") else f"backbone.{name}": tensor
        for name, tensor in state.items()
    }
    found = match(apart, None, 64)
    assert (found.prefix, found.n_outputs, found.keys.fit) == ("backbone.", len(CLASSES), True)
    assert torch.equal(network_of(found).fc.weight, state["fc.weight"])
    whole = {f"backbone.{name}": tensor for name, tensor in state.items()}
    assert match(whole | {"projector.weight": torch.ones(128, 2048)}, None, 64).keys.fit


def test_a_classifier_inside_a_sequential_is_found(networks):
    state = networks["resnet50"].state_dict()
    wrapped = {
        name.replace("fc.", "fc.1.") if name.startswith("fc.") else name: tensor
        for name, tensor in state.items()
    }
    found = match(wrapped, None, 64)
    assert found.keys.fit
    assert torch.equal(network_of(found).fc.weight, state["fc.weight"])


@pytest.mark.parametrize(
    "architecture",
    ["resnet18", "resnet34", "resnet101", "densenet169", "efficientnet_b0", "efficientnet_b2",
     "convnext_tiny", "mobilenet_v3_small", "mobilenet_v3_large", "vit_b_16", "swin_t"],
)  # fmt: skip
def test_each_architecture_is_told_from_its_siblings(architecture):
    state = network(architecture).state_dict()
    found = match(state, None, None)
    assert (found.settings.architecture, found.share) == (architecture, 1.0)
    assert found.keys.fit
    assert found.n_outputs == len(CLASSES)
    assert all(other.share < 0.9 for other in found.runner_ups)


def test_a_chosen_architecture_is_compared_as_a_diff(networks):
    state = networks["resnet50"].state_dict()
    keys = match(state, "resnet101", 64).keys
    assert "layer3.22.conv1.weight" in keys.missing
    assert not keys.fit
    with pytest.raises(InputError, match="not those of vit_b_16"):
        match(state, "vit_b_16", 64)
    with pytest.raises(
        InputError, match=r"no architecture 'alexnet'; did you mean 'torchvision/a.*resnet_small"
    ):
        match(state, "alexnet", 64)


def test_kept_outputs_are_the_rows_of_the_whole(networks):
    whole = logits(networks["resnet_small"])
    model = network("resnet_small")
    keep_outputs(model, [2, 0])
    assert torch.allclose(logits(model), whole[:, [2, 0]], atol=1e-6)
