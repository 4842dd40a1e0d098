"""One row per class: its frequency, and what it has lost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.charts import parts
from core.study.labels import GROUPS, known_split
from core.wording import words

RUNS_FOR_A_RANGE = 6  # of fewer runs a range is no estimate of the spread


def frequency_chart(frequencies: pd.DataFrame, tail_below: float, n_images: int) -> parts.Chart:
    """Frequency of every class, a long tail on a log axis; n_images: of `known_split`."""
    split = known_split(frequencies)
    frequency = frequencies[f"{split}_frequency"]
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(frequencies) + 70))
    positions = np.arange(len(frequencies))
    shown = frequency.where(frequency > 0)
    figure.add_bar(
        x=shown * 100,
        y=positions,
        orientation="h",
        marker_color=frequencies["group"].map(parts.GROUP_COLOURS),
        text=[words.frequency(f) for f in frequency],
        textposition="outside",
        cliponaxis=False,
        **parts.hover(
            "{name}<br>{group}: %{text}<br>positives: {train} in training, {test} in test",
            name=parts.escaped(frequencies["class_name"]),
            group=frequencies["group"],
            train=frequencies["train_positives"],
            test=frequencies["test_positives"],
        ),
    )
    # A log axis has no place for 0: such a class is told by its name.
    absent = frequency == 0
    parts.class_axis(
        figure, frequencies["class_name"].where(~absent, frequencies["class_name"] + ": 0")
    )
    # Half a decade of room right of the longest bar for its number.
    low = np.log10(shown.min() * 100) if shown.notna().any() else -1
    high = np.log10(shown.max() * 100) if shown.notna().any() else 2
    figure.update_xaxes(
        title=f"Share of {split} images (%, log)",
        type="log",
        range=[np.floor(low - 0.15), high + 0.35],
        dtick=1,
    )
    n_tail = int((frequencies["group"] == "tail").sum())
    title = (
        f"{n_tail} of {words.count(len(frequencies), 'class')} "
        f"{'is' if n_tail == 1 else 'are'} tail: in fewer than "
        f"{words.frequency(tail_below)} of {split} images"
    )
    return parts.Chart(title, figure, f"n = {n_images:,} {split} images.")


def changes_chart(
    changes: pd.DataFrame, metric: str, sparsity: float, n_images: int
) -> parts.Chart:
    """The change of every class at one sparsity with its interval, the most lost first.

    changes: `losses.changes_at`. Dot: mean; line: the interval; bar: lowest to highest run; classes
    that are not judged are hollow and starred, and do not set the scale.
    """
    known = changes[changes["change"].notna()].sort_values("change", kind="stable")
    known = pd.concat([known[known["judged"]], known[~known["judged"]]])
    figure = parts.empty_figure(max(240, 20 * len(known) + 70))  # all of it above the fold
    positions = np.arange(len(known))
    colours = known["group"].map(parts.GROUP_COLOURS)
    if known["n_runs"].max() > 1:
        figure.add_bar(
            x=(known["highest"] - known["lowest"]) * 100, base=known["lowest"] * 100, y=positions,
            orientation="h", width=0.34, marker={"color": colours, "opacity": 0.35},
            hoverinfo="skip",
        )  # fmt: skip
    change = known["change"] * 100
    figure.add_scatter(
        x=change,
        y=positions,
        mode="markers",
        marker={
            "size": 9,
            "color": colours,
            "symbol": ["circle" if judged else "circle-open" for judged in known["judged"]],
            "line": {"width": 2, "color": colours},
        },
        error_x=parts.whiskers(known["lower"] * 100, known["upper"] * 100, change),
        **parts.hover(
            "{name} ({group})<br>%{x:.0f} %<br>95 % interval {interval}<br>{n} patients",
            name=parts.escaped(known["class_name"]),
            group=known["group"],
            interval=[
                f"{words.signed(low)} to {words.signed(high)}" if low == low else "not known"
                for low, high in zip(known["lower"], known["upper"], strict=True)
            ],
            n=known["n_positive_patients"],
        ),
    )
    parts.class_axis(figure, parts.starred(known["class_name"], ~known["judged"]))
    parts.change_axis(figure, metric, range=_scale(known))
    label, at = words.METRICS[metric], words.percent(sparsity)
    if not len(known):
        return parts.Chart(f"No class has both a dense and a pruned {label} at {at}", figure, "")
    caption = f"{n_images:,} test images. {parts.over_runs(known, 'line')}"
    if (runs := int(known["n_runs"].max())) > 1:
        spread = "lowest to highest" if runs < RUNS_FOR_A_RANGE else "range"
        caption += f" Bar: {spread} of the runs."
    if metric == "somers_d":
        caption += " Somers\u2019 D is 2 AUROC \u2212 1: 0 by chance, 1 without an error."
    if not known["judged"].all():
        caption += " * and hollow: not judged."
    return parts.Chart(f"{_range_title(known, metric)} at {at} sparsity", figure, caption)


def _scale(known: pd.DataFrame) -> list[float]:
    """From the lowest to the highest that a judged class reaches, and every dot, with 0."""
    judged = known[known["judged"]] if known["judged"].any() else known
    ends = [judged["lower"], judged["upper"], judged["lowest"], judged["highest"], known["change"]]
    values = pd.concat(ends).dropna() * 100
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    room = 0.03 * max(high - low, 1.0)
    return [low - room, high + room]


def losses_chart(losses: pd.DataFrame, metric: str, sparsity: float, n_images: int) -> parts.Chart:
    """What each class has lost at one sparsity, the most lost first."""
    at = words.percent(sparsity)
    known = losses[losses["relative_change"].notna()]
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(known) + 80))
    positions = np.arange(len(known))
    change = known["relative_change"] * 100
    figure.add_bar(
        x=change,
        y=positions,
        orientation="h",
        marker={
            "color": known["group"].map(parts.GROUP_COLOURS),
            # Unstable bars are hatched: their length is mostly luck.
            "pattern": {
                "shape": np.where(known["unstable"], "/", ""),
                "solidity": 0.4,
                "fgcolor": "#ffffff",
            },
        },
        error_x=parts.whiskers(known["lower"] * 100, known["upper"] * 100, change),
        **parts.hover(
            "{name} ({group})<br>%{x:.0f} %<br>{dense} to {pruned}<br>{n} images of {n_patients} "
            "patients have it",
            name=parts.escaped(known["class_name"]),
            dense=known["dense"].map(lambda v: words.number(v, 3)),
            pruned=known["pruned"].map(lambda v: words.number(v, 3)),
            n=known["n_positive"],
            group=known["group"],
            n_patients=known["n_positive_patients"],
        ),
    )
    figure.add_scatter(
        x=known["chance_change"] * 100,
        y=positions,
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": parts.RULE}},
        hovertemplate="down to chance at %{x:.0f} %<extra></extra>",
    )
    parts.class_axis(figure, parts.starred(known["class_name"], known["unstable"]))
    parts.change_axis(figure, metric)
    title = f"No class has both a dense and a pruned {words.METRICS[metric]} at {at}"
    if len(known):
        said = _range_title if "interval_over" in known else _groups_title
        title = f"{said(known, metric)} at {at} sparsity"
    caption = (
        f"{words.count(len(known), 'class')}, {n_images:,} test images. "
        f"{parts.over_runs(known, 'whiskers')} Upright tick: what a random order is "
        "expected to reach with as many test positives."
    )
    if known["unstable"].any():
        caption += f" * and hatched: {words.FEW}, unstable."
    return parts.Chart(title, figure, caption)


def _range_title(known: pd.DataFrame, metric: str) -> str:
    """Which judged class loses most and which least; nothing is said of groups, whose comparison
    needs a test."""
    column = "change" if "change" in known else "relative_change"
    kept = known["judged"] if "judged" in known else ~known["unstable"]
    known = (known[kept] if kept.any() else known).dropna(subset=column)
    worst, best = (known.loc[at()] for at in (known[column].idxmin, known[column].idxmax))
    if len(known) == 1:
        return f"{worst['class_name']} {words.loss(worst[column], metric)}"
    most, least = (words.signed(row[column], 0) for row in (worst, best))
    return (
        f"{words.METRICS[metric]} changes by {most} ({worst['class_name']}) to {least} "
        f"({best['class_name']})"
    )


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
