"""How a picture becomes a square: stretched, as in the paper, or cut out of its middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from PIL import Image

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Framing:
    """As torchvision and timm frame pictures for evaluation: the shorter side is scaled to the
    size divided by `share`, and the middle is cut out. With a share of 1 that is
    torchxrayvision's centre crop."""

    share: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def of(self, image: Image.Image, size: int) -> Image.Image:
        """The square of `size` px of an 8-bit grey image."""
        side = math.floor(size / self.share + 1e-6)
        width, height = image.size
        short = min(width, height)
        if short != side:
            scaled = (int(side * width / short), int(side * height / short))
            image = image.resize(scaled, FILTERS[self.interpolation])
        left, top = (round((edge - size) / 2) for edge in image.size)
        return image.crop((left, top, left + size, top + size))

    def __str__(self) -> str:
        return f"crop{self.share:g}{self.interpolation}"
