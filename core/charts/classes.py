"""One row per class: its frequency, and what it has lost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.charts import parts
from core.charts.whiskers import add_arrows, intervals, reach, whiskers
from core.study.labels import GROUPS, known_split, training_known
from core.wording import words

RUNS_FOR_A_RANGE = 6  # of fewer runs a range is no estimate of the spread


def frequency_chart(
    frequencies: pd.DataFrame, tail_below: float, n_images: int | None
) -> parts.Chart:
    """Frequency of every class, a long tail on a log axis; n_images: of `known_split`, None where
    frequencies were given without it."""
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
            train=frequencies["train_positives"].astype(object).fillna(words.UNKNOWN),
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
    parts.share_axis(figure, f"Share of {split} images (log scale)", low - 0.4, high + 0.35)
    n_tail = int((frequencies["group"] == "tail").sum())
    caption = f"n = {n_images:,} {split} images." if n_images else "As given by the model's owner."
    if not training_known(frequencies):
        return parts.Chart(
            f"How frequent the {words.count(len(frequencies), 'class')} were in training is not "
            "known: their shares of the test images",
            figure,
            caption,
        )
    title = (
        f"{n_tail} of {words.count(len(frequencies), 'class')} "
        f"{'is' if n_tail == 1 else 'are'} tail: in fewer than "
        f"{words.frequency(tail_below)} of {split} images"
    )
    return parts.Chart(title, figure, caption)


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
    change, lower, upper = (known[name] * 100 for name in ("change", "lower", "upper"))
    within = _scale(known)
    said, named = intervals(known["class_name"], known["lower"], known["upper"])
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
        error_x=whiskers(lower, upper, change, within),
        **parts.hover(
            "{name} ({group})<br>{change}<br>95 % interval {interval}<br>{n} patients",
            name=parts.escaped(known["class_name"]),
            group=known["group"],
            change=known["change"].map(words.signed),
            interval=said,
            n=known["n_positive_patients"],
        ),
    )
    arrows = add_arrows(figure, lower, upper, within, named)
    parts.class_axis(figure, parts.starred(known["class_name"], ~known["judged"]))
    parts.change_axis(figure, metric, range=within)
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
    title = f"{_range_title(known, metric)} at {at} sparsity"
    return parts.Chart(title, figure, caption + arrows)


def _scale(known: pd.DataFrame) -> tuple[float, float]:
    """Every dot, with 0, and the intervals and runs of judged classes as far as whiskers go."""
    judged = known[known["judged"]] if known["judged"].any() else known
    low, high = (pd.concat([judged[a], judged[b]]) * 100
                 for a, b in (("lower", "lowest"), ("upper", "highest")))  # fmt: skip
    return reach(known["change"] * 100, low, high, always=(0.0,))


def losses_chart(losses: pd.DataFrame, metric: str, sparsity: float, n_images: int) -> parts.Chart:
    """What each class has lost at one sparsity, the most lost first."""
    at = words.percent(sparsity)
    known = losses[losses["relative_change"].notna()]
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(known) + 80))
    positions = np.arange(len(known))
    change, lower, upper = (known[name] * 100 for name in ("relative_change", "lower", "upper"))
    stable = known[~known["unstable"]] if not known["unstable"].all() else known
    within = reach(
        [*change, *known["chance_change"] * 100],
        stable["lower"] * 100,
        stable["upper"] * 100,
        always=(0.0,),
    )
    said, named = intervals(known["class_name"], known["lower"], known["upper"])
    what = "95 % interval" if "interval_over" in known else "quartiles"
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
        error_x=whiskers(lower, upper, change, within),
        **parts.hover(
            "{name} ({group})<br>{change}, " + what + " {interval}<br>{dense} to {pruned}<br>"
            "{n} images of {n_patients} patients have it",
            name=parts.escaped(known["class_name"]),
            dense=known["dense"].map(lambda v: words.number(v, 3)),
            pruned=known["pruned"].map(lambda v: words.number(v, 3)),
            n=known["n_positive"],
            group=known["group"],
            change=known["relative_change"].map(words.signed),
            interval=said,
            n_patients=known["n_positive_patients"],
        ),
    )
    figure.add_scatter(
        x=known["chance_change"] * 100,
        y=positions,
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": parts.RULE}},
        text=parts.escaped(known["class_name"]),
        hovertemplate="%{text}<br>down to chance at %{x}<extra></extra>",
    )
    arrows = add_arrows(figure, lower, upper, within, named)
    parts.class_axis(figure, parts.starred(known["class_name"], known["unstable"]))
    parts.change_axis(figure, metric, range=within)
    title = f"No class has both a dense and a pruned {words.METRICS[metric]} at {at}"
    if len(known):
        told = _range_title if "interval_over" in known else _groups_title
        title = f"{told(known, metric)} at {at} sparsity"
    caption = (
        f"{words.count(len(known), 'class')}, {n_images:,} test images. "
        f"{parts.over_runs(known, 'whiskers')} Upright tick: what a random order is "
        "expected to reach with as many test positives."
    )
    if known["unstable"].any():
        caption += f" * and hatched: {words.FEW}, unstable."
    return parts.Chart(title, figure, caption + arrows)


def values_chart(losses: pd.DataFrame, metric: str, sparsity: float, n_images: int) -> parts.Chart:
    """The same as measured: what each class has when dense and when pruned, medians over runs, the
    most lost first. losses: LOSSES."""
    at, label = words.percent(sparsity), words.METRICS[metric]
    known = losses[losses["relative_change"].notna()]
    figure = parts.empty_figure(max(260, parts.ROW_HEIGHT * len(known) + 110))
    rows, colours = np.arange(len(known)), known["group"].map(parts.GROUP_COLOURS)
    figure.add_scatter(
        x=np.column_stack([known["dense"], known["pruned"], np.full(len(known), np.nan)]).ravel(),
        y=np.repeat(rows, 3), mode="lines", line={"color": parts.GREY, "width": 3},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    for name, symbol in (("dense", "circle-open"), ("pruned", "circle")):
        figure.add_scatter(
            x=known[name],
            y=rows,
            mode="markers",
            marker={"size": 9, "color": colours, "symbol": symbol, "line": {"width": 2}},
            **parts.hover(
                f"{{name}} ({{group}})<br>{name}: {{value}}<br>{{n}} patients have it",
                name=parts.escaped(known["class_name"]),
                group=known["group"],
                value=known[name].map(lambda v: words.number(v, 3)),
                n=known["n_positive_patients"],
            ),
        )
    figure.add_scatter(
        x=(1 + known["chance_change"]) * known["dense"],
        y=rows,
        mode="markers",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": parts.RULE}},
        text=parts.escaped(known["class_name"]),
        hovertemplate="%{text}<br>by chance %{x}<extra></extra>",
    )
    parts.class_axis(figure, parts.starred(known["class_name"], known["unstable"]))
    figure.update_xaxes(title=label, rangemode="tozero", hoverformat=".2f")
    if not len(known):
        return parts.Chart(f"No class has both a dense and a pruned {label} at {at}", figure, "")
    worst = known.sort_values("unstable", kind="stable").iloc[0]
    dense, pruned = (words.number(worst[name]) for name in ("dense", "pruned"))
    title = f"{worst['class_name']} goes from {label} {dense} to {pruned} at {at} sparsity"
    caption = (
        f"{words.count(len(known), 'class')}, {n_images:,} test images. Hollow: dense, filled: "
        f"pruned, {'one run' if known['n_runs'].max() < 2 else 'medians over runs'}. Upright "
        "tick: what a random order is expected to reach with as many test positives."
    )
    if known["unstable"].any():
        caption += f" *: {words.FEW}, unstable."
    return parts.Chart(title, figure, caption)


def _range_title(known: pd.DataFrame, metric: str) -> str:
    """Which judged class loses most and which least, if the interval of the first says that it
    loses at all; nothing is said of groups, whose comparison needs a test."""
    column = "change" if "change" in known else "relative_change"
    kept = known["judged"] if "judged" in known else ~known["unstable"]
    known = (known[kept] if kept.any() else known).dropna(subset=column)
    worst, best = (known.loc[at()] for at in (known[column].idxmin, known[column].idxmax))
    if not worst["upper"] < 0:
        return f"No class that is judged has clearly lost {words.METRICS[metric]}"
    first = f"{worst['class_name']} {words.loss(worst[column], metric)}"
    if len(known) == 1:
        return first
    gains = "gains " if best[column] > 0 else ""
    return f"{first}, {best['class_name']} {gains}{words.percent(abs(best[column]))}"


def _groups_title(known: pd.DataFrame, metric: str) -> str:
    """Tail classes against head classes by their medians; one class where there is one group.
    Classes of too few patients are not judged where there are others."""
    known = known[~known["unstable"]] if not known["unstable"].all() else known
    medians = known.groupby("group")["relative_change"].median()
    ends = [group for group in reversed(GROUPS) if group in medians.index]
    if len(ends) < 2:
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
