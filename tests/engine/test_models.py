"""Every registered model has one output per class, and its random weights follow from the seed."""

import typing

import pytest
import torch

from core.engine.models import MODELS, build_model
from core.engine.sweep import for_inference
from core.errors import InputError
from core.study.settings import Architecture, ModelSettings


def test_the_study_file_offers_exactly_the_registered_models():
    assert set(MODELS) == set(typing.get_args(Architecture))


@pytest.mark.parametrize("architecture", sorted(MODELS))
def test_one_output_per_class_before_and_after_folding(architecture):
    settings = ModelSettings(architecture=architecture, image_size=64)
    model = build_model(settings, 7, seed=0).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        plain = model(images)
        folded = for_inference(model, "fp32")(images)
    assert plain.shape == (2, 7)
    assert torch.allclose(torch.sigmoid(plain), torch.sigmoid(folded), atol=1e-5)


def test_equal_seeds_give_equal_weights_and_leave_torchs_own_randomness_alone():
    settings = ModelSettings(architecture="resnet_small", image_size=64)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (build_model(settings, 3, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"architecture": "vit_b_16", "image_size": 250}, "divisible by 16"),
        ({"architecture": "vit_b_16", "image_size": 256, "weights": "imagenet"}, "224"),
        ({"architecture": "resnet_small", "weights": "imagenet"}, "no ImageNet weights"),
    ],
)
def test_what_an_architecture_cannot_do_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        build_model(ModelSettings(**settings), 3, seed=0)
