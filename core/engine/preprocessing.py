"""What the network sees: grey pixels to normalised tensors, and the augmentation of training."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional

# ImageNet's statistics, as in the published code, whatever the weights start from.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalisation:
    """(value - mean) / std per channel of grey in 0 to 1, repeated to as many channels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def described(cls, preprocessing: dict[str, object]) -> Normalisation:
        """As a checkpoint's own description has it."""
        mean, std = preprocessing["mean"], preprocessing["std"]
        return cls(tuple(mean), tuple(std))  # type: ignore[arg-type]


IMAGENET = Normalisation(MEAN, STD)
# By name, for a network of one channel; "imagenet" there is the mean of its three channels.
# "xrv" is torchxrayvision's -1024 to 1024, "half" the -1 to 1 of many transformers.
ONE_CHANNEL = {
    "imagenet": Normalisation((0.449,), (0.226,)),
    "xrv": Normalisation((0.5,), (1 / 2048,)),
    "half": Normalisation((0.5,), (0.5,)),
    "unit": Normalisation((0.0,), (1.0,)),
}


def normalisation(name: str, channels: int) -> Normalisation:
    """The named one for a network of 1 or 3 channels."""
    if name == "imagenet" and channels == 3:
        return IMAGENET
    one = ONE_CHANNEL[name]
    return Normalisation(one.mean * channels, one.std * channels)


def describe(image_size: int, normalise: Normalisation = IMAGENET) -> dict[str, object]:
    """The preprocessing in plain values, as a checkpoint carries it."""
    repeated = len(normalise.mean) == 3
    return {
        "image_size": image_size,
        "colour": "8-bit grey, repeated to 3 channels" if repeated else "8-bit grey, 1 channel",
        "resize": "bilinear with antialiasing",
        "mean": list(normalise.mean),
        "std": list(normalise.std),
    }


def to_input(pixels: torch.Tensor, normalise: Normalisation = IMAGENET) -> torch.Tensor:
    """(images, height, width) in 0 to 1 -> normalised (images, channels, height, width), channels
    last."""
    mean = torch.tensor(normalise.mean, device=pixels.device).view(1, -1, 1, 1)
    std = torch.tensor(normalise.std, device=pixels.device).view(1, -1, 1, 1)
    repeated = (pixels[:, None] - mean) / std
    return repeated.contiguous(memory_format=torch.channels_last)


def to_unit(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """uint8 (images, height, width) -> float32 in 0 to 1 on `device`."""
    return torch.from_numpy(np.array(pixels)).to(device).float().div_(255)


def augment(
    pixels: torch.Tensor, flip: bool, rotation_degrees: float, generator: torch.Generator
) -> torch.Tensor:
    """Mirror half of the images and turn each by up to +-`rotation_degrees`; black outside.

    pixels: (images, height, width) in 0 to 1. `generator` is a CPU generator, so that the same
    seed gives the same pictures on every device.
    """
    n = len(pixels)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    if not flip:
        mirror = torch.ones(n)
    turn = (torch.rand(n, generator=generator) * 2 - 1) * math.radians(rotation_degrees)
    zero = torch.zeros(n)
    rows = (
        torch.stack([mirror * turn.cos(), -turn.sin(), zero]),
        torch.stack([mirror * turn.sin(), turn.cos(), zero]),
    )
    matrices = torch.stack(rows).permute(2, 0, 1).to(pixels.device)
    grid = functional.affine_grid(matrices, [n, 1, *pixels.shape[1:]], align_corners=False)
    return functional.grid_sample(pixels[:, None], grid, align_corners=False)[:, 0]
