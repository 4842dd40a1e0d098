"""How well a colour stands out from another, by WCAG 2.2."""

from __future__ import annotations

import re


def contrast(ink: str, ground: str) -> float:
    """(lighter + 0.05) / (darker + 0.05) of relative luminances; an ink that lets the ground
    through is mixed with it. Colours as #rrggbb, rgb(...), rgba(...) or color(srgb ...)."""
    below = parsed(ground)
    *colour, through = parsed(ink)
    mixed = [through * a + (1 - through) * b for a, b in zip(colour, below[:3], strict=True)]
    one, other = sorted((_luminance(mixed), _luminance(below[:3])), reverse=True)
    return (one + 0.05) / (other + 0.05)


def parsed(colour: str) -> list[float]:
    """Red, green, blue and opacity, each from 0 to 1."""
    if colour.startswith("#"):
        return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] + [1.0]
    numbers = [float(one) for one in re.findall(r"[\d.]+(?:e-?\d+)?", colour)]
    if colour.startswith("rgb"):
        numbers[:3] = [one / 255 for one in numbers[:3]]
    return [*numbers[:3], *(numbers[3:] or [1.0])]


def _luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
