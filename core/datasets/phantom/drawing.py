"""Synthetic frontal chest radiographs: anatomy from the patient's seed, everything else from the
image's seed.

Nothing here is a real person's image. The drawing is additive, like the beam: every structure adds
attenuation or takes it away, and one tone curve turns the sum into grey. Pure numpy and Pillow, no
files, no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from core.datasets.phantom.anatomy import Anatomy, anatomy_of
from core.datasets.phantom.canvas import MARGIN, Grid, Strokes, grid
from core.datasets.phantom.findings import FINDINGS, scaled
from core.datasets.phantom.layers import cast

# Raise when equal seeds would give other pixels than before, so that stored pictures are drawn
# again.
DRAWING_VERSION = 2
USUAL: Mapping[str, float] = MappingProxyType({})  # every finding at strength 1
SMALLEST_CANVAS = 224  # below this, thin lines would alias: draw larger and reduce


def acquisition(image_seed: int) -> dict[str, object]:
    """How one picture was taken: view "PA" or "AP", exposure in stops around 0, tilt in degrees,
    poor_quality.

    Cheap and a function of the seed alone, so it is known without drawing the picture.
    """
    rng = np.random.default_rng([image_seed, 3])
    view = "AP" if rng.random() < 0.35 else "PA"
    poor = bool(rng.random() < (0.09 if view == "AP" else 0.03))
    spread = 0.22 if view == "AP" else 0.14
    exposure = float(np.clip(rng.normal(0, spread), -0.5, 0.5))
    if poor:
        exposure += float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.45))
    tilt = float(np.clip(rng.normal(0, 2.2 if view == "AP" else 1.2), -6, 6))
    tilt *= 1.8 if poor else 1.0
    return {
        "view": view,
        "exposure": round(exposure, 3),
        "rotation_degrees": round(tilt, 2),
        "poor_quality": poor,
    }


def draw(
    patient_seed: int,
    image_seed: int,
    findings: Collection[str],
    size: int = 224,
    strength: Mapping[str, float] = USUAL,
) -> tuple[np.ndarray, dict[str, object]]:
    """Draw one radiograph.

    Returns uint8 grey values of shape (size, size), patient's right on image left, and
    `acquisition(image_seed)`. "No Finding" draws nothing. `strength` says how strongly findings
    show, 1 where it does not name them. Equal arguments give equal pixels; the order of `findings`
    does not matter. Raises ValueError for an unknown finding or a size below 16.
    """
    unknown = sorted(set(findings) - set(FINDINGS) - {"No Finding"})
    if unknown:
        raise ValueError(f"cannot draw {', '.join(unknown)}; known findings: {', '.join(FINDINGS)}")
    if size < 16:
        raise ValueError(f"size is {size} pixels; the smallest is 16")
    taken = acquisition(image_seed)
    rng = np.random.default_rng([image_seed, 4])
    area = grid(max(size, SMALLEST_CANVAS))
    body = _positioned(anatomy_of(patient_seed), str(taken["view"]), rng)
    paints = []
    for number, (name, finding) in enumerate(FINDINGS.items()):
        if name in findings:  # a generator of its own: one finding never moves another
            shown = scaled(finding, strength.get(name, 1.0))
            paint = shown(body, np.random.default_rng([image_seed, 5, number]))
            if paint is not None:
                paints.append(paint)
    layers = cast(body, area)
    for paint in paints:
        paint(layers)
    attenuation = layers.attenuation()
    if taken["view"] == "AP" and rng.random() < 0.4:
        attenuation = attenuation + 0.16 * _wires(area, rng)
    return _expose(attenuation, taken, rng, size), taken


def _positioned(body: Anatomy, view: str, rng: np.random.Generator) -> Anatomy:
    """The body as it stands, or lies, for this picture: breath, arms, and magnification of the
    heart in AP views."""
    breath = rng.normal(0, 0.012)
    recumbent = view == "AP"
    lift = 0.028 if recumbent else 0.0
    return replace(
        body,
        dome_right=body.dome_right + breath - lift,
        dome_left=body.dome_left + breath - lift,
        heart_width=body.heart_width * (1.07 if recumbent else 1.0) * rng.uniform(0.98, 1.02),
        mediastinum=body.mediastinum * (1.10 if recumbent else 1.0),
        # Arms rolled forward pull the shoulder blades off the lungs; lying down they stay in the
        # way.
        scapula=body.scapula - (0.02 if recumbent else -0.02) + rng.normal(0, 0.008),
        vessel_strength=body.vessel_strength * rng.uniform(0.92, 1.12),
    )


def _wires(area: Grid, rng: np.random.Generator) -> np.ndarray:
    """Monitor leads over a patient in bed."""
    pen = Strokes(area)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(-0.28, 0.28), rng.uniform(0.25, 0.6)
        end = (x + rng.choice([-1, 1]) * rng.uniform(0.2, 0.5), y + rng.uniform(-0.35, 0.35))
        sag = rng.uniform(-0.08, 0.08)
        points = [
            (x + (end[0] - x) * t, y + (end[1] - y) * t + sag * np.sin(np.pi * t))
            for t in np.linspace(0, 1, 9)
        ]
        pen.line(points, 0.004, 0.8)
        pen.line([(x - 0.008, y), (x + 0.008, y)], 0.016, 1.0)
    return pen.values()


def _expose(
    attenuation: np.ndarray, taken: dict[str, Any], rng: np.random.Generator, size: int
) -> np.ndarray:
    """Beam, detector and printing: from attenuation on the canvas to grey values of the picture."""
    n = attenuation.shape[0]
    side = max(size, SMALLEST_CANVAS)
    zoom = rng.uniform(0.95, 1.06)
    shift = rng.normal(0, 0.012, 2)
    angle = np.deg2rad(float(taken["rotation_degrees"]))
    per_pixel = (n / (1 + 2 * MARGIN)) / side / zoom
    c, s = np.cos(angle) * per_pixel, np.sin(angle) * per_pixel
    cx, cy = n / 2 + shift[0] * n, n / 2 + shift[1] * n
    matrix = (c, s, cx - (c + s) * side / 2, -s, c, cy - (c - s) * side / 2)
    turned = Image.fromarray(attenuation).transform(
        (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    picture = np.asarray(turned)

    poor = bool(taken["poor_quality"])
    contrast = rng.uniform(0.95, 1.15) * (0.72 if poor else 1.0)
    noise = rng.uniform(0.006, 0.014) * (2.4 if poor else 1.0)
    middle = 0.60 + 0.16 * float(taken["exposure"])
    grain = np.float32(noise) * rng.standard_normal((side, side), dtype=np.float32)
    picture = picture + grain * (1.3 - 0.5 * picture)
    grey = 0.5 + 0.5 * np.tanh((picture - np.float32(middle)) * np.float32(2.15 * contrast))
    low = np.float32(0.5 + 0.5 * np.tanh((0.03 - middle) * 2.15 * contrast))
    grey = np.clip((grey - low) / (np.float32(0.97) - low), 0, 1)
    image = Image.fromarray((grey * np.float32(250)).astype(np.uint8))
    if poor and rng.random() < 0.7:
        image = image.filter(ImageFilter.GaussianBlur(side / 224 * rng.uniform(1.0, 1.8)))
    _print_marks(image, rng)
    if side != size:
        whole = Image.Resampling.BOX if side % size == 0 else Image.Resampling.LANCZOS
        image = image.resize((size, size), whole)
    return np.array(image)


def _print_marks(image: Image.Image, rng: np.random.Generator) -> None:
    """The side marker and, in some pictures, unexposed borders of the collimated field."""
    side = image.width
    pen = ImageDraw.Draw(image)
    for edge in range(4):
        if rng.random() < 0.16:
            width = int(side * rng.uniform(0.008, 0.045))
            far = side - width
            boxes = (
                (0, 0, side, width),
                (0, far, side, side),
                (0, 0, width, side),
                (far, 0, side, side),
            )
            pen.rectangle(boxes[edge], fill=int(rng.choice([0, 2, 252], p=[0.6, 0.25, 0.15])))
    if rng.random() < 0.75:
        letter, ends = ("L", (0.88, 0.93)) if rng.random() < 0.6 else ("R", (0.04, 0.09))
        place = side * rng.uniform(*ends), side * rng.uniform(0.03, 0.16)
        pen.text(place, letter, fill=245, font=_marker_font(max(9, side // 20)))


@lru_cache(maxsize=4)
def _marker_font(pixels: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(pixels)
