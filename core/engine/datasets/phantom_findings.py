"""How each finding of NIH-CXR-LT looks on a phantom: one small function a finding.

A finding bends the anatomy it is given (a heart grows, a dome falls) and, if it also shows as
something in or around the lungs, returns a function that paints it onto the cast layers. Place and
severity come from its own generator. Shapes are the textbook ones, drawn strong enough to survive a
reduction to 64 pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.engine.datasets import phantom_opacities as opacities
from core.engine.datasets.phantom_anatomy import Anatomy, Layers
from core.engine.datasets.phantom_canvas import bump, cloud, soft
from core.engine.datasets.phantom_opacities import Paint, Rng, any_side, ellipse, fill


def cardiomegaly(a: Anatomy, rng: Rng) -> Paint | None:
    """A heart wider than half the chest."""
    grow = rng.uniform(1.28, 1.58)
    a.heart_width *= grow
    a.heart_height *= 1 + 0.35 * (grow - 1)
    a.heart_x *= rng.uniform(0.95, 1.15)
    return None


def effusion(a: Anatomy, rng: Rng) -> Paint | None:
    """Fluid in the pleural space: a lost costophrenic angle and a rim climbing up the wall."""
    sides = (-1, 1) if rng.random() < 0.3 else (any_side(rng),)
    levels = [rng.uniform(0.0, 0.13) for _ in sides]

    def paint(layers: Layers) -> None:
        for side, depth in zip(sides, levels, strict=True):
            dome = a.dome_right if side < 0 else a.dome_left
            wall = np.maximum(layers.wall, 0)
            surface = (
                dome
                + 0.045
                - depth
                - np.float32(0.11 + 0.5 * depth) * np.exp(-wall / np.float32(0.04))
            )
            wet = soft(layers.area.y - surface, 0.016) * (layers.area.x * side > 0)
            layers.fill[:] = 1 - (1 - layers.fill) * (1 - 0.96 * wet)

    return paint


def emphysema(a: Anatomy, rng: Rng) -> Paint | None:
    """Too much air: black long lungs, flat low domes, thin vessels, a narrow heart."""
    amount = rng.uniform(0.7, 1.2)
    a.dome_right += 0.055 * amount
    a.dome_left += 0.055 * amount
    a.angle_depth *= 1 - 0.55 * amount
    a.lung_width *= 1 + 0.045 * amount
    a.heart_width *= 1 - 0.15 * amount
    a.heart_height *= 1 + 0.12 * amount
    a.rib_spacing *= 1 + 0.07 * amount
    a.lucency *= 1 + 0.16 * amount
    a.vessel_strength *= 1 - 0.35 * amount
    return None


def hernia(a: Anatomy, rng: Rng) -> Paint | None:
    """Stomach behind the heart: a round wall, air above a level of fluid."""
    radius, x = rng.uniform(0.065, 0.095), rng.uniform(-0.005, 0.06)

    def paint(layers: Layers) -> None:
        y = a.dome_left - 0.72 * radius
        box, inside = ellipse(layers, x, y, radius * rng.uniform(1.0, 1.2), radius)
        level = soft(y + radius * rng.uniform(0.0, 0.25) - layers.area.y[box[0]], 0.004)
        round_ = soft(inside, 0.07)
        layers.dark[box] += np.float32(rng.uniform(0.16, 0.28)) * round_ * level
        layers.bright[box] += 0.06 * round_ * (1 - level) + 0.09 * soft(0.09 - np.abs(inside), 0.06)
        fill(layers, box, 0.9 * round_)

    return paint


def pleural_thickening(a: Anatomy, rng: Rng) -> Paint | None:
    """A cap over the apex, or a rind along the side wall."""
    side, cap = any_side(rng), rng.random() < 0.45

    def paint(layers: Layers) -> None:
        uneven = 1 + 0.35 * cloud(rng, (layers.area.n, 1), (14, 1))
        if cap:
            depth = np.minimum(layers.wall, 0.9 * (layers.area.y - a.apex))
            thick, along = rng.uniform(0.040, 0.060), soft(a.apex + 0.15 - layers.area.y, 0.05)
        else:
            depth = layers.wall
            centre, half = rng.uniform(0.45, 0.62), rng.uniform(0.13, 0.2)
            thick, along = (
                rng.uniform(0.028, 0.045),
                soft(half - np.abs(layers.area.y - centre), 0.05),
            )
        rind = (
            soft(np.float32(thick) * along * uneven - depth, 0.006)
            * along
            * (layers.area.x * side > 0)
        )
        layers.fill[:] = 1 - (1 - layers.fill) * (1 - 0.85 * rind)
        layers.bright += 0.05 * rind * layers.lung

    return paint


def pneumothorax(a: Anatomy, rng: Rng) -> Paint | None:
    """Black space without vessels between the chest wall and a fine pleural line."""
    side, size = any_side(rng), rng.uniform(0.035, 0.09)
    air = rng.uniform(0.08, 0.14)

    def paint(layers: Layers) -> None:
        fade = np.clip(1.15 - (layers.area.y - a.apex) / np.float32(0.62), 0.12, 1)
        depth = np.minimum(layers.wall, 0.75 * (layers.area.y - a.apex))
        gap = depth - np.float32(size) * fade
        here = layers.area.x * side > 0
        free = soft(-gap, 0.004) * here
        layers.dark += np.float32(air) * free * layers.lung
        layers.fill[:] = 1 - (1 - layers.fill) * (
            1 - 0.16 * soft(gap, 0.01) * here
        )  # the lung behind it has sagged
        layers.bright += 0.12 * soft(0.004 - np.abs(gap), 0.004) * here * layers.lung

    return paint


def aortic_calcification(a: Anatomy, rng: Rng) -> Paint | None:
    """A bright arc in the wall of the aortic knob."""
    a.knob += rng.uniform(0.002, 0.008)
    strength, below = rng.uniform(0.25, 0.40), rng.random() < 0.6

    def paint(layers: Layers) -> None:
        rows = layers.area.y[:, 0]
        span = soft(0.042 - np.abs(rows - a.knob_y - 0.004), 0.012)
        if below:  # and on down the descending aorta
            span = np.maximum(span, 0.6 * soft(0.06 - np.abs(rows - a.knob_y - 0.13), 0.02))
        box = layers.area.window(0.0, 0.16, a.knob_y - 0.08, a.knob_y + 0.24)
        arc = 0.0065 - np.abs(layers.area.x[:, box[1]] - layers.left_border[box[0], None] + 0.007)
        layers.bright[box] += np.float32(strength) * soft(arc, 0.004) * span[box[0], None]

    return paint


def pneumomediastinum(a: Anatomy, rng: Rng) -> Paint | None:
    """Dark lines of air along the heart and the great vessels, lined by a thin lifted pleura."""
    strength, width = rng.uniform(0.13, 0.28), rng.uniform(0.005, 0.008)

    def paint(layers: Layers) -> None:
        rows, x = layers.area.y[:, 0], layers.area.x
        low = a.heart_y + 0.08
        for border, here in ((layers.left_border, x > 0), (layers.right_border, x < 0)):
            span = (soft(rows - 0.05, 0.03) * soft(rng.uniform(low - 0.12, low) - rows, 0.04))[
                :, None
            ]
            off = np.abs(x) - border[:, None] + np.float32(width)
            layers.dark += np.float32(strength) * soft(width - np.abs(off), 0.004) * span * here
            layers.bright += 0.12 * soft(0.003 - np.abs(off - 1.9 * width), 0.003) * span * here
        streak = cloud(rng, (layers.area.n, layers.area.n), (8, 46))
        neck = soft(0.10 - np.abs(x), 0.03) * soft(0.15 - layers.area.y, 0.05)
        layers.dark += 0.5 * strength * np.clip(streak, 0, 1.5) * neck

    return paint


def pneumoperitoneum(a: Anatomy, rng: Rng) -> Paint | None:
    """A dark crescent under the diaphragm, which stays behind as a thin bright line."""
    sides = (-1, 1) if rng.random() < 0.45 else (-1 if rng.random() < 0.75 else 1,)
    thick, depth = rng.uniform(0.024, 0.050), rng.uniform(0.30, 0.44)

    def paint(layers: Layers) -> None:
        for side in sides:
            s = (layers.area.x * side - 0.165) / np.float32(0.125)
            drop = layers.area.y - layers.diaphragm[None, :] - 0.009
            crescent = np.minimum(drop, np.float32(thick) * (1 - s * s) - drop)
            layers.dark += np.float32(depth) * soft(crescent, 0.004) * (np.abs(s) < 1)

    return paint


def subcutaneous_emphysema(a: Anatomy, rng: Rng) -> Paint | None:
    """Streaks of air in the soft tissue of the chest wall and the neck."""
    sides = (-1, 1) if rng.random() < 0.4 else (any_side(rng),)
    strength = rng.uniform(0.12, 0.26)

    def paint(layers: Layers) -> None:
        n, x, y = layers.area.n, layers.area.x, layers.area.y
        # Air follows the muscle: fine streaks that fan out from the shoulder, in uneven amounts.
        fan = np.arctan2(y + 0.05, np.abs(x) - 0.62 + 0.2 * np.abs(y - 0.5)) * np.float32(95)
        wander = cloud(rng, (n, n), (22, 22))
        streaks = np.clip(np.sin(fan + 1.5 * wander) + 0.25, 0, 1) * np.clip(
            0.55 + 0.6 * cloud(rng, (n, n), (17, 17)), 0, 1.2
        )
        chest = soft(-layers.wall - 0.012, 0.012) * soft(
            layers.body[:, None] - np.abs(x) - 0.015, 0.012
        )
        chest = chest * soft(y - 0.14, 0.08) * soft(0.86 - y, 0.08) + 0.7 * soft(
            0.15 - y, 0.04
        ) * soft(np.abs(x) - 0.04, 0.02) * soft(layers.body[:, None] - np.abs(x) - 0.02, 0.01)
        here = np.ones_like(x) if len(sides) == 2 else soft(x * sides[0], 0.02)
        layers.dark += np.float32(strength) * streaks * chest * here

    return paint


def tortuous_aorta(a: Anatomy, rng: Rng) -> Paint | None:
    """A wide bulging knob, an ascending aorta that shows on the right, a descending one that
    winds."""
    amount = rng.uniform(0.7, 1.2)
    a.knob += 0.030 * amount
    a.knob_y -= 0.010 * amount
    a.ascending += 0.030 * amount
    a.descending += 0.034 * amount

    def paint(layers: Layers) -> None:  # the wall of the descending aorta shines through the heart
        rows = layers.area.y[:, 0]
        course = 0.052 + 0.026 * amount * np.sin((rows - a.knob_y) * 13)
        span = soft(rows - a.knob_y, 0.03) * soft(a.heart_y + 0.08 - rows, 0.05)
        edge = bump(layers.area.x - course[:, None].astype(np.float32), 0, 0.006)
        layers.bright += 0.06 * edge * span[:, None].astype(np.float32)

    return paint


FINDINGS: dict[str, Callable[[Anatomy, Rng], Paint | None]] = {
    "Atelectasis": opacities.atelectasis,
    "Cardiomegaly": cardiomegaly,
    "Consolidation": opacities.consolidation,
    "Edema": opacities.edema,
    "Effusion": effusion,
    "Emphysema": emphysema,
    "Fibrosis": opacities.fibrosis,
    "Hernia": hernia,
    "Infiltration": opacities.infiltration,
    "Mass": opacities.mass,
    "Nodule": opacities.nodule,
    "Pleural Thickening": pleural_thickening,
    "Pneumonia": opacities.pneumonia,
    "Pneumothorax": pneumothorax,
    "Calcification of the Aorta": aortic_calcification,
    "Pneumomediastinum": pneumomediastinum,
    "Pneumoperitoneum": pneumoperitoneum,
    "Subcutaneous Emphysema": subcutaneous_emphysema,
    "Tortuous Aorta": tortuous_aorta,
}
