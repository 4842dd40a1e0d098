"""Point clouds: classes against their frequency, pairs of classes against what sets them apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.charts import parts
from core.charts.labels import name_points
from core.charts.whiskers import reach
from core.study.labels import known_split
from core.wording import pair_sentences, words

SQUARED, IOU = "Squared FCD without noise", "Co-occurrence, IoU^(1/4)"
NAMED = 3  # points named in a chart; the others tell their name under the pointer


def first_drop_scatter(summary: pd.DataFrame, title: str, caption: str) -> parts.Chart:
    """The paper's first drop of every class against its frequency."""
    column, axis = "first_drop_sparsity", "Sparsity of the first drop by 20 %"
    return _class_scatter(summary, column, axis, "first drop at %{y}", title, caption)


def change_scatter(summary: pd.DataFrame, metric: str, title: str, caption: str) -> parts.Chart:
    """Relative change at 95 % of every class against its frequency."""
    column, axis = (
        f"relative_{metric}_change_at_95",
        f"Change of {words.METRICS[metric]} at 95 % sparsity",
    )
    return _class_scatter(summary, column, axis, "%{y} at 95 % sparsity", title, caption)


def _class_scatter(
    summary: pd.DataFrame, column: str, axis: str, says: str, title: str, caption: str
) -> parts.Chart:
    table = summary[summary[f"{known_split(summary)}_frequency"].gt(0) & summary[column].notna()]
    split = known_split(table)
    frequency = f"{split}_frequency"
    figure, y = parts.empty_figure(340), parts.percents(table[column])
    logs = np.log10(table[frequency].to_numpy(float) * 100)
    if len(table):
        figure.add_scatter(
            x=parts.percents(table[frequency]),
            y=y,
            mode="markers",
            marker={
                "size": 10,
                "symbol": np.where(table["unstable"], "circle-open", "circle"),
                "color": table["group"].map(parts.GROUP_COLOURS).tolist(),
                "line": {"width": 1.5},
            },
            text=parts.escaped(table["class_name"]),
            customdata=table["n_positive"].tolist(),
            hovertemplate=(
                f"%{{text}}: {says}<br>in %{{x:.2g}} % of {split} images, "
                "%{customdata} test positives<extra></extra>"
            ),
        )
    across = (logs.min() - 0.15, logs.max() + 0.15) if len(logs) else (-1.0, 2.0)
    up = reach(y, [], [])
    figure.update_yaxes(title=axis, range=up, **parts.PERCENT)
    parts.share_axis(figure, f"Share of {split} images (log scale)", *across)
    if len(table):
        names = table["class_name"].tolist()
        name_points(figure, names, logs, np.array(y), (across, up), NAMED)
    hollow = f" Hollow: {words.FEW}, unstable." if table["unstable"].any() else ""
    return parts.Chart(title, figure, caption + hollow)


def pair_scatter(
    table: pd.DataFrame,
    x: pd.Series,
    y: pd.Series,
    axes: tuple[str, str],
    title: str,
    caption: str,
) -> parts.Chart:
    """One point per pair of classes; points carry both names as customdata and take clicks."""
    figure = parts.empty_figure(360)
    pairs = list(zip(table["class_a"], table["class_b"], strict=True))
    figure.add_scatter(
        x=x.tolist(),
        y=y.tolist(),
        mode="markers",
        marker={"size": 8, "color": parts.RULE, "opacity": 0.6},
        selected={"marker": {"opacity": 0.6}},
        unselected={"marker": {"opacity": 0.6}},
        customdata=[list(pair) for pair in pairs],
        text=[f"{parts.escape(a)} and {parts.escape(b)}" for a, b in pairs],
        hovertemplate="%{text}<br>%{x}, %{y}<extra></extra>",
    )
    figure.update_xaxes(title=axes[0], zeroline=False, hoverformat=".3~g")
    figure.update_yaxes(title=axes[1], rangemode="tozero", hoverformat=".3~g")
    figure.update_layout(clickmode="event+select", dragmode=False)
    return parts.Chart(title, figure, caption)


def frequency_and_distance(table: pd.DataFrame, claim: pd.Series) -> parts.Chart:
    """The judged pairs of `ClassPairs` against their difference of frequency, with what the claim
    (a corrected row of the table `claims`) comes to."""
    judged = table[table["fcd_squared_debiased"].notna()]
    x, y = judged["log10_frequency_difference"], judged["fcd_squared_debiased"]
    title = pair_sentences.WITH_FREQUENCY[claim["verdict"]]
    axes = ("Difference of log10 frequency", SQUARED)
    return pair_scatter(judged, x, y, axes, title, claim["sentence"])


def cooccurrence_and_distance(table: pd.DataFrame, claim: pd.Series) -> parts.Chart:
    """The same against their co-occurrence, without a verdict."""
    judged = table[table["fcd_squared_debiased"].notna()]
    x, y = judged["cooccurrence_iou"] ** 0.25, judged["fcd_squared_debiased"]
    title = pair_sentences.WITH_COOCCURRENCE
    return pair_scatter(judged, x, y, (IOU, SQUARED), title, claim["sentence"])


def ringed(chart: parts.Chart, pair: tuple[str, str]) -> parts.Chart:
    """A `pair_scatter` with a ring around one pair's point, if it has one."""
    points = chart.figure.data[0]
    here = [set(names) == set(pair) for names in points.customdata or ()]
    if True not in here:
        return chart
    at = here.index(True)
    ring = {
        "type": "scatter",
        "x": [points.x[at]],
        "y": [points.y[at]],
        "mode": "markers",
        "marker": {
            "size": 14,
            "symbol": "circle-open",
            "color": parts.OTHER,
            "line": {"width": 3},
        },
        "hoverinfo": "skip",
    }
    return parts.with_more(chart, traces=[ring])
