"""Findings that fill the lung itself, from a plate of atelectasis to edema: one small function
each.

See `findings` for what such a function takes and returns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.datasets.phantom.anatomy import Anatomy
from core.datasets.phantom.canvas import Strokes, cloud, soft
from core.datasets.phantom.layers import Box, Layers

Rng = np.random.Generator
Paint = Callable[[Layers], None]


def any_side(rng: Rng) -> int:
    """-1 for the patient's right, on image left, 1 for the left."""
    return -1 if rng.random() < 0.5 else 1


def lung_point(
    layers: Layers, rng: Rng, side: int, low: float, high: float, inset: float
) -> tuple[float, float]:
    """A place well inside one lung, between the fractions `low` and `high` of its height, `inset`
    from its borders."""
    a = layers.anatomy
    dome = a.dome_right if side < 0 else a.dome_left
    y = float(a.apex + (dome - a.apex) * rng.uniform(low, high))
    row = int(np.clip(layers.area.row(y), 0, layers.area.n - 1))
    inner = float((layers.right_border if side < 0 else layers.left_border)[row]) + inset
    outer = float(layers.outer[row]) - inset
    middle = (inner + outer) / 2
    return side * (rng.uniform(inner, outer) if outer > inner else middle), y


def ellipse(
    layers: Layers, x: float, y: float, wide: float, high: float, turn: float = 0.0
) -> tuple[Box, np.ndarray]:
    """A box around a turned ellipse and, in it, 1 at the centre falling through 0 on the border, in
    radii."""
    reach = 1.6 * max(wide, high)
    box = layers.area.window(x - reach, x + reach, y - reach, y + reach)
    u, v = layers.area.x[:, box[1]] - np.float32(x), layers.area.y[box[0]] - np.float32(y)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return box, 1 - np.sqrt(((c * u + s * v) / wide) ** 2 + ((c * v - s * u) / high) ** 2)


def atelectasis(a: Anatomy, rng: Rng) -> Paint | None:
    """Plates across the base, or a collapsed wedge with a raised dome."""
    side, plates = any_side(rng), rng.random() < 0.6
    lift = rng.uniform(0.015, 0.03) if plates else rng.uniform(0.035, 0.06)
    if side < 0:
        a.dome_right -= lift
    else:
        a.dome_left -= lift

    def bands(layers: Layers) -> None:
        for _ in range(int(rng.integers(2, 4))):
            x, y = lung_point(layers, rng, side, 0.66, 0.93, 0.04)
            wide, high = rng.uniform((0.07, 0.010), (0.12, 0.016)).tolist()
            box, inside = ellipse(layers, x, y, wide, high, side * rng.uniform(-0.1, 0.45))
            dense = np.float32(rng.uniform(0.6, 0.85))
            layers.replace_air(dense * soft(inside, 0.45), box)

    def wedge(layers: Layers) -> None:
        x, y = layers.area.x * side, layers.area.y
        dome = a.dome_right if side < 0 else a.dome_left
        edge = dome - rng.uniform(0.13, 0.19) + rng.uniform(1.0, 1.5) * (x - 0.04)
        dense = np.float32(rng.uniform(0.6, 0.85))
        layers.replace_air(dense * soft(y - edge, 0.012) * (x > 0))

    return bands if plates else wedge


def consolidation(a: Anatomy, rng: Rng) -> Paint | None:
    """Dense opacity of a lobe, cut off by a fissure, with dark bronchi inside."""
    side, upper = any_side(rng), rng.random() < 0.4

    def paint(layers: Layers) -> None:
        x, y = lung_point(layers, rng, side, *((0.16, 0.34) if upper else (0.60, 0.82)), 0.07)
        box, inside = ellipse(
            layers, x, y, rng.uniform(0.11, 0.15), rng.uniform(0.10, 0.145), rng.uniform(-0.4, 0.4)
        )
        ragged = soft(inside + 0.16 * cloud(rng, inside.shape, (7, 7)), 0.22)
        tilt = side * rng.uniform(-0.3, 0.3)
        fissure = y + (0.05 if upper else -0.06) + tilt * (layers.area.x[:, box[1]] - x)
        down = layers.area.y[box[0]] - fissure
        dense = np.float32(rng.uniform(0.62, 0.88)) * ragged * soft(-down if upper else down, 0.013)
        bronchi = Strokes(layers.area)
        for turn in rng.uniform(-0.8, 0.8, 4):
            start = (side * 0.09, a.hilum_y + 0.02)
            end = (x + 0.09 * side * np.cos(turn), y + 0.08 * np.sin(turn))
            bend = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.02)
            bronchi.line([start, bend, end], 0.007, 1.0)
        layers.replace_air(dense * (1 - 0.4 * bronchi.values()[box]), box)

    return paint


