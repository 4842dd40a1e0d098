"""One image: its probabilities over sparsity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.image_curves import FindingFate
from core.charts import parts
from core.wording import words
from core.wording.image_sentences import fate, headlines, probability, rank

# Rare classes live below 0.01, frequent ones above 0.1: on one axis only logarithms show both.
LEAST_DRAWN = 1e-4
PROBABILITIES = (LEAST_DRAWN, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)


class _Drawn(NamedTuple):
    """The column of `curves` that is drawn, how high its values stand, what a point of it says."""

    column: str
    height: Callable[[Any], list[float]]
    hover: Callable[[str, Any], str]


def image_curves_chart(
    curves: pd.DataFrame,
    fates: list[FindingFate],
    points: dict[str, float],
    groups: dict[str, str],
    sparsity: float,
) -> parts.Chart:
    """Probability over sparsity of one image: median and quartiles over runs of the classes in
    `fates`, the other classes grey, operating points dotted, a mark at `sparsity`.

    curves: see `analysis.image_curves.curves_table`. points: by class, NaN for none.
    """
    figure = parts.empty_figure(380)
    of_probability = _Drawn("median", _height, _hover)
    _add_others(figure, curves, fates, of_probability)
    for name in _told(fates):
        curve = curves[curves["class_name"] == name]
        colour, x = parts.GROUP_COLOURS[groups[name]], parts.percents(curve["sparsity"])
        if curve["lower"].notna().any():
            parts.add_band(figure, x, _height(curve["lower"]), _height(curve["upper"]), colour)
        if not np.isnan(points[name]):
            figure.add_scatter(
                x=[min(x), max(x)], y=_height(np.array([points[name]] * 2)), mode="lines",
                line={"color": colour, "width": 1.2, "dash": "dot"},
                text=[f"operating point of {parts.escape(name)}: {probability(points[name])}"] * 2,
                hovertemplate="%{text}<extra></extra>", showlegend=False,
            )  # fmt: skip
    _add_told(figure, curves, fates, groups, sparsity, of_probability)
    drawn = [y for trace in figure.data for y in trace.y if y is not None]
    figure.update_yaxes(
        title="Probability (log scale)",
        range=[min(drawn) - 0.1, 0.08],
        tickvals=np.log10(PROBABILITIES).tolist(),
        ticktext=[f"\u2264 {LEAST_DRAWN:.4f}", *(f"{value:g}" for value in PROBABILITIES[1:])],
    )
    known = not all(np.isnan(point) for point in points.values())
    return parts.Chart(_title(fates, known), figure, _caption(curves, fates))


def image_ranks_chart(
    curves: pd.DataFrame,
    fates: list[FindingFate],
    least: dict[str, float],
    groups: dict[str, str],
    sparsity: float,
) -> parts.Chart:
    """As `image_curves_chart`, of the image's rank among the test images without each class, in
    percent. least: by class the smallest rank that counts as found, one for all."""
    figure = parts.empty_figure(380)
    of_rank = _Drawn("rank", _in_percent, _hover_rank)
    _add_others(figure, curves, fates, of_rank)
    _add_told(figure, curves, fates, groups, sparsity, of_rank)
    limit, runs = next(iter(least.values())), int(curves["n_runs"].max())
    over = "of one run" if runs < 2 else f"averaged over {words.count(runs, 'run')}"
    figure.add_hline(y=limit * 100, line={"color": parts.RULE, "width": 1.2, "dash": "dot"})
    figure.update_yaxes(title="Ranks above, of images without it", range=[-2, 102], ticksuffix=" %")
    caption = (
        "Coloured: labelled, raised and lost classes; grey: the other classes. Drawn is the share "
        f"of the test images certain not to carry the class whose probability, {over}, is below "
        f"this image's. Dotted: {rank(limit)}. The upright line is the slider's sparsity. "
        "A finding above the dotted line when dense is lost from where on it stays below it; one "
        "that the image does not have is raised from where on it stays above it." + _more(fates)
    )
    return parts.Chart(_title(fates, known=True), figure, caption)


def _told(fates: list[FindingFate]) -> list[str]:
    return [found.class_name for found in fates[: parts.MOST_HIGHLIGHTED]]


def _add_told(
    figure: go.Figure,
    curves: pd.DataFrame,
    fates: list[FindingFate],
    groups: dict[str, str],
    sparsity: float,
    drawn: _Drawn,
) -> None:
    """The classes that are named, in colour."""
    told = _told(fates)
    colours = [parts.GROUP_COLOURS[groups[name]] for name in told]
    parts.legend_above(figure, 1.02, itemclick=False)
    for name, colour, dash in zip(told, colours, parts.DASHES, strict=False):
        curve = curves[curves["class_name"] == name]
        figure.add_scatter(
            x=parts.percents(curve["sparsity"]),
            y=drawn.height(curve[drawn.column]),
            mode="lines+markers" if len(curve) < 3 else "lines",
            name=parts.escape(parts.short(name)),
            line={"color": colour, "width": 3, "dash": dash},
            text=[drawn.hover(name, row) for row in curve.itertuples()],
            hovertemplate="%{x}<br>%{text}<extra></extra>",
        )
    here = curves[np.isclose(curves["sparsity"], sparsity)].set_index("class_name")[drawn.column]
    figure.add_scatter(
        x=[sparsity * 100] * len(told), y=drawn.height(here.reindex(told)), mode="markers",
        marker={"size": 12, "color": colours, "symbol": parts.SYMBOLS[: len(told)]},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_vline(x=sparsity * 100, line={"color": parts.RULE, "width": 1.5})
    parts.sparsity_axis(figure)
    figure.update_xaxes(title="Sparsity (%)", tickangle=0, nticks=6)


def _add_others(
    figure: go.Figure, curves: pd.DataFrame, fates: list[FindingFate], drawn: _Drawn
) -> None:
    others = curves[~curves["class_name"].isin(_told(fates))]
    if others.empty:
        return
    x, y, text = [], [], []
    for name, curve in others.groupby("class_name", sort=False):
        x += [*parts.percents(curve["sparsity"]), None]  # the gap parts one class from the next
        y += [*drawn.height(curve[drawn.column]), None]
        text += [drawn.hover(str(name), row) for row in curve.itertuples()] + [""]
    figure.add_scatter(
        x=x, y=y, text=text, mode="lines", line={"color": parts.GREY, "width": 1.2},
        hovertemplate="%{x}<br>%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _hover(name: str, row: Any) -> str:
    text = f"{parts.escape(name)}: {probability(row.median)}"
    if pd.isna(row.n_below):
        return text
    runs = words.count(row.n_runs, "run")
    return f"{text}<br>below its operating point in {row.n_below} of {runs}"


def _hover_rank(name: str, row: Any) -> str:
    return f"{parts.escape(name)}: ranks above {rank(row.rank)}"


def _in_percent(values: pd.Series) -> list[float]:
    return (np.asarray(values, float) * 100).tolist()


def _height(values: pd.Series | np.ndarray) -> list[float]:
    return np.log10(np.clip(np.asarray(values, float), LEAST_DRAWN, 1)).tolist()


def _title(fates: list[FindingFate], known: bool) -> str:
    """`known`: whether any class has an operating point."""
    if not fates:
        return "No labelled finding" + (", and none lost or raised" if known else "")
    if not known:
        return f"{', '.join(found.class_name for found in fates)} over sparsity"
    return " ".join(map(fate, headlines(fates))).removesuffix(".")


def _caption(curves: pd.DataFrame, fates: list[FindingFate]) -> str:
    runs = int(curves["n_runs"].max())
    over = "one run" if runs < 2 else f"median and quartiles over {words.count(runs, 'run')}"
    text = (
        f"Coloured: labelled, raised and lost classes, {over}; grey: the other classes. Dotted: "
        "operating points, fixed on validation. The upright line is the slider's sparsity. Lost "
        "and raised is what the mean over runs says, from there to the end of the grid; of the "
        "runs, those whose own probability is on that side are counted."
    )
    return text + _more(fates)


def _more(fates: list[FindingFate]) -> str:
    left = len(fates) - parts.MOST_HIGHLIGHTED
    return f" {left} more are named below." if left > 0 else ""
