"""What a phantom's body casts on the detector, layer by layer.

Lengths are those of `anatomy`. What adds up is attenuation: 0 is air, about 1 is the abdomen;
brightness follows from it in `drawing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.datasets.phantom.anatomy import Anatomy
from core.datasets.phantom.canvas import MARGIN, Grid, Strokes, bump, cloud, soft

AIR_DEPTH = 0.56  # how much attenuation a fully aerated lung takes away
EVERYWHERE = (slice(None), slice(None))
Box = tuple[slice, slice]
PAINTED = ("fill", "bright", "dark")  # the layers that findings paint into


@dataclass
class Layers:
    """What a body casts on the detector, each (n, n) float32 unless noted; findings paint into
    PAINTED."""

    area: Grid
    anatomy: Anatomy
    lung: np.ndarray  # 0..1, both lungs without the mediastinum
    air: np.ndarray  # 0..about 1, how much lung air lies in the beam
    tissue: np.ndarray  # attenuation of all the rest
    fill: np.ndarray  # 0..1, share of the lung's air replaced by fluid or tissue
    bright: np.ndarray  # attenuation added
    dark: np.ndarray  # attenuation taken away
    wall: np.ndarray  # signed distance inwards from the lateral lung border
    outer: np.ndarray  # (n,) half width of the lungs, per row
    body: np.ndarray  # (n,) half width of the body, per row
    right_border: np.ndarray  # (n,) distance of the mediastinum's right border from the midline
    left_border: np.ndarray  # (n,) the same on the left
    diaphragm: np.ndarray  # (n,) height of the diaphragm, per column

    def attenuation(self) -> np.ndarray:
        """All layers added up, (n, n) float32."""
        aerated = self.air * (1 - np.minimum(self.fill, 1))
        return self.tissue - np.float32(AIR_DEPTH) * aerated + self.bright - self.dark

    def replace_air(self, amount: np.ndarray, box: Box = EVERYWHERE) -> None:
        """Fill the lung: two opacities over each other never hide more than all of its air."""
        self.fill[box] = 1 - (1 - self.fill[box]) * (1 - np.clip(amount, 0, 1))


def _heart_extent(a: Anatomy, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half widths of the heart to the patient's right and left for each height; the apex points
    down and left."""
    round_ = bump(y, a.heart_y + 0.02, 1.05 * a.heart_height) ** 0.8
    right = (a.heart_width * 0.92 - a.heart_x) * round_
    reach = a.heart_width * 1.08 + a.heart_x
    top = a.heart_y - 1.45 * a.heart_height
    t = np.clip((y - top) / (2.15 * a.heart_height), 0, 1.35)
    # A convex ventricle under a straight waist.
    slope = np.sin(0.5 * np.pi * np.clip(t / 0.84, 0, 1)) ** 1.45
    tip = np.sqrt(np.clip(1 - ((t - 0.84) / 0.42) ** 2, 0, 1))
    return right, reach * 0.94 * np.where(t < 0.84, slope, tip)


