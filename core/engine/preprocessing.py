"""What the network sees: grey pixels to normalised tensors, and the augmentation of training."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as functional

# ImageNet's statistics, as in the published code, whatever the weights start from.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def describe(image_size: int) -> dict[str, object]:
    """The preprocessing in plain values, as a checkpoint carries it."""
    return {
        "image_size": image_size,
        "colour": "8-bit grey, repeated to 3 channels",
        "resize": "bilinear with antialiasing",
        "mean": list(MEAN),
        "std": list(STD),
    }


def to_input(pixels: torch.Tensor) -> torch.Tensor:
    """(images, height, width) in 0 to 1 -> normalised (images, 3, height, width), channels last."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
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
