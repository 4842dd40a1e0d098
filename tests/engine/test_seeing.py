"""A given network sees what its library would have shown it, and its outputs mean what they do
there."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.engine.preprocessing import Activation, activation_of, seen_by, to_input, to_unit
from core.errors import InputError
from core.pictures.framing import Framing
from core.pictures.images import read_grey
from core.study.networks import index
from core.study.settings import CheckpointSettings

LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)) * 3


def checkpoint(**settings) -> CheckpointSettings:
    return CheckpointSettings(sha256="0" * 64, classes=("a", "b", ""), **settings)


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """300 x 400 px of soft noise."""
    path = tmp_path_factory.mktemp("pictures") / "chest.png"
    noise = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize("name", ["resnet50d", "vit_small_patch16_224", "convnextv2_nano"])
def test_timms_own_transform_gives_the_same_input(name, picture):
    import timm

    cfg = timm.get_pretrained_cfg(name).to_dict()
    data = timm.data.resolve_data_config(pretrained_cfg=cfg)
    transform = timm.data.create_transform(**data)
    expected = transform(Image.open(picture).convert("RGB"))
    network = index().networks[f"timm/{name}"]
    framing = Framing(network.crop, network.interpolation)
    size = data["input_size"][-1]
    grey = read_grey(picture, size, framing=framing)
    seen = seen_by(checkpoint(mean=network.mean, std=network.std), 3)
    ours = to_input(to_unit(grey[None], torch.device("cpu")), seen)[0]
    assert float((ours - expected).abs().max()) < 1e-5


def test_torchxrayvisions_centre_crop_is_the_middle_square(picture):
    from torchxrayvision.datasets import XRayCenterCrop

    stored = np.asarray(Image.open(picture))
    middle = XRayCenterCrop()(stored[None])[0]
    assert np.array_equal(read_grey(picture, 300, framing=Framing()), middle)


def test_operating_points_move_probabilities_as_torchxrayvision_does():
    from torchxrayvision.models import op_norm

    points = torch.tensor([0.1, float("nan"), 0.7])
    expected = op_norm(torch.sigmoid(LOGITS), points)
    assert torch.allclose(Activation("sigmoid", (0.1, 0.0, 0.7))(LOGITS), expected, atol=1e-6)
    kept = activation_of(checkpoint(operating_points=(0.1, 0.0, 0.7)), [2, 0])
    assert torch.allclose(kept(LOGITS[:, [2, 0]]), expected[:, [2, 0]], atol=1e-6)


def test_softmax_is_over_the_outputs_and_sigmoid_over_none():
    assert torch.allclose(Activation("softmax")(LOGITS).sum(dim=1), torch.ones(6))
    assert torch.equal(Activation()(LOGITS), LOGITS.sigmoid())


def test_a_mean_of_another_number_of_channels_is_refused():
    assert seen_by(checkpoint(mean=(0.4,)), 3).mean == (0.4, 0.4, 0.4)
    with pytest.raises(InputError, match=r"3 and 1 values; the network takes 1 channel"):
        seen_by(checkpoint(mean=(0.1, 0.2, 0.3)), 1)
    with pytest.raises(InputError, match="2 values; the network has 3 outputs"):
        activation_of(checkpoint(operating_points=(0.1, 0.2)), [0])
