"""Curves over sparsity: of mAP, of every class, of two classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.onset import DROP
from core.charts import labels, parts
from core.wording import words

HOVER = "%{text}<br>%{x}: %{y}<extra></extra>"  # of a curve; its axes say in which unit


def mean_ap_chart(
    band: pd.DataFrame, n_classes: int, n_undefined: int, n_images: int
) -> parts.Chart:
    """mAP over sparsity. band: sparsity, median, lower, upper, n_runs; where it has interval_over,
    its values are means and their intervals; see `over_runs`."""
    figure = parts.empty_figure(360)
    x = parts.percents(band["sparsity"])
    between = "95 % interval" if "interval_over" in band else "quartiles"
    parts.add_band(figure, x, band["lower"], band["upper"], parts.OTHER)
    figure.add_scatter(
        x=x,
        y=band["median"],
        mode="lines+markers",
        line={"color": parts.OTHER, "width": 3},
        **parts.hover(
            "sparsity %{x}<br>mAP %{y:.3f}<br>" + between + " {low:.3f} to {high:.3f}<br>"
            "runs {runs}",
            low=band["lower"],
            high=band["upper"],
            runs=band["n_runs"],
        ),
        showlegend=False,
    )
    parts.sparsity_axis(figure)
    figure.update_yaxes(title="mAP", rangemode="tozero")
    values = [words.number(value) for value in band["median"].iloc[[0, -1]]]
    points = [words.percent(value) for value in band["sparsity"].iloc[[0, -1]]]
    if len(band) == 1:
        title = f"mAP is {values[0]} at {points[0]} sparsity"
    else:
        title = f"mAP goes from {values[0]} at {points[0]} to {values[1]} at {points[1]} sparsity"
    caption = f"mAP: mean AP of {words.count(n_classes, 'class')}, {n_images:,} test images. "
    if n_undefined:
        caption += f"{words.count(n_undefined, 'class')} without a positive left out. "
    return parts.Chart(title, figure, caption + parts.over_runs(band))


def class_curves_chart(
    curves: pd.DataFrame,
    losses: pd.DataFrame,
    highlighted: list[str],
    chance: pd.Series,
    metric: str,
    relative: bool,
    sparsity: float | None,
    asked_for: bool = True,
) -> parts.Chart:
    """Every class over sparsity: highlighted ones named, the others grey behind them.

    curves: class_name, sparsity, median, lower, upper, n_runs; losses: one row per class.
    asked_for: whether somebody asked for the highlighted ones, so that the title is about them.
    """
    highlighted = highlighted[: parts.MOST_HIGHLIGHTED]
    facts = losses.set_index("class_name")
    scale = 100 if relative else 1
    figure = parts.empty_figure(460)
    _add_grey_curves(figure, curves[~curves["class_name"].isin(highlighted)], scale)
    groups = {name: facts["group"].get(name, "medium") for name in highlighted}
    floors = facts["chance_change"] if relative else chance
    ends = _add_named_curves(figure, curves, groups, scale, floors)
    parts.sparsity_axis(figure)
    label = words.METRICS[metric]
    if relative:
        figure.update_yaxes(title=f"Change of {label} against dense", **parts.PERCENT)
    else:
        figure.update_yaxes(title=label, rangemode="tozero", hoverformat=".3f")
    labels.name_ends(figure, ends, float(curves["sparsity"].max() * 100))
    title = _curves_title(highlighted if asked_for else [], facts, metric, sparsity)
    classes = words.count(curves["class_name"].nunique(), "class")
    caption = (
        f"{classes}. {parts.over_runs(curves)} Dotted: what a random order is expected to reach "
        "with as many test positives as the named class has."
    )
    return parts.Chart(title, figure, caption)


def pair_curves_chart(
    curves: pd.DataFrame,
    groups: dict[str, str],
    pair: tuple[str, str],
    title: str,
    metric: str,
) -> parts.Chart:
    """Two forgettability curves with their interval over runs (columns lower, upper)."""
    figure = parts.empty_figure(400)
    ends = _add_named_curves(figure, curves, {name: groups[name] for name in pair}, 100)
    parts.sparsity_axis(figure)
    label = words.METRICS[metric]
    figure.update_yaxes(title=f"Change of {label} against dense", **parts.PERCENT)
    labels.name_ends(figure, ends, float(curves["sparsity"].max() * 100))
    return parts.Chart(title, figure, parts.over_runs(curves))


def _curves_title(
    asked: list[str], facts: pd.DataFrame, metric: str, sparsity: float | None
) -> str:
    """What the class that lost most of those asked for has lost; without one, how many have lost a
    fifth. Classes of too few patients do not count where there are others."""
    if sparsity is None:
        return f"{words.METRICS[metric]} of every class"
    at, change = words.percent(sparsity), facts["relative_change"]
    corrected = "interval_over" in facts  # where the interval has to say so as well
    lost = facts["upper"] if corrected else change
    clearly = "clearly " if corrected else ""
    if known := [name for name in asked if name in facts.index]:
        sure = [name for name in known if lost[name] < 0 or not corrected]
        if not sure:
            return (
                f"{words.names(known)}: no clear loss of {words.METRICS[metric]} by {at} sparsity"
            )
        worst = min(sure, key=lambda name: change.fillna(np.inf)[name])
        return f"{worst} {words.loss(change[worst], metric)} by {at} sparsity"
    judged = change.notna() & (~facts["unstable"] | facts["unstable"].all())
    n = int((lost[judged] < -DROP).sum())
    have = "have" if n > 1 else "has"
    enough = "" if judged.all() else " with enough patients"
    return (
        f"{n or 'None'} of {words.count(int(judged.sum()), 'class')}{enough} {have} {clearly}lost "
        f"a fifth of {words.METRICS[metric]} by {at} sparsity"
    )


def _add_named_curves(
    figure: go.Figure,
    curves: pd.DataFrame,
    groups: Mapping[str, str],
    scale: int,
    floors: pd.Series | None = None,
) -> list[tuple[str, float]]:
    """The curves of the classes in `groups`, each with its band and, in `floors`, its chance level;
    returns where they end. curves: class_name, sparsity, median, lower, upper; scale: 100 for
    changes in percent, 1 for metrics."""
    figure.update_layout(margin_r=parts.ROOM_FOR_NAMES)
    ends = []
    for index, (name, group) in enumerate(groups.items()):
        curve, colour = curves[curves["class_name"] == name], parts.GROUP_COLOURS[group]
        x = parts.percents(curve["sparsity"])
        parts.add_band(figure, x, curve["lower"] * scale, curve["upper"] * scale, colour)
        figure.add_scatter(
            x=x,
            y=(curve["median"] * scale).tolist(),
            mode="lines+markers",
            line={"color": colour, "width": 3, "dash": parts.DASHES[index]},
            marker={"symbol": parts.SYMBOLS[index], "size": 7},
            text=[parts.escape(name)] * len(curve),
            hovertemplate=HOVER,
            showlegend=False,
        )
        floor = np.nan if floors is None else floors.get(name, np.nan)
        if np.isfinite(floor):
            _add_floor(figure, x, floor, colour, name, scale)
        known = curve["median"].dropna()
        if len(known):
            ends.append((name, float(known.iloc[-1]) * scale))
    return ends


def _add_grey_curves(figure: go.Figure, curves: pd.DataFrame, scale: int) -> None:
    """The curves nobody asked for, as one trace: twenty traces take the browser far longer."""
    if curves.empty:
        return
    wide = curves.pivot(index="class_name", columns="sparsity", values="median")
    x, y, text = [], [], []
    for name, values in zip(wide.index, wide.to_numpy(float) * scale, strict=True):
        x += [*parts.percents(wide.columns), None]  # the gap parts one class from the next
        y += [*values.tolist(), None]
        text += [parts.escape(name)] * (len(values) + 1)
    figure.add_scatter(
        x=x,
        y=y,
        text=text,
        mode="lines" if len(wide.columns) > 1 else "markers",
        line={"color": parts.GREY, "width": 1.2},
        marker_color=parts.GREY,
        hovertemplate=HOVER,
    )


def _add_floor(figure: go.Figure, x: Any, level: float, colour: str, name: str, scale: int) -> None:
    said = words.signed(level) if scale == 100 else words.number(level, 3)
    figure.add_scatter(
        x=[min(x), max(x)],
        y=[level * scale] * 2,
        mode="lines",
        line={"color": colour, "width": 1.2, "dash": "dot"},
        text=[f"chance level of {parts.escape(name)}: {said}"] * 2,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
