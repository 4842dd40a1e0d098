"""Names beside what they name: at the ends of curves, and beside points of a cloud. The browser
decides how wide a chart is, so names are placed for the narrowest one: in a wider one, points lie
further apart and names cover less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from core.charts.parts import TEXT, escape, short

LONGEST_LINE = 17  # letters of a name at a line's end, before it goes on below
LINE = 16  # pixels from one line of a name to the next
LETTER = 6.6  # pixels, the mean width of a letter of TEXT pixels
BELOW = 58  # pixels between a plot and the lower edge of its figure, for the axis
NARROWEST = 250  # pixels: a plot in a telephone
GAP = 9  # pixels between a point and its name


def name_ends(figure: go.Figure, ends: Sequence[tuple[str, float]], x: float) -> None:
    """Name lines at their right end, apart enough to be read and all beside the plot; long names in
    two lines. ends: name and value of each. Sets the vertical axis."""
    drawn = [v for trace in figure.data for v in trace.y if v is not None and v == v]
    if not ends or not drawn:
        return
    low, high = min(drawn), max(drawn)
    low, high = low - 0.04 * (high - low or 1.0), high + 0.04 * (high - low or 1.0)
    if figure.layout.yaxis.rangemode == "tozero":
        low = min(low, 0.0) if min(drawn) < 0 else 0.0
    figure.update_yaxes(range=[low, high])
    height = figure.layout.height - figure.layout.margin.t - BELOW
    ends = sorted(ends, key=lambda end: end[1], reverse=True)
    lines = [in_lines(name) for name, _ in ends]
    wanted = [(high - y) / (high - low) * height for _, y in ends]
    placed = apart(wanted, [LINE * len(one) / 2 for one in lines], height)
    for (_, y), of, asked, got in zip(ends, lines, wanted, placed, strict=True):
        text = "<br>".join(escape(line) for line in of)
        figure.add_annotation(
            x=x, y=y, text=f"<b>{text}</b>", showarrow=False, align="left",
            xanchor="left", xshift=8, yshift=asked - got, font_size=TEXT,
        )  # fmt: skip


def apart(wanted: Sequence[float], half: Sequence[float], height: float) -> list[float]:
    """Middles of labels, from top to bottom, as near as may be to where they are wanted: none over
    another, and none outside 0 to `height` while there is room. half: of each label's height."""
    placed, lowest = [], 0.0
    for at, size in zip(wanted, half, strict=True):
        placed.append(max(at, lowest + size))
        lowest = placed[-1] + size
    highest = max(height, lowest if sum(half) * 2 > height else 0.0)
    for at in reversed(range(len(placed))):
        placed[at] = min(placed[at], highest - half[at])
        highest = placed[at] - half[at]
    return placed


def in_lines(name: str) -> list[str]:
    """A name in one line or two, divided where these are most alike."""
    if len(name) <= LONGEST_LINE or " " not in name:
        return [short(name, LONGEST_LINE)]
    gaps = [at for at, letter in enumerate(name) if letter == " "]
    middle = min(gaps, key=lambda at: abs(2 * at - len(name)))
    return [short(name[:middle], LONGEST_LINE), short(name[middle + 1 :], LONGEST_LINE)]


Box = tuple[float, float, float, float]  # left, top, right, bottom


def name_points(
    figure: go.Figure,
    names: Sequence[str],
    x: np.ndarray,
    y: np.ndarray,
    limits: tuple[tuple[float, float], tuple[float, float]],
    most: int,
) -> None:
    """Name the lowest points, `most` of them, each where its name covers neither a point nor
    another name; a point without such a place has its name under the pointer only. x, y: as on the
    axes, logarithms on a logarithmic one; limits: what the axes show."""
    height = figure.layout.height - figure.layout.margin.t - BELOW
    across = (x - limits[0][0]) / np.ptp(limits[0]) * NARROWEST
    down = (limits[1][1] - y) / np.ptp(limits[1]) * height
    taken: list[Box] = []
    for at in np.argsort(y, kind="stable"):
        if len(taken) == most:
            return
        text = short(names[at])
        for anchor, box in _places(across[at], down[at], LETTER * len(text)):
            others = np.arange(len(x)) != at
            if _is_free(box, across[others], down[others], taken, height):
                taken.append(box)
                figure.add_annotation(
                    x=float(x[at]), y=float(y[at]), text=escape(text), showarrow=False,
                    font_size=TEXT, **anchor,
                )  # fmt: skip
                break


def _places(x: float, y: float, width: float) -> list[tuple[dict[str, object], Box]]:
    half = LINE / 2
    beside = {"yanchor": "middle"}
    return [
        (beside | {"xanchor": "left", "xshift": GAP},
         (x + GAP, y - half, x + GAP + width, y + half)),
        (beside | {"xanchor": "right", "xshift": -GAP},
         (x - GAP - width, y - half, x - GAP, y + half)),
        ({"xanchor": "center", "yanchor": "bottom", "yshift": half},
         (x - width / 2, y - half - LINE, x + width / 2, y - half)),
        ({"xanchor": "center", "yanchor": "top", "yshift": -half},
         (x - width / 2, y + half, x + width / 2, y + half + LINE)),
    ]  # fmt: skip


def _is_free(box: Box, x: np.ndarray, y: np.ndarray, taken: list[Box], height: float) -> bool:
    left, top, right, bottom = box
    if left < 0 or right > NARROWEST or top < 0 or bottom > height:
        return False
    covered = (x > left - 6) & (x < right + 6) & (y > top - 6) & (y < bottom + 6)
    return not covered.any() and not any(
        left < other[2] and right > other[0] and top < other[3] and bottom > other[1]
        for other in taken
    )
