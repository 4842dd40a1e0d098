"""What PIEs hold more of than other images, and how far from dense they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core import words
from core.charts.parts import (
    GREY,
    GROUP_COLOURS,
    ROW_HEIGHT,
    RULE,
    Chart,
    class_axis,
    empty_figure,
    escape,
    short,
)
from core.labels import FEW_POSITIVES

LEAST_RATIO = 0.05  # where a log axis ends: a class that no PIE has, has no logarithm


def class_ratio_chart(ratios: pd.DataFrame, groups: dict[str, str]) -> Chart:
    """Frequency of every class among PIEs over that among other images, largest first."""
    known = ratios[ratios["ratio"].notna()].sort_values(
        ["unstable", "ratio"], ascending=[True, False], kind="stable"
    )
    colours = known["class_name"].map(groups).map(GROUP_COLOURS).tolist()
    return _ratio_chart(known, known["class_name"].tolist(), colours, "carry {}")


def finding_count_chart(ratios: pd.DataFrame) -> Chart:
    """The same by number of findings."""
    known = ratios[ratios["ratio"].notna()]
    names = [
        words.count(int(n), "finding") if n.isdigit() else "4 or more findings"
        for n in known["finding_count"]
    ]
    return _ratio_chart(known, names, [GROUP_COLOURS["head"]] * len(known), "have {}")


def z_chart(definitions: pd.DataFrame, title: str) -> Chart:
    """How agreement_z is distributed among PIEs and other images. definitions: `tables.pies`."""
    known = definitions[definitions["agreement_z"].notna()]
    z = known["agreement_z"].to_numpy(float)
    figure = empty_figure(280)
    low, high = (np.percentile(z, [0.5, 99.5])) if len(z) else (-1.0, 1.0)
    edges = np.linspace(min(low, -1), max(high, 1), 41)
    middles = (edges[1:] + edges[:-1]) / 2
    pie = known["is_pie"].to_numpy(bool)
    for mask, name, colour in ((~pie, "other", GREY), (pie, "PIE", GROUP_COLOURS["tail"])):
        counts, _ = np.histogram(np.clip(z[mask], edges[0], edges[-1]), edges)
        figure.add_bar(
            x=middles,
            y=counts,
            name=name,
            marker_color=colour,
            hovertemplate="z %{x:.1f}: %{y} images<extra>" + name + "</extra>",
        )
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5, "dash": "dot"})
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
    figure.update_layout(barmode="stack", bargap=0.05, showlegend=True, legend=legend, margin_t=36)
    figure.update_xaxes(title="z: agreement with the pruned model against dense with dense")
    figure.update_yaxes(title="Test images")
    caption = (
        f"n = {words.count(len(known), 'test image')}; below 0: pruning moved the image more than "
        "training again does. Halves of the runs overlap, so z orders images; it is no test."
    )
    return Chart(title, figure, caption)


def _ratio_chart(known: pd.DataFrame, names: list[str], colours: list[str], verb: str) -> Chart:
    figure = empty_figure(max(220, ROW_HEIGHT * len(known) + 80))
    positions = np.arange(len(known))
    ratio = known["ratio"].clip(lower=LEAST_RATIO)
    low, high = known["ci_low"].clip(lower=LEAST_RATIO), known["ci_high"].clip(lower=LEAST_RATIO)
    figure.add_scatter(
        x=ratio,
        y=positions,
        mode="markers",
        marker={
            "size": 11,
            "color": colours,
            "symbol": np.where(known["unstable"], "circle-open", "circle"),
            "line": {"width": 2},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (high - ratio).fillna(0),
            "arrayminus": (ratio - low).fillna(0),
            "color": RULE,
            "thickness": 1.5,
            "width": 3,
        },
        text=[escape(name) for name in names],
        customdata=np.column_stack(
            [
                known["ratio"].map(words.number),
                known["n_pie_positive"],
                known["n_positive"],
            ]
        ),
        hovertemplate=(
            "%{text}: %{customdata[0]} times<br>%{customdata[1]} PIEs of %{customdata[2]} images"
            "<extra></extra>"
        ),
    )
    figure.add_vline(x=1, line={"color": RULE, "width": 1.5, "dash": "dot"})
    class_axis(figure, [short(name) for name in names])
    figure.update_xaxes(
        title="Share among PIEs over share among other images (log)",
        type="log",
        tickvals=[LEAST_RATIO, 0.2, 0.5, 1, 2, 5, 20, 100],
        ticktext=["0", "0.2", "0.5", "1", "2", "5", "20", "100"],
    )
    caption = "Whiskers: 95 % over patients, with the PIEs as found. Dotted: as often as elsewhere."
    if known["unstable"].any():
        caption += f" Hollow: fewer than {FEW_POSITIVES} images, unstable."
    return Chart(_ratio_title(known, names, verb), figure, caption)


def _ratio_title(known: pd.DataFrame, names: list[str], verb: str) -> str:
    """The largest ratio whose interval excludes 1, else that there is none."""
    clear = (known["ci_low"] > 1) & ~known["unstable"]
    if not clear.any():
        return f"PIEs {verb.format('nothing')} clearly more often than other images"
    at = int(np.argmax(np.where(clear, known["ratio"], -np.inf)))
    times = words.number(known["ratio"].iloc[at], 1)
    return f"PIEs {verb.format(names[at])} {times} times as often as other images"
