"""Frames in, Plotly figures out. Every chart says in words what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core import words
from core.chart_parts import (
    DASHES,
    GROUP_COLOURS,
    MOST_HIGHLIGHTED,
    ROW_HEIGHT,
    RULE,
    SYMBOLS,
    add_band,
    add_curve,
    add_floor,
    add_grey_curves,
    class_axis,
    empty_figure,
    escape,
    escaped,
    label_ends,
    outline,
    over_runs,
    percents,
    short,
    sparsity_axis,
)
from core.labels import FEW_POSITIVES, GROUPS


@dataclass(frozen=True)
class Chart:
    """A figure with its finding as title, and with n and interval as caption."""

    title: str
    figure: go.Figure
    caption: str


def mean_ap_chart(band: pd.DataFrame, n_classes: int, n_undefined: int, n_images: int) -> Chart:
    """mAP over sparsity. band: sparsity, median, lower, upper, n_runs."""
    figure = empty_figure(360)
    x = percents(band["sparsity"])
    add_band(figure, x, band["lower"], band["upper"], GROUP_COLOURS["head"])
    figure.add_scatter(
        x=x,
        y=band["median"],
        mode="lines+markers",
        line={"color": GROUP_COLOURS["head"], "width": 3},
        customdata=np.column_stack([band["lower"], band["upper"], band["n_runs"]]),
        hovertemplate=(
            "sparsity %{x} %<br>mAP %{y:.3f}<br>quartiles %{customdata[0]:.3f} to "
            "%{customdata[1]:.3f}<br>runs %{customdata[2]}<extra></extra>"
        ),
        showlegend=False,
    )
    sparsity_axis(figure)
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
    return Chart(title, figure, caption + over_runs(band))


def frequency_chart(frequencies: pd.DataFrame, tail_below: float, n_train: int) -> Chart:
    """Train frequency of every class, a long tail on a log axis."""
    figure = empty_figure(max(260, ROW_HEIGHT * len(frequencies) + 70))
    positions = np.arange(len(frequencies))
    shown = frequencies["train_frequency"].where(frequencies["train_frequency"] > 0)
    figure.add_bar(
        x=shown * 100,
        y=positions,
        orientation="h",
        marker_color=frequencies["group"].map(GROUP_COLOURS),
        text=[words.frequency(f) for f in frequencies["train_frequency"]],
        textposition="outside",
        cliponaxis=False,
        customdata=np.column_stack(
            [
                escaped(frequencies["class_name"]),
                frequencies["group"],
                frequencies["train_positives"],
                frequencies["test_positives"],
            ]
        ),
        hovertemplate=(
            "%{customdata[0]}<br>%{customdata[1]}: %{text}<br>positives: %{customdata[2]} in "
            "training, %{customdata[3]} in test<extra></extra>"
        ),
    )
    # A log axis has no place for 0: such a class is told by its name.
    absent = frequencies["train_frequency"] == 0
    class_axis(figure, frequencies["class_name"].where(~absent, frequencies["class_name"] + ": 0"))
    # Half a decade of room right of the longest bar for its number.
    low = np.log10(shown.min() * 100) if shown.notna().any() else -1
    high = np.log10(shown.max() * 100) if shown.notna().any() else 2
    figure.update_xaxes(
        title="Share of train images (%, log)",
        type="log",
        range=[np.floor(low - 0.15), high + 0.35],
        dtick=1,
    )
    n_tail = int((frequencies["group"] == "tail").sum())
    title = (
        f"{n_tail} of {words.count(len(frequencies), 'class')} "
        f"{'is' if n_tail == 1 else 'are'} tail: in fewer than "
        f"{words.frequency(tail_below)} of train images"
    )
    return Chart(title, figure, f"n = {n_train:,} train images.")


def class_curves_chart(
    curves: pd.DataFrame,
    losses: pd.DataFrame,
    highlighted: list[str],
    chance: pd.Series,
    metric: str,
    relative: bool,
    sparsity: float | None,
) -> Chart:
    """Every class over sparsity: highlighted ones named, the others grey behind them.

    curves: class_name, sparsity, median, lower, upper, n_runs; losses: one row per class.
    """
    highlighted = highlighted[:MOST_HIGHLIGHTED]
    facts = losses.set_index("class_name")
    scale = 100 if relative else 1
    figure = empty_figure(460)
    figure.update_layout(margin_r=150)
    add_grey_curves(figure, curves[~curves["class_name"].isin(highlighted)], scale)
    ends = []
    for index, name in enumerate(highlighted):
        curve = curves[(curves["class_name"] == name)]
        colour = GROUP_COLOURS[facts["group"].get(name, "medium")]
        x = percents(curve["sparsity"])
        add_band(figure, x, curve["lower"] * scale, curve["upper"] * scale, colour)
        symbol = SYMBOLS[index % len(SYMBOLS)]
        add_curve(figure, name, curve, colour, scale, 3, symbol, DASHES[index % len(DASHES)])
        floor = facts["chance_change"].get(name) if relative else chance.get(name)
        if floor is not None and np.isfinite(floor):
            add_floor(figure, x, floor * scale, colour, name)
        known = curve["median"].dropna()
        if len(known):
            ends.append((name, float(known.iloc[-1]) * scale))
    label_ends(figure, ends, float(curves["sparsity"].max() * 100))
    sparsity_axis(figure)
    label = words.METRICS[metric]
    if relative:
        figure.update_yaxes(title=f"Change of {label} against dense (%)", ticksuffix=" %")
    else:
        figure.update_yaxes(title=label, rangemode="tozero")
    title = _curves_title(highlighted, facts, metric, sparsity)
    caption = (
        f"{words.count(curves['class_name'].nunique(), 'class')}; dotted: chance level of the "
        f"named classes. {over_runs(curves)}"
    )
    return Chart(title, figure, caption)


def losses_chart(losses: pd.DataFrame, metric: str, sparsity: float, n_images: int) -> Chart:
    """What each class has lost at one sparsity, the most lost first."""
    known = losses[losses["relative_change"].notna()]
    figure = empty_figure(max(260, ROW_HEIGHT * len(known) + 80))
    positions = np.arange(len(known))
    change = known["relative_change"] * 100
    figure.add_bar(
        x=change,
        y=positions,
        orientation="h",
        marker={
            "color": known["group"].map(GROUP_COLOURS),
            # Unstable bars are hatched: their length is mostly luck.
            "pattern": {
                "shape": np.where(known["unstable"], "/", ""),
                "solidity": 0.4,
                "fgcolor": "#ffffff",
            },
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": known["upper"] * 100 - change,
            "arrayminus": change - known["lower"] * 100,
            "color": RULE,
            "thickness": 1.5,
            "width": 3,
        },
        customdata=np.column_stack(
            [
                escaped(known["class_name"]),
                known["dense"].map(lambda v: words.number(v, 3)),
                known["pruned"].map(lambda v: words.number(v, 3)),
                known["n_positive"],
                known["group"],
            ]
        ),
        hovertemplate=(
            "%{customdata[0]} (%{customdata[4]})<br>%{x:.0f} %<br>%{customdata[1]} to "
            "%{customdata[2]}<br>positives: %{customdata[3]}<extra></extra>"
        ),
    )
    figure.add_scatter(
        x=known["chance_change"] * 100,
        y=positions,
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": RULE}},
        hovertemplate="down to chance at %{x:.0f} %<extra></extra>",
    )
    names = [
        f"{short(name)} *" if unstable else short(name)
        for name, unstable in zip(known["class_name"], known["unstable"], strict=True)
    ]
    class_axis(figure, names)
    label = words.METRICS[metric]
    figure.update_xaxes(
        title=f"Change of {label} against dense (%)", ticksuffix=" %", zeroline=True
    )
    if len(known):
        title = f"{_groups_title(known, metric)} at {words.percent(sparsity)} sparsity"
    else:
        title = f"No class has both a dense and a pruned {label} at {words.percent(sparsity)}"
    caption = (
        f"{words.count(len(known), 'class')}, {n_images:,} test images. "
        f"{over_runs(known, 'whiskers')} Upright tick: where the class is down to chance."
    )
    if known["unstable"].any():
        caption += f" * and hatched: fewer than {FEW_POSITIVES} positives, unstable."
    return Chart(title, figure, caption)


def fcd_heatmap(
    fcd: pd.DataFrame, order: list[str], chosen: tuple[str, str] | None, n_runs: int, n_grid: int
) -> Chart:
    """Class by class FCD. The squares that take clicks carry both class names as customdata."""
    values = fcd.loc[order, order].to_numpy(float)
    off_diagonal = np.where(np.eye(len(order), dtype=bool), np.nan, values)
    figure = empty_figure(max(440, 25 * len(order) + 170))
    figure.add_heatmap(
        z=off_diagonal,
        colorscale="Cividis",
        colorbar={
            "title": {"text": "FCD", "side": "right"},
            "orientation": "h",
            "thickness": 10,
            "y": 1,
            "yanchor": "bottom",
        },
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    # Clicks on a heatmap do not reach Streamlit; those on a scatter do.
    pairs = [
        (column, row)
        for row in range(len(order))
        for column in range(len(order))
        if row != column and np.isfinite(values[row, column])
    ]
    figure.add_scatter(
        x=[column for column, _ in pairs],
        y=[row for _, row in pairs],
        mode="markers",
        marker={"symbol": "square", "size": 22, "opacity": 0, "color": "#000000"},
        customdata=[[order[row], order[column]] for column, row in pairs],
        text=[
            f"{escape(order[row])} and {escape(order[column])}: {values[row, column]:.2f}"
            for column, row in pairs
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    if chosen and all(name in order for name in chosen):
        outline(figure, [order.index(name) for name in chosen])
    ticks = [escape(short(name, 18)) for name in order]
    class_axis(figure, order)
    figure.update_yaxes(ticktext=ticks)
    figure.update_xaxes(
        tickvals=list(range(len(order))),
        ticktext=ticks,
        tickangle=-50,
        showgrid=False,
        range=[-0.5, len(order) - 0.5],
        automargin=True,
    )
    figure.update_layout(clickmode="event+select", hoverdistance=60, dragmode=False)
    title = _heatmap_title(off_diagonal, order)
    caption = (
        f"FCD: Euclidean distance of two median curves over {words.count(n_grid, 'sparsity')} "
        f"above 0, {words.count(n_runs, 'run')}. "
        "0: forgotten alike. Click a square to see its two curves."
    )
    return Chart(title, figure, caption)


def pair_curves_chart(
    curves: pd.DataFrame, groups: dict[str, str], pair: tuple[str, str], fcd: float, metric: str
) -> Chart:
    """Two forgettability curves with their quartiles over runs."""
    figure = empty_figure(400)
    figure.update_layout(margin_r=150)
    ends = []
    for index, name in enumerate(pair):
        curve = curves[curves["class_name"] == name].rename(
            columns={"relative_ap_change": "median"}
        )
        colour = GROUP_COLOURS[groups[name]]
        x = percents(curve["sparsity"])
        add_band(figure, x, curve["lower"] * 100, curve["upper"] * 100, colour)
        add_curve(figure, name, curve, colour, 100, 3, SYMBOLS[index], DASHES[index])
        known = curve["median"].dropna()
        if len(known):
            ends.append((name, float(known.iloc[-1]) * 100))
    label_ends(figure, ends, float(curves["sparsity"].max() * 100))
    sparsity_axis(figure)
    label = words.METRICS[metric]
    figure.update_yaxes(title=f"Change of {label} against dense (%)", ticksuffix=" %")
    title = f"{pair[0]} and {pair[1]}: FCD {words.number(fcd)}"
    return Chart(title, figure, over_runs(curves))


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


def _curves_title(
    highlighted: list[str], facts: pd.DataFrame, metric: str, sparsity: float | None
) -> str:
    known = [name for name in highlighted if name in facts.index]
    if not known or sparsity is None:
        return f"{words.METRICS[metric]} of every class"
    worst = min(known, key=lambda name: facts["relative_change"].fillna(np.inf)[name])
    loss = words.loss(facts["relative_change"][worst], metric)
    return f"{worst} {loss} by {words.percent(sparsity)} sparsity"


def _groups_title(known: pd.DataFrame, metric: str) -> str:
    """Tail classes against head classes by their medians; one class where there is one group."""
    medians = known.groupby("group")["relative_change"].median()
    ends = [group for group in reversed(GROUPS) if group in medians.index]
    if len(ends) == 1:
        worst = known.sort_values("unstable", kind="stable").iloc[0]
        return f"{worst['class_name']} {words.loss(worst['relative_change'], metric)}"
    rare, frequent = ends[0], ends[-1]
    alike = (medians[rare] < 0) == (medians[frequent] < 0)
    other = (
        words.percent(abs(medians[frequent])) if alike else words.loss(medians[frequent], metric)
    )
    return (
        f"A {rare} class {words.loss(medians[rare], metric)}, a {frequent} class {other} (medians)"
    )


def _heatmap_title(off_diagonal: np.ndarray, order: list[str]) -> str:
    if not np.isfinite(off_diagonal).any():
        return "No two classes have complete curves to compare"
    row, column = np.unravel_index(np.nanargmax(off_diagonal), off_diagonal.shape)
    return f"{order[row]} and {order[column]} are forgotten most differently"