def edema(a: Anatomy, rng: Rng) -> Paint | None:
    """Haze spreading like bat wings from both hila, and short septal lines at the bases."""
    a.vessel_strength *= 1.15
    strength = rng.uniform(0.20, 0.50)

    def paint(layers: Layers) -> None:
        n = layers.area.n
        aside = np.abs(layers.area.x)
        lower = (layers.area.y - a.hilum_y - 0.04) / 0.21
        wing = soft(1 - np.sqrt(((aside - 0.13) / 0.15) ** 2 + lower**2), 0.6)
        mottled = 1 + 0.35 * cloud(rng, (n, n), (40, 40))
        layers.replace_air(np.float32(strength) * (wing * mottled + 0.22))
        septa = Strokes(layers.area)
        for _ in range(26):
            side, y = any_side(rng), rng.uniform(0.55, 0.74)
            wide = float(layers.outer[int(layers.area.row(y))])
            end = side * (wide - rng.uniform(0.025, 0.05)), y + rng.uniform(-0.004, 0.008)
            septa.line([(side * wide, y), end], 0.004, 1.0)
        layers.bright += 0.16 * septa.values() * layers.lung

    return paint


def fibrosis(a: Anatomy, rng: Rng) -> Paint | None:
    """A net of lines at the edges and bases of both lungs, which have shrunk a little."""
    a.dome_right -= 0.018
    a.dome_left -= 0.018
    strength = rng.uniform(0.16, 0.28)

    def paint(layers: Layers) -> None:
        net = Strokes(layers.area)
        starts = rng.uniform((-0.33, 0.30), (0.33, 0.82), (330, 2))
        turns, lengths = rng.uniform(0, np.pi, (330, 2)), rng.uniform(0.007, 0.020, (330, 2))
        for (x, y), (first, second), (one, two) in zip(
            starts.tolist(), turns.tolist(), lengths.tolist(), strict=True
        ):
            bend = (x + one * np.cos(first), y + one * np.sin(first))
            end = bend[0] + two * np.cos(second), bend[1] + two * np.sin(second)
            net.line([(x, y), bend, end], 0.0042, 0.9)
        where = soft(0.10 - layers.wall, 0.06) * soft(layers.area.y - 0.36, 0.12)
        where = np.float32(strength) * np.minimum(where + soft(layers.area.y - 0.60, 0.09), 1)
        layers.bright += where * layers.lung * (net.values() + 0.3)

    return paint


def infiltration(a: Anatomy, rng: Rng) -> Paint | None:
    """Patchy ill-defined haze in one or both lungs."""
    sides = (-1, 1) if rng.random() < 0.45 else (any_side(rng),)

    def paint(layers: Layers) -> None:
        for side in sides:
            x, y = lung_point(layers, rng, side, 0.35, 0.85, 0.06)
            box, inside = ellipse(layers, x, y, rng.uniform(0.11, 0.16), rng.uniform(0.14, 0.22))
            coarse, fine = (cloud(rng, inside.shape, cells) for cells in ((8, 8), (19, 19)))
            patches = np.clip(0.62 + 0.36 * coarse + 0.22 * fine, 0, 1.3)
            haze = np.float32(rng.uniform(0.34, 0.58)) * patches * soft(inside + 0.15, 0.55)
            layers.replace_air(haze, box)

    return paint


def _round_opacity(layers: Layers, rng: Rng, radius: float, density: float, lobed: float) -> None:
    x, y = lung_point(layers, rng, any_side(rng), 0.18, 0.88, radius + 0.015)
    wide, high = (radius * rng.uniform(0.9, 1.1, 2)).tolist()
    box, inside = ellipse(layers, x, y, wide, high, rng.uniform(0, 3))
    shape = soft(inside + lobed * cloud(rng, inside.shape, (6, 6)), 0.28)
    layers.replace_air(density * shape, box)


def mass(a: Anatomy, rng: Rng) -> Paint | None:
    """One round opacity of more than 3 cm."""
    return lambda layers: _round_opacity(
        layers, rng, rng.uniform(0.050, 0.080), rng.uniform(0.60, 0.88), 0.10
    )


def nodule(a: Anatomy, rng: Rng) -> Paint | None:
    """One to three round opacities of less than 3 cm."""

    def paint(layers: Layers) -> None:
        for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
            _round_opacity(layers, rng, rng.uniform(0.025, 0.035), rng.uniform(0.62, 0.92), 0.05)

    return paint


def pneumonia(a: Anatomy, rng: Rng) -> Paint | None:
    """One fuzzy opacity the size of a segment."""

    def paint(layers: Layers) -> None:
        x, y = lung_point(layers, rng, any_side(rng), 0.30, 0.88, 0.07)
        box, inside = ellipse(
            layers, x, y, rng.uniform(0.09, 0.125), rng.uniform(0.075, 0.11), rng.uniform(-0.7, 0.7)
        )
        fuzzy = soft(inside + 0.22 * cloud(rng, inside.shape, (8, 8)), 0.55)
        layers.replace_air(np.float32(rng.uniform(0.62, 0.82)) * fuzzy, box)

    return paint
