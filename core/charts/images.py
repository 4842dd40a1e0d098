"""One image: what the dense and the pruned model say of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core import words
from core.charts.parts import (
    GROUP_COLOURS,
    Chart,
    class_axis,
    empty_figure,
    escape,
    escaped,
    short,
)


def probabilities_chart(changes: pd.DataFrame, groups: dict[str, str], sparsity: float) -> Chart:
    """Dense and pruned probability of every class for one image.

    changes: class_name, dense, pruned, present, the largest change first.
    """
    figure = empty_figure(max(220, 20 * len(changes) + 80))
    positions = np.arange(len(changes))
    colours = changes["class_name"].map(groups).map(GROUP_COLOURS)
    for position, row in zip(positions, changes.itertuples(), strict=True):
        figure.add_shape(
            type="line", x0=row.dense, x1=row.pruned, y0=position, y1=position,
            line={"color": colours.iloc[position], "width": 3},
        )  # fmt: skip
    names = escaped(changes["class_name"])
    for column, symbol, label in (
        ("dense", "circle-open", "dense"),
        ("pruned", "circle", words.percent(sparsity) + " sparsity"),
    ):
        figure.add_scatter(
            x=changes[column],
            y=positions,
            mode="markers",
            name=label,
            marker={"symbol": symbol, "size": 10, "color": colours, "line": {"width": 2}},
            text=names,
            hovertemplate="%{text}: %{x:.3f}<extra>" + label + "</extra>",
        )
    ticks = [
        f"<b>{escape(short(name))} ✓</b>" if yes else escape(short(name))
        for name, yes in zip(changes["class_name"], changes["present"], strict=True)
    ]
    class_axis(figure, changes["class_name"])
    figure.update_yaxes(ticktext=ticks)
    figure.update_xaxes(title="Probability (mean over runs)", range=[-0.02, 1.02])
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    figure.update_layout(showlegend=True, legend=legend, margin_t=36)
    top = changes.iloc[0]
    title = (
        f"{top['class_name']} moves most: {words.number(top['dense'])} dense, "
        f"{words.number(top['pruned'])} at {words.percent(sparsity)}"
    )
    return Chart(title, figure, "✓ and bold: labelled present. Largest change first.")
