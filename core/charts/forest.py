"""Forest plots: every class's own estimate with its interval, the estimate drawn towards the trend,
and the trend over frequency itself. Classes stand from frequent to rare."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.claims import CHANGE, FIRST_DROP
from core.analysis.class_evidence import CHANGE as CHANGE_TREND
from core.analysis.class_evidence import ONSET
from core.charts import parts

# What is in each forest: the trend, and the title of its axis.
FORESTS = {
    CHANGE: (CHANGE_TREND, "Change of Somers\u2019 D at 95 % sparsity (%)"),
    FIRST_DROP: (ONSET, "Sparsity at which a fifth of it is gone (%)"),
}
LONGEST = 26  # letters of a class's name: two forests stand side by side


def forest_chart(table: pd.DataFrame, axis: str, title: str, caption: str) -> parts.Chart:
    """table: `trend.EFFECTS` with group, lower and upper, one row per class; x is log10 frequency,
    y, its interval and its fits are fractions."""
    table = table.sort_values("x", ascending=False, kind="stable", ignore_index=True)
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(table) + 70))
    rows, y = np.arange(len(table)), table["y"] * 100
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
            hovertemplate="%{text}<br>drawn towards the trend: %{x:.0f} %<extra></extra>",
        )
    figure.add_scatter(
        x=y,
        y=rows,
        mode="markers",
        marker={"size": 9, "color": colours},
        error_x=parts.whiskers(table["lower"] * 100, table["upper"] * 100, y),
        **parts.hover(
            "{name} ({group})<br>%{x:.0f} %<br>in {share:.2g} % of images",
            name=parts.escaped(table["class_name"]),
            group=table["group"],
            share=100 * 10.0 ** table["x"].to_numpy(),
        ),
    )
    parts.class_axis(figure, [parts.short(name, LONGEST) for name in table["class_name"]])
    figure.update_xaxes(title=axis, ticksuffix=" %", zeroline=False, range=_scale(table))
    return parts.Chart(title, figure, caption)


def _scale(table: pd.DataFrame) -> list[float]:
    values = (pd.concat([table["y"], table["lower"], table["upper"]]) * 100).dropna()
    if values.empty:
        return [-100, 0]
    room = 0.04 * max(values.max() - values.min(), 1.0)
    return [values.min() - room, values.max() + room]
