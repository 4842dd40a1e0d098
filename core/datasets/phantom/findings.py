"""How each finding of NIH-CXR-LT looks on a phantom: one small function a finding.

A finding bends the anatomy it is given (a heart grows, a dome falls) and, if it also shows as
something in or around the lungs, returns a function that paints it onto the cast layers. Place and
severity come from its own generator. Shapes are the textbook ones, drawn strong enough to survive a
reduction to 64 pixels. The rarest signs are drawn large and in much the same place, so that a
network can learn them from about a dozen examples: what was never known cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from core.datasets.phantom import opacities
from core.datasets.phantom.anatomy import Anatomy
from core.datasets.phantom.canvas import bump, cloud, soft
from core.datasets.phantom.layers import PAINTED, Layers
from core.datasets.phantom.opacities import Paint, Rng, any_side, ellipse

Finding = Callable[[Anatomy, Rng], Paint | None]


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
            rim = np.float32(0.11 + 0.5 * depth) * np.exp(-wall / np.float32(0.04))
            surface = dome + 0.045 - depth - rim
            wet = soft(layers.area.y - surface, 0.016) * (layers.area.x * side > 0)
            layers.replace_air(0.96 * wet)

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
    """Stomach behind the heart: a large round wall, air above a level of fluid."""
    radius, x = rng.uniform(0.080, 0.115), rng.uniform(-0.005, 0.05)
    air, share = rng.uniform(0.26, 0.42), rng.uniform(-0.2, 0.2)

    def paint(layers: Layers) -> None:
        y = a.dome_left - 0.80 * radius
        box, inside = ellipse(layers, x, y, radius * rng.uniform(1.05, 1.2), radius)
        level = soft(y + radius * share - layers.area.y[box[0]], 0.004)
        round_ = soft(inside, 0.07)
        layers.replace_air(0.9 * round_, box)
        layers.dark[box] += np.float32(air) * soft(inside - 0.06, 0.04) * level
        layers.bright[box] += 0.09 * round_ * (1 - level) + 0.06 * soft(0.06 - np.abs(inside), 0.05)

    return paint


def pleural_thickening(a: Anatomy, rng: Rng) -> Paint | None:
    """A rind along the side wall, or a cap over the apex that runs down into one."""
    side, cap = any_side(rng), rng.random() < 0.35

    def paint(layers: Layers) -> None:
        y = layers.area.y
        uneven = 1 + 0.30 * cloud(rng, (layers.area.n, 1), (14, 1))
        if cap:
            depth = np.minimum(layers.wall, 0.9 * (y - a.apex))
            thick, along = rng.uniform(0.048, 0.066), soft(a.apex + 0.22 - y, 0.06)
        else:
            depth = layers.wall
            centre, half = rng.uniform(0.45, 0.58), rng.uniform(0.16, 0.24)
            thick, along = rng.uniform(0.036, 0.054), soft(half - np.abs(y - centre), 0.05)
        rind = soft(np.float32(thick) * along * uneven - depth, 0.006) * along
        rind = rind * (layers.area.x * side > 0)
        layers.replace_air(0.90 * rind)
        layers.bright += 0.07 * rind * layers.lung

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
        layers.replace_air(0.16 * soft(gap, 0.01) * here)  # the lung behind it has sagged
        layers.bright += 0.12 * soft(0.004 - np.abs(gap), 0.004) * here * layers.lung

    return paint


def aortic_calcification(a: Anatomy, rng: Rng) -> Paint | None:
    """A bright shell in the wall of a prominent aortic knob, and plaques on down the descending
    aorta."""
    a.knob += rng.uniform(0.012, 0.020)
    strength, half = rng.uniform(0.45, 0.60), rng.uniform(0.0085, 0.0115)
    length = rng.uniform(0.20, 0.30)

    def paint(layers: Layers) -> None:
        box = layers.area.window(-0.02, 0.18, a.knob_y - 0.09, a.knob_y + length + 0.08)
        x, y = layers.area.x[:, box[1]], layers.area.y[box[0]]
        # The arch is seen end on: a shell around the outer half of the knob.
        border, radius = layers.left_border[box[0]], 0.036 + 0.3 * a.knob
        top = int(np.argmin(np.abs(y[:, 0] - a.knob_y)))
        centre = float(border[top]) - radius
        shell = half - np.abs(np.hypot(x - centre, y - a.knob_y) - radius + half)
        shell = soft(shell, 0.004) * soft(x - centre - 0.014, 0.012)
        # Below it plaques follow the outer wall of the aorta, and pass behind the heart.
        course = np.concatenate([border[:top], np.minimum.accumulate(border[top:])])
        wall = 0.8 * half - np.abs(x - course[:, None] + 1.2 * half)
        patchy = np.clip(0.7 + 0.6 * cloud(rng, (len(y), 1), (12, 1)), 0.1, 1.1)
        down = soft(y - a.knob_y - 0.03, 0.02) * soft(a.knob_y + length - y, 0.03)
        plaques = soft(wall, 0.004) * down * patchy
        layers.bright[box] += np.float32(strength) * np.maximum(shell, plaques)

    return paint


def pneumomediastinum(a: Anatomy, rng: Rng) -> Paint | None:
    """Dark bands of air along the heart and the great vessels up into the neck, lined by a thin
    lifted pleura."""
    strength, width = rng.uniform(0.32, 0.46), rng.uniform(0.010, 0.014)

    def paint(layers: Layers) -> None:
        rows, x = layers.area.y[:, 0], layers.area.x
        low = a.heart_y + 0.08
        for border, here in ((layers.left_border, x > 0), (layers.right_border, x < 0)):
            span = soft(rng.uniform(low - 0.06, low + 0.02) - rows, 0.04)[:, None]
            uneven = np.clip(0.9 + 0.3 * cloud(rng, (layers.area.n, 1), (12, 1)), 0.4, 1.2)
            off = np.abs(x) - border[:, None]
            band = np.float32(strength) * soft(width - np.abs(off), 0.008)
            layers.dark += band * (span * uneven) * here
            pleura = soft(0.003 - np.abs(off - 1.6 * width), 0.003)
            layers.bright += 0.16 * pleura * (span * soft(rows - 0.14, 0.03)[:, None]) * here
        streak = np.clip(0.75 + 0.6 * cloud(rng, (layers.area.n, layers.area.n), (8, 46)), 0, 1.4)
        neck = soft(0.13 - np.abs(x), 0.03) * soft(0.20 - layers.area.y, 0.05)
        neck = neck * soft(np.abs(x) - 0.032, 0.014)
        layers.dark += np.float32(0.8 * strength) * streak * neck

    return paint


def pneumoperitoneum(a: Anatomy, rng: Rng) -> Paint | None:
    """A thick dark crescent under the right dome, in some under both; the diaphragm stays behind as
    a thin bright line."""
    sides = (-1, 1) if rng.random() < 0.6 else (-1,)
    thick, depth = rng.uniform(0.060, 0.088), rng.uniform(0.50, 0.62)

    def paint(layers: Layers) -> None:
        for side in sides:
            s = (layers.area.x * side - 0.172) / np.float32(0.142)
            drop = layers.area.y - layers.diaphragm[None, :] - 0.009
            crescent = np.minimum(drop, np.float32(thick) * (1 - s * s) - drop)
            layers.dark += np.float32(depth) * soft(crescent, 0.004) * (np.abs(s) < 1)

    return paint


def subcutaneous_emphysema(a: Anatomy, rng: Rng) -> Paint | None:
    """Air in the soft tissue of the chest wall and above the clavicles: lucent, and streaked along
    the muscle."""
    sides = (-1, 1) if rng.random() < 0.75 else (any_side(rng),)
    strength = rng.uniform(0.16, 0.30)

    def paint(layers: Layers) -> None:
        n, x, y = layers.area.n, layers.area.x, layers.area.y
        aside, skin = np.abs(x), layers.body[:, None] - np.abs(x)
        # Muscle fans out from the shoulder: noise that is fine across its fibres and long along
        # them, looked up by direction and distance, and other noise on the other side.
        fan = np.arctan2(y + 0.12, 0.66 - aside) + 0.016 * cloud(rng, (n, n), (14, 14))
        across = np.clip(fan * np.float32(n / np.pi), 0, n - 1).astype(np.intp)
        along = (np.hypot(0.66 - aside, y + 0.12) * np.float32(0.9 * n)).astype(np.intp) % n
        fibres = np.where(x < 0, *(cloud(rng, (n, n), (130, 11))[across, along] for _ in range(2)))
        amount = np.clip(0.75 + 0.4 * cloud(rng, (n, n), (9, 9)), 0.2, 1.2)
        streaks = amount * (0.30 + 0.85 * soft(fibres, 0.8))
        chest = soft(-layers.wall - 0.010, 0.012) * soft(skin - 0.012, 0.012)
        chest = chest * soft(y - 0.14, 0.08) * soft(0.88 - y, 0.08)
        above = soft(0.17 - y, 0.04) * soft(aside - 0.035, 0.02) * soft(skin - 0.012, 0.010)
        here = np.ones_like(x) if len(sides) == 2 else soft(x * sides[0], 0.02)
        layers.dark += np.float32(strength) * streaks * np.maximum(chest, 0.9 * above) * here

    return paint


def tortuous_aorta(a: Anatomy, rng: Rng) -> Paint | None:
    """A wide bulging knob, an ascending aorta that shows on the right, a descending one that
    winds."""
    amount = rng.uniform(0.6, 1.1)
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


def scaled(finding: Finding, strength: float) -> Finding:
    """The same finding, shown more or less strongly: how far it bends the anatomy, and what it adds
    to the layers, times `strength`."""
    if strength == 1:
        return finding

    def bend(a: Anatomy, rng: Rng) -> Paint | None:
        before = asdict(a)
        paint = finding(a, rng)
        for name, value in before.items():
            if isinstance(value, float):
                setattr(a, name, value + strength * (getattr(a, name) - value))
        if paint is None:
            return None

        def add(layers: Layers) -> None:
            before = {name: getattr(layers, name).copy() for name in PAINTED}
            paint(layers)
            for name, layer in before.items():
                painted = getattr(layers, name)
                painted[:] = layer + np.float32(strength) * (painted - layer)

        return add

    return bend


FINDINGS: dict[str, Finding] = {
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
