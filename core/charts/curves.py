"""Curves over sparsity: of mAP, of every class, of two classes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.onset import DROP
from core.charts import parts
from core.wording import words


def mean_ap_chart(
    band: pd.DataFrame, n_classes: int, n_undefined: int, n_images: int
) -> parts.Chart:
    """mAP over sparsity. band: sparsity, median, lower, upper, n_runs; where it has interval_over,
    its values are means and their intervals; see `over_runs`."""
    figure = parts.empty_figure(360)
    x = parts.percents(band["sparsity"])
    between = "95 % interval" if "interval_over" in band else "quartiles"
    parts.add_band(figure, x, band["lower"], band["upper"], parts.GROUP_COLOURS["head"])
    figure.add_scatter(
        x=x,
        y=band["median"],
        mode="lines+markers",
        line={"color": parts.GROUP_COLOURS["head"], "width": 3},
        **parts.hover(
            "sparsity %{x} %<br>mAP %{y:.3f}<br>" + between + " {low:.3f} to {high:.3f}<br>"
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
    parts.add_grey_curves(figure, curves[~curves["class_name"].isin(highlighted)], scale)
    groups = {name: facts["group"].get(name, "medium") for name in highlighted}
    parts.add_named_curves(
        figure, curves, groups, scale, facts["chance_change"] if relative else chance
    )
    parts.sparsity_axis(figure)
    label = words.METRICS[metric]
    if relative:
        figure.update_yaxes(title=f"Change of {label} against dense (%)", ticksuffix=" %")
    else:
        figure.update_yaxes(title=label, rangemode="tozero")
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
    parts.add_named_curves(figure, curves, {name: groups[name] for name in pair}, 100)
    parts.sparsity_axis(figure)
    label = words.METRICS[metric]
    figure.update_yaxes(title=f"Change of {label} against dense (%)", ticksuffix=" %")
    return parts.Chart(title, figure, parts.over_runs(curves))


def _curves_title(
    asked: list[str], facts: pd.DataFrame, metric: str, sparsity: float | None
) -> str:
    """What the class that lost most of those asked for has lost; without one, how many have lost a
    fifth. Classes of too few patients do not count where there are others."""
    if sparsity is None:
        return f"{words.METRICS[metric]} of every class"
    at, change = words.percent(sparsity), facts["relative_change"]
    if known := [name for name in asked if name in facts.index]:
        worst = min(known, key=lambda name: change.fillna(np.inf)[name])
        return f"{worst} {words.loss(change[worst], metric)} by {at} sparsity"
    if not facts["unstable"].all():
        change = change[~facts["unstable"]]
    change = change.dropna()
    n = int((change < -DROP).sum())
    have = "have" if n > 1 else "has"
    return (
        f"{n or 'None'} of {words.count(len(change), 'class')} {have} lost a fifth of "
        f"{words.METRICS[metric]} by {at} sparsity"
    )