def cast(a: Anatomy, area: Grid) -> Layers:
    """Add up skin, muscle, bone, heart, lungs and abdomen of one body."""
    x, y, n = area.x, area.y, area.n
    rows, columns, aside = y[:, 0], x[0], np.abs(x)

    # Lungs: a rounded apex, a wall that widens downwards, a dome below.
    floor = max(a.dome_right, a.dome_left) + a.angle_depth
    t = np.clip((rows - a.apex) / (floor - a.apex), 0, 1)
    outer = _lung_half_width(a, t)
    inner = (0.022 + 0.075 * np.exp(-t / 0.05)).astype(np.float32)
    wall = outer[:, None] - aside
    diaphragm = _diaphragm(a, columns)
    below = y - diaphragm[None, :]
    shape = soft(wall, 0.007) * soft(aside - inner[:, None], 0.012) * soft(-below, 0.006)

    # Mediastinum: two border profiles, then the heart.
    heart_right, heart_left = _heart_extent(a, rows)
    straight = a.mediastinum * (1 + 0.12 * np.clip((rows - 0.2) * 3, -0.4, 1))
    right = (
        straight
        + a.ascending * bump(rows, a.knob_y + 0.085, 0.065)
        + 0.006 * bump(rows, 0.18, 0.06)
    )
    left = (
        straight
        - 0.004
        + a.knob * bump(rows, a.knob_y, 0.026 + 0.45 * a.knob) ** 0.7
        + 0.013 * bump(rows, a.knob_y + 0.105, 0.035)
        + a.descending
        * (bump(rows, a.knob_y + 0.15, 0.05) + 0.75 * bump(rows, a.knob_y + 0.30, 0.045))
    )
    right = np.maximum(right, heart_right).astype(np.float32)
    left = np.maximum(left, heart_left).astype(np.float32)
    middle = soft(np.where(x < 0, right[:, None] + x, left[:, None] - x), 0.009)
    lung = shape * (1 - middle)
    depth = 0.42 + 0.36 * soft(wall - 0.05, 0.08) + 0.14 * soft(0.62 - y, 0.3)
    air = lung * depth * np.float32(a.lucency)

    tissue, body = _soft_tissue(a, area, below)
    # Behind the heart and below it the beam crosses more and more blood.
    heart = soft(
        1
        - ((x - a.heart_x) / (a.heart_width * 1.25)) ** 2
        - ((y - a.heart_y) / (a.heart_height * 1.15)) ** 2,
        0.55,
    )
    tissue += (0.07 * middle + 0.12 * heart * middle) * soft(0.02 - below, 0.05)
    half = _bones(a, area)
    tissue[:, n // 2 :] += half
    tissue[:, : n // 2] += half[:, ::-1]
    box, spine = _spine(a, area)
    tissue[box] += spine
    box, gas = _airways(a, area)
    tissue[box] -= gas
    tissue += _vessels(a, area) * lung
    tissue -= _abdominal_gas(a, area)
    air, tissue = air.astype(np.float32), tissue.astype(np.float32)
    fill, bright, dark = np.zeros((3, n, n), np.float32)
    painted = air, tissue, fill, bright, dark
    return Layers(area, a, lung, *painted, wall, outer, body, right, left, diaphragm)


def _lung_half_width(a: Anatomy, t: np.ndarray) -> np.ndarray:
    """Half width of the lungs, for heights `t` from 0 at the apex to 1 at the costophrenic
    angle."""
    return (a.lung_width * np.sqrt(1 - (1 - t) ** 2.9) * (1 - 0.035 * t**4)).astype(np.float32)


def _diaphragm(a: Anatomy, columns: np.ndarray) -> np.ndarray:
    """Height of the diaphragm per column: two domes, steep towards the ribs, shallow towards the
    heart."""
    top = np.where(columns < 0, a.dome_right, a.dome_left)
    s = (np.abs(columns) - 0.16) / (a.lung_width - 0.16)
    fall = np.where(s > 0, a.angle_depth * np.abs(s) ** 2.7, 0.030 * np.abs(s) ** 2)
    return (top + fall).astype(np.float32)


def _soft_tissue(a: Anatomy, area: Grid, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin, fat and muscle, arms, breasts, abdomen; and the body's half width per row."""
    y, rows, aside = area.y, area.y[:, 0], np.abs(area.x)
    wide = 0.92 + 0.16 * a.build
    outline = np.interp(
        rows,
        [-0.06, 0.02, 0.06, 0.10, 0.15, 0.22, 0.32, 0.42, 0.50, 0.62, 0.80, 1.06],
        np.array([0.115, 0.12, 0.15, 0.23, 0.37, 0.49, 0.53, 0.50, 0.45, 0.425, 0.42, 0.425])
        * wide,
    )
    outline = np.convolve(np.pad(outline, 6, "edge"), np.ones(13) / 13, "valid").astype(np.float32)
    inside = outline[:, None] - aside
    tissue = soft(inside, 0.006) * (0.30 + 0.05 * a.build) + soft(inside - 0.07, 0.075) * (
        0.30 + 0.07 * a.build
    )
    tissue += 0.20 * soft(below, 0.03) * soft(inside - 0.03, 0.05) + 0.07 * soft(below - 0.1, 0.15)
    # Shoulders are thick; the upper lung fields lie under less muscle than the lower ones.
    tissue += 0.10 * soft(aside - 0.30, 0.08) * soft(0.30 - y, 0.12) * soft(inside, 0.03)
    if a.breast > 0.1:
        u, v = (aside - 0.215) / 0.15, (y - 0.60 - 0.03 * a.breast) / 0.155
        round_ = 1 - u * u - v * v
        tissue += np.float32(0.13 * a.breast) * soft(round_, 0.30) * soft(0.62 + 0.2 * u - v, 0.75)
    else:
        tissue += 0.04 * soft(0.52 - y, 0.10) * soft(aside - 0.17, 0.10) * soft(inside, 0.02)
    rng = np.random.default_rng(a.tissue_seed)
    tissue += 0.018 * cloud(rng, (area.n, area.n), (14, 14)) * soft(inside, 0.01)
    return tissue, outline


def _bones(a: Anatomy, area: Grid) -> np.ndarray:
    """Ribs behind and in front, clavicles, scapulae, humeral heads on the right half of the canvas,
    (n, n // 2).

    The skeleton is drawn once and mirrored; each part only in the rows it reaches.
    """
    x, y = area.x[:, area.n // 2 :], area.y
    t = np.clip((y - a.apex) / (max(a.dome_right, a.dome_left) + a.angle_depth - a.apex), 0, 1)
    wall = _lung_half_width(a, t) - x
    # Ribs repeat with height, so one periodic phase draws them all.
    reach = x / np.float32(a.lung_width)
    cage = soft(wall + 0.018, 0.012) * soft(0.86 - y, 0.08)
    behind = (y + 0.035 * np.sin(3.0 * reach) - 0.16 * reach**2.6) / a.rib_spacing + a.rib_phase
    front = (y - (0.30 * (1 - reach) - 0.10 * (1 - reach) ** 2)) / (
        a.rib_spacing * 1.22
    ) + a.rib_phase * 1.7
    bones = a.rib_strength * _rib(behind, 0.30) * soft(x - 0.03, 0.02)
    bones += 0.42 * a.rib_strength * _rib(front, 0.30) * soft(x - 0.15, 0.05) * soft(y - 0.22, 0.05)
    bones *= cage
    bones += (
        0.05
        * soft(0.022 - np.abs(wall + 0.010), 0.018)
        * (soft(0.84 - y, 0.04) * soft(y - a.apex, 0.05))
    )

    top = area.window(0, 1, 0.0, 0.30)[0]
    along = (x - 0.035) / 0.33
    bar = np.clip(along, 0, 1)
    middle = a.clavicle_y - a.clavicle_tilt * along - 0.022 * np.sin(2 * np.pi * bar)
    thick = 0.0135 - 0.003 * np.sin(np.pi * bar) + 0.004 * (along < 0.1)
    offset = np.abs(y[top] - middle)
    bones[top] += (
        0.09 * soft(thick - offset, 0.004) + 0.05 * soft(0.004 - np.abs(offset - thick), 0.004)
    ) * (soft(along, 0.03) * soft(1.02 - along, 0.05))

    rows = area.window(0, 1, 0.09, 0.50)[0]
    v = y[rows]
    edge = a.scapula + 0.25 * (v - 0.30) ** 2 - 0.03 * (v - 0.3) + 0.10 * soft(v - 0.40, 0.10)
    inwards = x - edge
    blade = (
        soft(inwards, 0.006)
        * soft(0.14 - inwards, 0.08)
        * (soft(0.46 - v, 0.03) * soft(v - 0.13, 0.03))
    )
    rim = soft(0.006 - np.abs(inwards), 0.006) * (soft(0.45 - v, 0.03) * soft(v - 0.16, 0.04))
    head = 1 - ((x - 0.475) / 0.062) ** 2 - ((v - 0.185) / 0.062) ** 2
    shaft = soft(0.04 - np.abs(x - 0.50 - 0.05 * v), 0.02) * soft(v - 0.19, 0.04)
    bones[rows] += 0.035 * blade + 0.04 * rim + 0.13 * soft(head, 0.25) + 0.09 * shaft
    return bones


def _spine(a: Anatomy, area: Grid) -> tuple[Box, np.ndarray]:
    """The column of vertebrae with end plates and spinous processes, and the box it stands in."""
    box = area.window(-0.06, 0.06, -MARGIN, 1 + MARGIN)
    aside = np.abs(area.x[:, box[1]])
    segment = 0.5 + 0.5 * np.cos(area.y * np.float32(2 * np.pi / (a.rib_spacing * 0.88)))
    column = soft(0.036 - aside, 0.012) * (0.075 + 0.05 * segment)
    return box, column + 0.05 * soft(0.006 - aside, 0.006) * (segment > 0.6)


def _rib(phase: np.ndarray, half: float) -> np.ndarray:
    """A bar of each period with brighter cortex at its edges."""
    bar = soft(np.float32(half) - np.abs(phase - np.floor(phase) - np.float32(0.5)), 0.09)
    return bar * (1 + 1.3 * (1 - bar))


def _airways(a: Anatomy, area: Grid) -> tuple[Box, np.ndarray]:
    """Trachea down to the carina and the two main bronchi: the box they lie in and what they take
    away."""
    carina = a.knob_y + 0.075
    box = area.window(-0.12, 0.12, -MARGIN, carina + 0.13)
    x, y = area.x[:, box[1]], area.y[box[0]]
    tube = soft(0.019 - np.abs(x - a.trachea_x), 0.008) * soft(carina - y, 0.015)
    fork = np.abs(x - a.trachea_x) - np.where(x < 0, 0.75, 1.0).astype(np.float32) * (y - carina)
    bronchi = soft(0.011 - np.abs(fork), 0.009) * (
        soft(y - carina + 0.005, 0.01) * soft(carina + 0.085 - y, 0.03)
    )
    return box, np.float32(0.13) * tube + np.float32(0.075) * bronchi


@lru_cache(maxsize=4)
def _vessel_tree(seed: int, hilum_y: float, area: Grid) -> np.ndarray:
    """The branching vessels of both lungs, (n, n), 0 to 1; kept, since a patient's images follow
    each other."""
    rng = np.random.default_rng(seed)
    strokes = []
    for side in (-1, 1):
        for angle in np.linspace(-1.35, 1.45, 8) + rng.uniform(-0.16, 0.16, 8):
            start = (side * (0.05 + 0.04 * rng.random()), hilum_y + 0.06 * np.sin(angle))
            stack = [(start, angle, rng.uniform(0.12, 0.21), 0.010 + 0.004 * rng.random(), 0)]
            while stack:
                (px, py), heading, length, width, order = stack.pop()
                points, bend = [(px, py)], rng.uniform(-0.6, 0.6) + 0.2 * (order == 0)
                for _ in range(4):
                    heading += bend / 4
                    px += side * np.cos(heading) * length / 4
                    py += np.sin(heading) * length / 4
                    points.append((float(px), float(py)))
                strokes.append((points, float(width), 0.95 - 0.24 * order))
                if order < 2:
                    for fork in (-1, 1):
                        turned = heading + fork * rng.uniform(0.22, 0.6)
                        shorter = length * rng.uniform(0.5, 0.8)
                        stack.append(((px, py), turned, shorter, width * 0.62, order + 1))
    pen = Strokes(area)
    for points, width, value in sorted(strokes, key=lambda stroke: stroke[2]):
        pen.line(points, width, value)
    return pen.values()


def _vessels(a: Anatomy, area: Grid) -> np.ndarray:
    """Hila and the branching vessels of the lungs."""
    aside = np.abs(area.x) - 0.075
    lift = np.where(area.x < 0, 0.012, -0.012)  # the left hilum lies higher
    hilum = soft(1 - (aside / 0.045) ** 2 - ((area.y - a.hilum_y - lift) / 0.075) ** 2, 0.9)
    tree = np.float32(a.vessel_strength) * _vessel_tree(a.vessel_seed, a.hilum_y, area)
    return tree + np.float32(0.11) * hilum


def _abdominal_gas(a: Anatomy, area: Grid) -> np.ndarray:
    """Stomach bubble under the left dome and, in some, gas in the bowel."""
    gas = np.zeros((area.n, area.n), np.float32)
    offset, drop, wide, high = a.stomach
    _bubble(gas, area, offset, a.dome_left + drop, wide, high, 0.27)
    rng = np.random.default_rng(a.tissue_seed + 1)
    for _ in range(a.bowel_gas):
        x, below = rng.uniform((0.02, 0.13), (0.3, 0.25)).tolist()
        size = rng.uniform((0.02, 0.012, 0.08), (0.045, 0.03, 0.18)).tolist()
        _bubble(gas, area, x, a.dome_left + below, *size)
    return gas


def _bubble(
    gas: np.ndarray, area: Grid, x: float, y: float, wide: float, high: float, depth: float
) -> None:
    box = area.window(x - 1.4 * wide, x + 1.4 * wide, y - 1.4 * high, y + 1.4 * high)
    u, v = (area.x[:, box[1]] - x) / wide, (area.y[box[0]] - y) / high
    gas[box] = np.maximum(gas[box], np.float32(depth) * soft(1 - u * u - v * v, 0.5))
