"""Pictures reach a library's network as that library's own transform gives them to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from core.checkpoints.preflight import PreflightOptions
from core.engine.foreign.guessing import Match, match
from core.engine.foreign.proposing import usual_framing, usual_preprocessing
from core.engine.foreign.sidecar import Sidecar
from core.engine.preprocessing import framing_of, seen_by, to_input
from core.study.networks import index
from core.study.settings import CheckpointSettings
from tests.engine.foreign.test_libraries import made


def proposed(found: Match) -> CheckpointSettings:
    """As the preflight proposes where nobody chooses."""
    name, _ = usual_preprocessing(found, Sidecar(), [])
    framing = usual_framing(found, PreflightOptions(), Sidecar())
    return CheckpointSettings(
        sha256="0" * 64,
        classes=tuple(map(str, range(found.n_outputs))),
        preprocessing=name,
        **framing,
    )


def as_its_library_does(name: str, model: torch.nn.Module, picture: Image.Image) -> torch.Tensor:
    if name.startswith("timm/"):
        from timm.data import create_transform, resolve_model_data_config

        return create_transform(**resolve_model_data_config(model), is_training=False)(picture)
    from torchvision.models import get_model_weights

    return next(iter(get_model_weights(name.partition("/")[2]))).transforms()(picture)


@pytest.mark.parametrize(
    "name",
    [
        "torchvision/squeezenet1_1",
        "torchvision/regnet_y_400mf",
        "timm/resnet10t",
        "timm/efficientnet_b0",
    ],
)
def test_a_picture_is_scaled_and_cut_as_its_library_does(name):
    model = made(name)
    found = match(model.state_dict(), None, None)
    chosen, size = proposed(found), found.settings.image_size
    noise = np.random.default_rng(0).integers(0, 256, (300, 410), dtype=np.uint8)
    picture = Image.fromarray(noise)
    framing = framing_of(chosen)
    assert framing is not None
    grey = torch.from_numpy(np.array(framing.of(picture, size))).float() / 255
    ours = to_input(grey[None], seen_by(chosen, found.settings.channels))[0]
    theirs = as_its_library_does(name, model, picture.convert("RGB"))
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) < 1e-5


def test_weights_that_several_libraries_use_are_given_stretched_pictures():
    found = match(made("timm/resnet18").state_dict(), None, None)
    assert framing_of(proposed(found)) is None
    chosen = match(found.tensors, "timm/resnet18", None)
    assert framing_of(proposed(chosen)) is not None


@pytest.mark.parametrize("name", [n for n, one in index().networks.items() if one.crop > 1])
def test_a_network_that_pads_its_pictures_is_given_them_whole(name):
    small = match(made("timm/resnet18").state_dict(), None, None)
    found = replace(small, settings=small.settings.model_copy(update={"architecture": name}))
    assert proposed(found).centre_crop == 1
