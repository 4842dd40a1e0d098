"""Point clouds: classes against their frequency, pairs of classes against what sets them apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.charts.parts import (
    GROUP_COLOURS,
    Chart,
    empty_figure,
    escape,
    escaped,
    percents,
    short,
    with_more,
)
from core.study.labels import known_split
from core.wording import pair_findings, words

SQUARED, IOU = "Squared FCD without noise", "Co-occurrence, IoU^(1/4)"
NAMED = 3  # points named in a chart; the others tell their name under the pointer


def first_drop_scatter(summary: pd.DataFrame, title: str, caption: str) -> Chart:
    """The paper's first drop of every class against its frequency."""
    table = summary[_frequency(summary).gt(0) & summary["first_drop_sparsity"].notna()]
    figure, drops = empty_figure(340), percents(table["first_drop_sparsity"])
    _add_classes(figure, table, drops, "first drop at %{y:.1f} %")
    _name_points(figure, table, drops)
    figure.update_yaxes(title="First drop by 20 % (% sparsity)", ticksuffix=" %")
    _frequency_axis(figure, table)
    return Chart(title, figure, caption + _hollow(table))


def change_scatter(summary: pd.DataFrame, metric: str, title: str, caption: str) -> Chart:
    """Relative change at 95 % of every class against its frequency."""
    column = f"relative_{metric}_change_at_95"
    table = summary[_frequency(summary).gt(0) & summary[column].notna()]
    figure, changes = empty_figure(340), percents(table[column])
    _add_classes(figure, table, changes, "%{y:.0f} % at 95 % sparsity")
    _name_points(figure, table, changes)
    figure.update_yaxes(title="Change at 95 % sparsity (%)", ticksuffix=" %")
    _frequency_axis(figure, table)
    return Chart(title, figure, caption + _hollow(table))


def pair_scatter(
    table: pd.DataFrame,
    x: pd.Series,
    y: pd.Series,
    axes: tuple[str, str],
    title: str,
    caption: str,
) -> Chart:
    """One point per pair of classes; points carry both names as customdata and take clicks."""
    figure = empty_figure(360)
    pairs = list(zip(table["class_a"], table["class_b"], strict=True))
    figure.add_scatter(
        x=x.tolist(),
        y=y.tolist(),
        mode="markers",
        marker={"size": 8, "color": GROUP_COLOURS["head"], "opacity": 0.6},
        selected={"marker": {"opacity": 0.6}},
        unselected={"marker": {"opacity": 0.6}},
        customdata=[list(pair) for pair in pairs],
        text=[f"{escape(a)} and {escape(b)}" for a, b in pairs],
        hovertemplate="%{text}<br>%{x:.3g}, %{y:.3g}<extra></extra>",
    )
    figure.update_xaxes(title=axes[0], zeroline=False)
    figure.update_yaxes(title=axes[1], rangemode="tozero")
    figure.update_layout(clickmode="event+select", dragmode=False)
    return Chart(title, figure, caption)


def frequency_and_distance(table: pd.DataFrame, claim: pd.Series) -> Chart:
    """The judged pairs of `ClassPairs` against their difference of frequency, with what the claim
    (a corrected row of the table `claims`) comes to."""
    judged = table[table["fcd_squared_debiased"].notna()]
    x, y = judged["log10_frequency_difference"], judged["fcd_squared_debiased"]
    title = pair_findings.WITH_FREQUENCY[claim["verdict"]]
    axes = ("Difference of log10 frequency", SQUARED)
    return pair_scatter(judged, x, y, axes, title, claim["sentence"])


def cooccurrence_and_distance(table: pd.DataFrame, claim: pd.Series) -> Chart:
    """The same against their co-occurrence, without a verdict."""
    judged = table[table["fcd_squared_debiased"].notna()]
    x, y = judged["cooccurrence_iou"] ** 0.25, judged["fcd_squared_debiased"]
    title = pair_findings.WITH_COOCCURRENCE
    return pair_scatter(judged, x, y, (IOU, SQUARED), title, claim["sentence"])


def ringed(chart: Chart, pair: tuple[str, str]) -> Chart:
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
            "color": GROUP_COLOURS["tail"],
            "line": {"width": 3},
        },
        "hoverinfo": "skip",
    }
    return with_more(chart, traces=[ring])


def _add_classes(figure: go.Figure, table: pd.DataFrame, y: list[float], says: str) -> None:
    if table.empty:
        return
    figure.add_scatter(
        x=percents(_frequency(table)),
        y=y,
        mode="markers",
        marker={
            "size": 10,
            "symbol": ["circle-open" if unstable else "circle" for unstable in table["unstable"]],
            "color": table["group"].map(GROUP_COLOURS).tolist(),
            "line": {"width": 1.5},
        },
        text=escaped(table["class_name"]),
        customdata=table["n_positive"].tolist(),
        hovertemplate=(
            f"%{{text}}: {says}<br>in %{{x:.2g}} % of {known_split(table)} images, "
            "%{customdata} test positives<extra></extra>"
        ),
    )


def _name_points(figure: go.Figure, table: pd.DataFrame, y: list[float]) -> None:
    """Some of the classes that fall furthest, each where no other name stands."""
    if table.empty:
        return
    x = np.log10(_frequency(table).to_numpy(float) * 100)
    height = max(np.ptp(y), 1.0)
    taken: list[float] = []
    for at in np.argsort(y, kind="stable"):
        if len(taken) == NAMED or any(abs(y[at] - other) < height / 12 for other in taken):
            continue
        taken.append(y[at])
        to_the_left = x[at] > x.mean()
        figure.add_annotation(
            x=float(x[at]), y=y[at], text=escape(short(table["class_name"].iloc[at])),
            showarrow=False, xanchor="right" if to_the_left else "left",
            xshift=-9 if to_the_left else 9, font_size=12,
        )  # fmt: skip


def _frequency_axis(figure: go.Figure, table: pd.DataFrame) -> None:
    logs = np.log10(_frequency(table).to_numpy(float) * 100)
    limits = [logs.min() - 0.15, logs.max() + 0.15] if len(logs) else [-1, 2]
    figure.update_xaxes(
        title=f"Share of {known_split(table)} images (%, log)",
        type="log", range=limits, dtick=1, zeroline=False,
    )  # fmt: skip


def _frequency(table: pd.DataFrame) -> pd.Series:
    return table[f"{known_split(table)}_frequency"]


def _hollow(table: pd.DataFrame) -> str:
    return f" Hollow: {words.FEW}, unstable." if table["unstable"].any() else ""
