"""Networks made by torchvision, timm and torchxrayvision are known by their weights, and predict
what their library's own forward predicts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engine.foreign import twins
from core.engine.foreign.adopting import keep_outputs, network_of
from core.engine.foreign.guessing import match
from core.engine.libraries import make
from core.engine.models import build_model
from core.engine.pruning import achieved_sparsity
from core.engine.sweep import for_inference
from core.errors import InputError
from core.study.networks import index
from core.study.settings import ModelSettings


def made(name: str, n_classes: int = 5, channels: int = 3, size: int | None = None) -> nn.Module:
    """Random, with norms that are not at their defaults."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    model = make(name, n_classes, channels, size)
    for parameter_name, tensor in model.state_dict().items():
        if tensor.dim() == 1 and tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(noise + 0.5 if parameter_name.endswith("var") else tensor + noise / 5)
    return model.eval()


def probabilities(model: nn.Module, size: int, channels: int = 3) -> torch.Tensor:
    images = torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return torch.sigmoid(model(images))


def assert_the_same(name: str, expected: str, size: int, stated: str | None = None, **how):
    model = made(name, **how)
    found = match(model.state_dict(), None, None, stated)
    assert found.keys.fit, found.keys
    assert found.settings.architecture == expected
    channels = how.get("channels", 3)
    ours = for_inference(network_of(found), "fp32").cpu()
    theirs = probabilities(model, size, channels)
    assert float((probabilities(ours, size, channels) - theirs).abs().max()) < 1e-5
    return found


@pytest.mark.parametrize(
    ("name", "expected", "size"),
    [
        ("timm/resnet50", "resnet50", 64),
        ("timm/convnext_tiny", "convnext_tiny", 64),
        ("timm/vit_small_patch16_224", "timm/vit_small_patch16_224", 224),
        ("torchvision/vgg11", "torchvision/vgg11", 64),
        ("torchvision/regnet_y_400mf", "torchvision/regnet_y_400mf", 64),
        ("timm/seresnet50", "timm/seresnet50", 64),
        ("timm/deit_tiny_distilled_patch16_224", "timm/deit_tiny_distilled_patch16_224", 224),
    ],
)
def test_a_librarys_network_is_known_by_its_weights(name, expected, size):
    assert_the_same(name, expected, size)


@pytest.mark.parametrize("name", ["tf_efficientnet_b0", "resnetblur50", "resnetaa50"])
def test_of_networks_with_equal_weights_the_one_that_the_file_names_is_built(name):
    found = assert_the_same(f"timm/{name}", f"timm/{name}", 64, stated=name)
    assert found.stated
    unnamed = match(found.tensors, None, None)
    assert unnamed.settings.architecture in ("resnet50", "efficientnet_b0")
    assert f"timm/{name}" in unnamed.alternatives
    chosen = match(found.tensors, f"timm/{name}", None)
    assert chosen.settings.architecture == f"timm/{name}"


def test_torchxrayvisions_densenet_predicts_what_it_predicts_itself():
    found = assert_the_same(
        "torchxrayvision/densenet121", "densenet121", 224, n_classes=18, channels=1
    )
    assert (found.n_outputs, found.settings.channels, found.alternatives) == (18, 1, ())


def test_a_prefix_and_another_image_size_are_seen_in_the_weights():
    model = made("timm/vit_small_patch16_224", size=64)
    state = {f"module.backbone.{name}": tensor for name, tensor in model.state_dict().items()}
    found = match(state, None, None)
    assert (found.settings.image_size, found.prefix) == (64, "module.backbone.")
    assert torch.allclose(probabilities(network_of(found), 64), probabilities(model, 64), atol=1e-5)
    with pytest.raises(InputError, match="made for images of 64 px, not 96"):
        match(state, None, 96)


def test_a_network_that_is_nearly_one_of_a_library_is_named_with_what_differs():
    state = made("timm/vit_small_patch16_224").state_dict()
    del state["blocks.3.mlp.fc1.weight"]
    found = match(state, None, None)
    assert found.settings.architecture == "timm/vit_small_patch16_224"
    assert found.keys.missing == ("blocks.3.mlp.fc1.weight",)


def test_weights_of_no_network_are_refused():
    with pytest.raises(InputError, match=r"No network known here .* timm \d"):
        match({"a.weight": torch.ones(3, 3), "b.weight": torch.ones(2, 2)}, None, None)


def test_kept_outputs_of_two_heads_are_the_rows_of_the_whole():
    name = "timm/deit_tiny_distilled_patch16_224"
    found = match(made(name, size=64).state_dict(), None, None)
    whole = network_of(found)
    expected = probabilities(whole, 64)[:, [3, 1]]
    keep_outputs(whole, [3, 1])
    assert torch.allclose(probabilities(whole, 64), expected, atol=1e-6)
    rows = achieved_sparsity(whole)["row"].dropna()
    assert list(rows) == [0, 1]


@pytest.mark.parametrize(
    "name", ["torchvision/squeezenet1_1", "timm/mobilenetv4_conv_small", "torchvision/mobilenet_v2"]
)
def test_any_network_can_be_built_for_grey_images_and_any_number_of_classes(name):
    settings = ModelSettings(architecture=name, image_size=64, channels=1)
    assert probabilities(build_model(settings, 7, seed=0).eval(), 64, 1).shape == (2, 7)
    one, same = (next(build_model(settings, 7, 3).parameters()) for _ in range(2))
    assert torch.equal(one, same)


def test_an_image_size_that_a_network_cannot_have_is_refused():
    settings = ModelSettings(architecture="torchvision/vit_b_32", image_size=100)
    with pytest.raises(InputError, match="cannot be built for images of 100 px"):
        build_model(settings, 2, seed=0)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_the_index_lists_what_the_library_builds(library):
    if library == "timm":
        import timm

        names = timm.list_models()
    else:
        from torchvision import models

        names = models.list_models(module=models)
    known = {one.own_name for one in index().networks.values() if one.library == library}
    assert known <= set(names)
    assert all(name.endswith("_enc") for name in set(names) - known)  # encoders have no classes


def test_only_twins_that_the_weights_fit_at_the_images_size_are_asked_about():
    tensors = made("timm/vit_small_patch16_224", n_classes=14, channels=3).state_dict()
    found = match(tensors, None, None)
    assert "timm/flexivit_small" in found.alternatives  # of equal names and, at 240 px, shapes
    assert list(twins.networks(tensors, found)) == ["timm/vit_small_patch16_224"]
