"""What the network sees: grey pixels to normalised tensors, and the augmentation of training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as functional

from core.errors import InputError
from core.pictures.framing import Framing
from core.study.settings import CheckpointSettings

# ImageNet's statistics, as in the published code, whatever the weights start from.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
ROUNDING = 1e-4  # by which a probability may be outside of 0 to 1


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


@dataclass(frozen=True)
class Activation:
    """How outputs become probabilities; "none" where they are that already.

    `points` are torchxrayvision's operating points, one for each class: its `op_norm` moves a point
    to 0.5, and all of a class without one (0) to 0.5.
    """

    name: str = "sigmoid"
    points: tuple[float, ...] = ()

    @classmethod
    def described(cls, preprocessing: dict[str, object]) -> Activation:
        """As a checkpoint's own description has it."""
        points = preprocessing.get("operating_points", ())
        return cls(str(preprocessing.get("activation", "sigmoid")), tuple(points))  # type: ignore[arg-type]

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """(images, classes) float32 -> the same in 0 to 1."""
        found = ACTIVATIONS[self.name](logits)
        if not self.points:
            return found
        points = torch.tensor(self.points, device=logits.device)
        moved = torch.where(
            found < points, found / (2 * points), 1 - (1 - found) / (2 - 2 * points)
        )
        return torch.where(points > 0, moved, 0.5)


def _already(outputs: torch.Tensor) -> torch.Tensor:
    if outputs.min() < -ROUNDING or outputs.max() > 1 + ROUNDING:
        raise InputError(
            f"With activation none the outputs are probabilities, but they go from "
            f"{outputs.min():.3g} to {outputs.max():.3g}. Choose sigmoid or softmax "
            "(checkpoint.activation)."
        )
    return outputs.clamp(0, 1)


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "softmax": partial(torch.softmax, dim=1),
    "none": _already,
}
SIGMOID = Activation()
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


def describe(
    image_size: int,
    normalise: Normalisation = IMAGENET,
    activation: Activation = SIGMOID,
    framing: Framing | None = None,
) -> dict[str, object]:
    """The preprocessing in plain values, as a checkpoint carries it."""
    repeated = len(normalise.mean) == 3
    return {
        "image_size": image_size,
        "colour": "8-bit grey, repeated to 3 channels" if repeated else "8-bit grey, 1 channel",
        "resize": f"{framing.interpolation if framing else 'bilinear'} with antialiasing",
        "mean": list(normalise.mean),
        "std": list(normalise.std),
        **({"centre_crop": framing.share} if framing else {}),
        **({"activation": activation.name} if activation.name != "sigmoid" else {}),
        **({"operating_points": list(activation.points)} if activation.points else {}),
    }


def seen_by(checkpoint: CheckpointSettings, channels: int) -> Normalisation:
    """The mean and deviation that a given checkpoint's settings say."""
    usual = normalisation(checkpoint.preprocessing, channels)
    mean, std = checkpoint.mean or usual.mean, checkpoint.std or usual.std
    if len(mean) == 1:
        mean *= channels
    if len(std) == 1:
        std *= channels
    if len(mean) != channels or len(std) != channels:
        raise InputError(
            f"checkpoint.mean and checkpoint.std have {len(mean)} and {len(std)} values; the "
            f"network takes {channels} channel(s)."
        )
    return Normalisation(mean, std)


def framing_of(checkpoint: CheckpointSettings | None) -> Framing | None:
    """How squares are cut out; None where pictures are stretched."""
    if checkpoint is None or not checkpoint.centre_crop:
        return None
    return Framing(checkpoint.centre_crop, checkpoint.interpolation)


def activation_of(checkpoint: CheckpointSettings, rows: list[int]) -> Activation:
    """That of the outputs in `rows`, which is what is left of the network's."""
    points = checkpoint.operating_points
    if points and len(points) != len(checkpoint.classes):
        raise InputError(
            f"checkpoint.operating_points has {len(points)} values; the network has "
            f"{len(checkpoint.classes)} outputs."
        )
    return Activation(checkpoint.activation, tuple(points[row] for row in rows) if points else ())


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
