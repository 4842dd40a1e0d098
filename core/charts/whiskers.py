"""Intervals as whiskers. One that is far longer than the points lie apart would press them all to
one side: it ends where the axis does, in an arrow that says under the pointer how far it goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.charts.parts import RULE, escape
from core.wording import words

Range = tuple[float, float]
FAR = 0.75  # how far beyond the points an axis goes for whiskers, in spans of the points
ROOM = 0.04  # of the axis, free at both ends
CAPTION = " Arrow: the interval goes on beyond the axis."


def reach(
    values: Iterable[float],
    lower: Iterable[float],
    upper: Iterable[float],
    always: Iterable[float] = (),
    least: float = 20.0,
) -> Range:
    """The two ends of an axis: every point and `always` are on it, and the whiskers as far as FAR
    allows. lower, upper: of the points that may set the scale. least: the smallest span."""
    points = _known([*values, *always])
    if not points.size:
        return -least, 0.0
    low, high = float(points.min()), float(points.max())
    far = FAR * max(high - low, least)
    low = max(min([low, *_known(lower)]), low - far)
    high = min(max([high, *_known(upper)]), high + far)
    room = ROOM * max(high - low, least)
    return low - room, high + room


def whiskers(
    lower: pd.Series, upper: pd.Series, value: pd.Series, within: Range | None = None
) -> dict[str, object]:
    """Plotly's error bars from lower to upper around values of the same unit, no further than
    `within`."""
    if within:
        lower, upper = lower.clip(*within), upper.clip(*within)
    return {
        "type": "data",
        "symmetric": False,
        "array": upper - value,
        "arrayminus": value - lower,
        "color": RULE,
        "thickness": 1.5,
        "width": 3,
    }


def add_arrows(
    figure: go.Figure, lower: pd.Series, upper: pd.Series, within: Range, says: Sequence[str]
) -> str:
    """An arrow where a row's whisker goes on beyond `within`, which says `says` of that row. Rows
    are counted from 0. Returns the caption's sentence about arrows, empty where there is none."""
    rows, said, drawn = np.arange(len(lower)), np.array(says, object), ""
    for beyond, end, symbol in (
        (lower.to_numpy(float) < within[0], within[0], "triangle-left"),
        (upper.to_numpy(float) > within[1], within[1], "triangle-right"),
    ):
        if beyond.any():
            drawn = CAPTION
            figure.add_scatter(
                x=[end] * int(beyond.sum()), y=rows[beyond], mode="markers", cliponaxis=False,
                marker={"symbol": symbol, "size": 10, "color": RULE}, showlegend=False,
                text=said[beyond].tolist(), hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    return drawn


def intervals(
    names: Iterable[str], lower: Iterable[float], upper: Iterable[float]
) -> tuple[list[str], list[str]]:
    """Of each row its interval of a change in words, and the same behind its name. lower, upper:
    fractions."""
    said = [
        f"{words.signed(low)} to {words.signed(high)}" if low == low and high == high else "unknown"
        for low, high in zip(lower, upper, strict=True)
    ]
    named = zip(names, said, strict=True)
    return said, [f"{escape(name)}<br>95 % interval {one}" for name, one in named]


def _known(values: Iterable[float]) -> np.ndarray:
    found = np.array(list(values), float)
    return found[np.isfinite(found)]
