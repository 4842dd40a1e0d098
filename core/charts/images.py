"""One image: its probabilities over sparsity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.image_curves import FindingFate
from core.charts.parts import (
    DASHES,
    GREY,
    GROUP_COLOURS,
    MOST_HIGHLIGHTED,
    RULE,
    SYMBOLS,
    Chart,
    add_band,
    empty_figure,
    escape,
    percents,
    short,
    sparsity_axis,
)
from core.wording import words
from core.wording.image_findings import fate, probability

# Rare classes live below 0.01, frequent ones above 0.1: on one axis only logarithms show both.
LEAST_DRAWN = 1e-4
# Above the plot: names at the lines' ends would take half of a narrow inspector.
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemclick": False}


def image_curves_chart(
    curves: pd.DataFrame,
    fates: list[FindingFate],
    points: dict[str, float],
    groups: dict[str, str],
    sparsity: float,
) -> Chart:
    """Probability over sparsity of one image: median and quartiles over runs of the classes in
    `fates`, the other classes grey, operating points dotted, a mark at `sparsity`.

    curves: see `analysis.image_curves.curves_table`. points: by class, NaN for none.
    """
    told = {found.class_name: found for found in fates[:MOST_HIGHLIGHTED]}
    figure = empty_figure(380)
    figure.update_layout(showlegend=True, legend=LEGEND)
    _add_others(figure, curves[~curves["class_name"].isin(told)])
    for index, name in enumerate(told):
        curve = curves[curves["class_name"] == name]
        colour, x = GROUP_COLOURS[groups[name]], percents(curve["sparsity"])
        if curve["lower"].notna().any():
            add_band(figure, x, _height(curve["lower"]), _height(curve["upper"]), colour)
        figure.add_scatter(
            x=x,
            y=_height(curve["median"]),
            mode="lines+markers" if len(x) < 3 else "lines",
            name=escape(short(name)),
            line={"color": colour, "width": 3, "dash": DASHES[index % len(DASHES)]},
            text=[_hover(name, row.median, row.n_below, row.n_runs) for row in curve.itertuples()],
            hovertemplate="%{x} %<br>%{text}<extra></extra>",
        )
        if not np.isnan(points[name]):
            figure.add_scatter(
                x=[min(x), max(x)], y=_height(np.array([points[name]] * 2)), mode="lines",
                line={"color": colour, "width": 1.2, "dash": "dot"},
                text=[f"operating point of {escape(name)}: {probability(points[name])}"] * 2,
                hovertemplate="%{text}<extra></extra>", showlegend=False,
            )  # fmt: skip
    here = curves[np.isclose(curves["sparsity"], sparsity)].set_index("class_name")["median"]
    figure.add_scatter(
        x=[sparsity * 100] * len(told), y=_height(here.reindex(list(told))), mode="markers",
        marker={
            "size": 12,
            "color": [GROUP_COLOURS[groups[name]] for name in told],
            "symbol": [SYMBOLS[index % len(SYMBOLS)] for index in range(len(told))],
        },
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_vline(x=sparsity * 100, line={"color": RULE, "width": 1.5})
    sparsity_axis(figure)
    figure.update_xaxes(title="Sparsity (%)", tickangle=0, nticks=6)
    decades = np.arange(np.log10(LEAST_DRAWN), 1)
    drawn = [y for trace in figure.data for y in trace.y if y is not None]
    figure.update_yaxes(
        title="Probability (log scale)",
        range=[min(drawn) - 0.1, 0.08],
        tickvals=decades.tolist(),
        ticktext=["\u2264 0.0001", *(f"{10.0**power:g}" for power in decades[1:])],
    )
    known = not all(np.isnan(point) for point in points.values())
    return Chart(_title(fates, known), figure, _caption(curves, fates))


def _add_others(figure: go.Figure, others: pd.DataFrame) -> None:
    if others.empty:
        return
    x, y, text = [], [], []
    for name, curve in others.groupby("class_name", sort=False):
        x += [*percents(curve["sparsity"]), None]  # the gap parts one class from the next
        y += [*_height(curve["median"]), None]
        text += [f"{escape(str(name))}: {probability(value)}" for value in curve["median"]] + [""]
    figure.add_scatter(
        x=x, y=y, text=text, mode="lines", line={"color": GREY, "width": 1.2},
        hovertemplate="%{x} %<br>%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _hover(name: str, median: float, n_below: Any, n_runs: int) -> str:
    text = f"{escape(name)}: {probability(median)}"
    if pd.isna(n_below):
        return text
    return f"{text}<br>below its operating point in {n_below} of {words.count(n_runs, 'run')}"


def _height(values: pd.Series | np.ndarray) -> list[float]:
    return np.log10(np.clip(np.asarray(values, float), LEAST_DRAWN, 1)).tolist()


def _title(fates: list[FindingFate], known: bool) -> str:
    """`known`: whether any class has an operating point."""
    if not fates:
        return "No labelled finding" + (", and none lost" if known else "")
    if not known:
        return f"{', '.join(found.class_name for found in fates)} over sparsity"
    return fate(fates[0]).removesuffix(".")


def _caption(curves: pd.DataFrame, fates: list[FindingFate]) -> str:
    runs = int(curves["n_runs"].max())
    over = "one run" if runs < 2 else f"median and quartiles over {words.count(runs, 'run')}"
    text = (
        f"Coloured: labelled and lost classes, {over}; grey: the other classes. Dotted: operating "
        "points, fixed on validation. The upright line is the slider's sparsity. Lost is what the "
        "mean over runs says, from there to the end of the grid; of the runs, those whose own "
        "probability is below are counted."
    )
    left = len(fates) - MOST_HIGHLIGHTED
    return text + (f" {left} more are told below." if left > 0 else "")
