"""Forest plots: every class's own estimate with its interval, the estimate drawn towards the trend,
and the trend over frequency itself. Classes stand from frequent to rare."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.claims import CHANGE, FIRST_DROP
from core.analysis.class_evidence import CHANGE as CHANGE_TREND
from core.analysis.class_evidence import ONSET
from core.charts import parts
from core.charts.whiskers import add_arrows, intervals, reach, whiskers
from core.wording import words

# What is in each forest: the trend, and the title of its axis.
FORESTS = {
    CHANGE: (CHANGE_TREND, "Change of Somers\u2019 D at 95 % sparsity"),
    FIRST_DROP: (ONSET, "Sparsity at which a fifth of it is gone"),
}
LONGEST = 26  # letters of a class's name: two forests stand side by side


def forest_chart(table: pd.DataFrame, axis: str, title: str, caption: str) -> parts.Chart:
    """table: `trend.EFFECTS` with group, lower and upper, one row per class; x is log10 frequency,
    y, its interval and its fits are fractions."""
    table = table.sort_values("x", ascending=False, kind="stable", ignore_index=True)
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(table) + 70))
    rows = np.arange(len(table))
    y, lower, upper = (table[name] * 100 for name in ("y", "lower", "upper"))
    within = reach(pd.concat([y, table["shrunken"] * 100]), lower, upper)
    _, named = intervals(table["class_name"], table["lower"], table["upper"])
    colours = table["group"].map(parts.GROUP_COLOURS)
    if table["fitted"].notna().any():
        figure.add_scatter(
            x=table["fitted"] * 100, y=rows, mode="lines", hoverinfo="skip",
            line={"color": parts.RULE, "width": 2, "dash": "dash"},
        )  # fmt: skip
        figure.add_scatter(
            x=table["shrunken"] * 100,
            y=rows,
            mode="markers",
            marker={"size": 9, "symbol": "diamond-open", "color": parts.GREY, "line": {"width": 2}},
            text=parts.escaped(table["class_name"]),
            hovertemplate="%{text}<br>drawn towards the trend: %{x}<extra></extra>",
        )
    figure.add_scatter(
        x=y,
        y=rows,
        mode="markers",
        marker={"size": 9, "color": colours},
        error_x=whiskers(lower, upper, y, within),
        **parts.hover(
            "{name} ({group})<br>{value}<br>in {share:.2g} % of images",
            name=parts.escaped(table["class_name"]),
            value=table["y"].map(words.percent),
            group=table["group"],
            share=100 * 10.0 ** table["x"].to_numpy(),
        ),
    )
    parts.class_axis(figure, [parts.short(name, LONGEST) for name in table["class_name"]])
    figure.update_xaxes(title=axis, zeroline=False, range=within, **parts.PERCENT)
    return parts.Chart(title, figure, caption + add_arrows(figure, lower, upper, within, named))
