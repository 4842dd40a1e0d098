"""What phantoms are drawn on, and with: coordinates, soft edges, smooth noise, antialiased lines.

Lengths are fractions of the picture's side. `x` runs from image left to image right with 0 on the
midline, `y` downwards from the upper edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

# The canvas is wider than the picture so that shifting and tilting never uncovers its edge.
MARGIN = 0.06


@dataclass(frozen=True, eq=False)
class Grid:
    """Coordinates of the canvas: `x` (1, n) and `y` (n, 1), float32."""

    n: int
    x: np.ndarray
    y: np.ndarray

    def column(self, x: float) -> float:
        return (x + 0.5 + MARGIN) / (1 + 2 * MARGIN) * self.n

    def row(self, y: float) -> float:
        return (y + MARGIN) / (1 + 2 * MARGIN) * self.n

    def window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice]:
        """Rows and columns of the box, cut to the canvas and never empty."""
        clip = lambda v: int(np.clip(v, 0, self.n))  # noqa: E731
        rows = clip(self.row(y0)), clip(np.ceil(self.row(y1)))
        columns = clip(self.column(x0)), clip(np.ceil(self.column(x1)))
        return (
            slice(min(rows[0], self.n - 1), max(rows[1], rows[0] + 1)),
            slice(min(columns[0], self.n - 1), max(columns[1], columns[0] + 1)),
        )


@lru_cache(maxsize=4)
def grid(size: int) -> Grid:
    """The canvas for pictures of `size` pixels a side."""
    n = 2 * round(size * (0.5 + MARGIN))  # even: left and right halves mirror each other
    steps = ((np.arange(n, dtype=np.float32) + 0.5) / n * (1 + 2 * MARGIN)).astype(np.float32)
    return Grid(n, (steps - 0.5 - MARGIN)[None, :], (steps - MARGIN)[:, None])


def soft(distance: np.ndarray, width: float) -> np.ndarray:
    """0 to 1 as a signed distance goes from -width to +width: the edge of a shape, blurred
    analytically."""
    t = distance * np.float32(0.5 / width)  # in place from here on: this is where the time goes
    t += np.float32(0.5)
    np.maximum(t, np.float32(0), out=t)
    np.minimum(t, np.float32(1), out=t)
    square = t * t
    t *= np.float32(-2)
    t += np.float32(3)
    square *= t
    return square


def bump(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A Gaussian of height 1; meant for one-dimensional profiles."""
    return np.exp(-(((values - np.float32(centre)) / np.float32(width)) ** 2))


def cloud(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise of `shape`, standard deviation about 0.7, from a coarse field of `cells` drawn
    from `rng`."""
    coarse = rng.standard_normal(cells, dtype=np.float32)
    return np.asarray(
        Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    )


class Strokes:
    """Antialiased lines on a canvas of their own, for vessels, septa and wires."""

    def __init__(self, area: Grid) -> None:
        self.area = area
        self.image = Image.new("L", (2 * area.n, 2 * area.n))
        self.pen = ImageDraw.Draw(self.image)

    def line(self, points: list[tuple[float, float]], width: float, value: float) -> None:
        """A polyline through (x, y) points; `width` in fractions of the side, `value` from 0 to
        1."""
        scale = 2 * self.area.n / (1 + 2 * MARGIN)
        pixels = [(2 * self.area.column(x), 2 * self.area.row(y)) for x, y in points]
        self.pen.line(pixels, fill=int(255 * value), width=max(1, round(width * scale)))

    def values(self) -> np.ndarray:
        """Float32 (n, n), 0 to 1."""
        return np.asarray(self.image.reduce(2), dtype=np.float32) * np.float32(1 / 255)
