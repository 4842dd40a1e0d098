"""One bar per class: its frequency, and what it has lost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.charts.parts import (
    GROUP_COLOURS,
    ROW_HEIGHT,
    RULE,
    Chart,
    class_axis,
    empty_figure,
    escaped,
    over_runs,
    short,
)
from core.labels import GROUPS
from core.wording import words


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


def losses_chart(
    losses: pd.DataFrame,
    metric: str,
    sparsity: float,
    n_images: int,
    interval: str = "quartiles",
) -> Chart:
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
                known["n_positive_patients"],
            ]
        ),
        hovertemplate=(
            "%{customdata[0]} (%{customdata[4]})<br>%{x:.0f} %<br>%{customdata[1]} to "
            "%{customdata[2]}<br>%{customdata[3]} images of %{customdata[5]} patients have it"
            "<extra></extra>"
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
        f"{short(name, 26)} *" if unstable else short(name)
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
        f"{over_runs(known, 'whiskers', interval)} Upright tick: where the class is down to chance."
    )
    if known["unstable"].any():
        caption += f" * and hatched: {words.FEW}, unstable."
    return Chart(title, figure, caption)


def _groups_title(known: pd.DataFrame, metric: str) -> str:
    """Tail classes against head classes by their medians; one class where there is one group.
    Classes of too few patients are not judged where there are others."""
    known = known[~known["unstable"]] if not known["unstable"].all() else known
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
