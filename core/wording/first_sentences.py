"""Which classes are forgotten first, in sentences: only of classes for which that is probable, and
with the probability and the interval."""

from __future__ import annotations

import math

import pandas as pd

from core.analysis import first_forgotten
from core.analysis.first_forgotten import CANDIDATE, Drop, FirstDrops, FirstForgotten, Onset
from core.analysis.onset import FIRST  # three: the sentences say so
from core.study.labels import FEW_PATIENTS
from core.wording import words

LOST = "a fifth of Somers\u2019 D"
MOST_NAMED = 6
MOST_CANDIDATES = 4
MOST_LEFT_OUT = 12
LIKELY = words.percent(first_forgotten.LIKELY)
THE_OTHERS = {1: "The third", 2: "The other two"}
NUMBERS = {1: "one class", 2: "two classes", 3: "three classes"}


def headline(found: FirstForgotten) -> str:
    """The answer in a few words. Class names are as given."""
    if found.decided:
        named = [one.class_name for one in found.likely]
        return f"Forgotten first: {words.names(named, MOST_NAMED)}"
    if found.n_judged and found.n_censored == found.n_judged and not found.likely:
        return f"No class loses {LOST} by {words.percent(found.last)} sparsity"
    return "Which classes go first cannot be told"


SOMERS_D = "Somers\u2019 D measures how well a class is ranked; a loss of 100 % is chance level."


def lost(changes: pd.DataFrame, sparsity: float) -> str:
    """What the class that lost most has lost at a sparsity, and a class in the middle, of those
    that are judged. changes: `losses.changes_at`, of Somers\u2019 D."""
    judged = changes[changes["judged"]] if changes["judged"].any() else changes
    judged = judged.dropna(subset="change").sort_values("change", kind="stable")
    at = words.percent(sparsity)
    if judged.empty:
        return f"No class can be compared at {at} sparsity."
    worst, middle = judged.iloc[0], float(judged["change"].median())
    if worst["change"] >= 0:
        return f"At {at} sparsity no class has lost Somers\u2019 D."
    share = words.percent(-worst["change"])
    text = f"At {at} sparsity {worst['class_name']} has lost {share} of its Somers\u2019 D"
    if words.known(worst["lower"]) and words.known(worst["upper"]):
        low, high = words.number(-100 * worst["upper"], 0), words.percent(-worst["lower"])
        text += f" (95 % interval {low} to {high})"
    if len(judged) > 2:
        text += f", the median class {words.percent(max(-middle, 0))}"
    return f"{text}. {SOMERS_D}"


def details(found: FirstForgotten) -> str:
    """How sure it is: probabilities, the sparsity with its interval, and what the grid leaves
    open."""
    return " ".join([_how_sure(found), *_of_gaps(found)]).strip()


def _how_sure(found: FirstForgotten) -> str:
    if not found.n_judged:
        return (
            f"No class can be judged: each has fewer than {FEW_PATIENTS} patients in the test "
            "set, or the dense model does not find it."
        )
    if found.n_judged <= FIRST:
        return f"Only {NUMBERS[found.n_judged]} can be judged, too few for an order."
    if found.decided:
        return _of_likely(found)
    shown = found.candidates[:MOST_CANDIDATES]
    if not shown and found.gaps:
        return ""  # they say why
    if not shown:
        return (
            f"No class is among the first three to lose {LOST} with more than "
            f"{words.percent(CANDIDATE)} probability{_one_run(found)}"
        )
    return f"No class is among the first three with {LIKELY} probability. {_of_each(shown, found)}"


def _of_gaps(found: FirstForgotten) -> list[str]:
    """4 of the 5 judged classes lose a fifth between 0 and 50 %, where nothing was measured, ..."""
    told = []
    for gap in found.gaps:
        who = f"{gap.n_classes} of the {words.count(found.n_judged, 'judged class')}"
        if found.n_judged == 1:
            who = "The only judged class"
        verb = "loses" if gap.n_classes == 1 else "lose"
        text = f"{who} {verb} {LOST} {between(gap.low, gap.high)}, where nothing was measured"
        told.append(f"{text}{', so their order is not known' if gap.n_classes > 1 else ''}.")
    return told


def between(low: float, high: float) -> str:
    """Between 0 and 50 %: the ends of a gap of the grid."""
    return f"between {words.number(low * 100, 0)} and {words.percent(high)}"


def not_judged(found: FirstForgotten) -> str:
    """Which classes are not judged, and why; empty where all are."""
    parts = []
    if found.few_patients:
        few = [f"{name} ({n:,})" for name, n in found.few_patients]
        parts.append(
            f"Not judged, with fewer than {FEW_PATIENTS} patients in the test set: "
            f"{words.names(few, MOST_LEFT_OUT)}."
        )
    if found.not_found:
        names = [name for name, _ in found.not_found]
        parts.append(
            "Not judged, because the dense model does not find them: "
            f"{words.names(names, MOST_LEFT_OUT)}."
        )
    return " ".join(parts)


def so_far(n_runs: int, n_wanted: int) -> str:
    """In place of a headline while the study is not finished."""
    return f"So far, {n_runs} of {words.count(n_wanted, 'run')}"


def first_so_far(found: FirstDrops) -> str:
    """What the runs that are finished show, without a claim: the order may change."""
    later = (
        "More runs can change the order; the classes forgotten first are named when all are "
        "finished."
    )
    if not found.first:
        return later
    return f"First to lose {LOST} in these: {_ranked(found.first)}. {later}"


def first_drops(found: FirstDrops, metric: str, corrected: bool) -> str:
    """The first drops that were observed, by the paper or in a subgroup: they say nothing of how
    sure the order is."""
    label = words.METRICS[metric]
    where = "in this subgroup" if corrected else "by the paper"
    if not found.n_classes:
        return f"First drops of {label}, {where}: no class has {FEW_PATIENTS} patients."
    if not found.first:
        return f"First drops of {label}, {where}: no class falls 20 % below dense on this grid."
    point = "a fifth is gone" if corrected else "the first grid point more than 20 % below dense"
    text = f"First drops of {label}, {where}: {_ranked(found.first)} \u2013 {point}."
    notes = []
    if found.n_never:
        notes.append(f"{words.count(found.n_never, 'class')} did not fall by a fifth on this grid")
    if found.n_left_out:
        notes.append(
            f"{words.count(found.n_left_out, 'class')} of fewer than {FEW_PATIENTS} patients "
            "left out"
        )
    notes.append("observed, without a probability")
    said = "; ".join(notes)
    return f"{text} {said[0].upper()}{said[1:]}."


def _of_likely(found: FirstForgotten) -> str:
    likely = found.likely[:MOST_NAMED]
    text = _of_each(likely, found)
    if len(likely) == FIRST:
        return text
    text += f" {THE_OTHERS[FIRST - len(likely)]} cannot be told"
    if not found.candidates:
        return f"{text}."
    next_one = found.candidates[0]
    return f"{text}; next is {next_one.class_name}, with {_chance(next_one)}."


def _of_each(shown: tuple[Onset, ...], found: FirstForgotten) -> str:
    """Mass is among the first three with 97 % probability, Hernia with 92 %. A fifth of their
    Somers' D is gone at 60 % sparsity (95 % interval 50 to 72 %) and 70 % (55 to 80 %)."""
    first, *others = shown
    chances = [
        f"{first.class_name} is among the first three with {_chance(first)} probability",
        *(f"{one.class_name} with {_chance(one)}" for one in others),
    ]
    points = [_point(one, found.last) for one in shown]
    if any(math.isnan(one.onset) for one in shown):  # "by 50 %" stands among them
        points = [point if point[0].isalpha() else f"at {point}" for point in points]
    else:
        points[0] = f"at {points[0]}"
    at = [
        f"{point}{' sparsity' if one is first else ''} "
        f"({'95 % interval ' if one is first else ''}{_range(one, found.last)})"
        for one, point in zip(shown, points, strict=True)
    ]
    whose = "their" if others else "its"
    return (
        f"{words.names(chances, MOST_NAMED)}. A fifth of {whose} Somers\u2019 D is gone "
        f"{words.names(at, MOST_NAMED)}{_one_run(found)}"
    )


def _one_run(found: FirstForgotten) -> str:
    """The end of a sentence about draws of runs and patients."""
    return ". One run: nothing is known of other trainings." if found.n_runs < 2 else "."


def _chance(one: Onset) -> str:
    """Never 100 % of what is only nearly certain."""
    nearly = one.among_first < 1
    return words.percent(min(one.among_first, 0.99) if nearly else 1)


def _point(one: Onset, last: float) -> str:
    if one.censored or math.isnan(one.onset):
        beyond = one.censored or math.isnan(one.by)
        return f"later than {words.percent(last)}" if beyond else f"by {words.percent(one.by)}"
    return words.percent(one.onset)


def _range(one: Onset, last: float) -> str:
    """56 to 92 %; what lies beyond the grid is no number."""
    if math.isnan(one.low) and math.isnan(one.high):
        return "not known"
    if math.isnan(one.low) or one.low > last:
        return f"later than {words.percent(last)}"
    if math.isnan(one.high) or one.high > last:
        return f"{words.percent(one.low)} or later than {words.percent(last)}"
    return f"{words.number(one.low * 100, 0)} to {words.percent(one.high)}"


def _ranked(first: tuple[Drop, ...]) -> str:
    """Edema (64 %), Fibrosis (68 %) and Mass (73 %); ties as Mass and Nodule (both 73 %). In a wide
    gap of the grid: Edema (by 50 %)."""
    by_sparsity: dict[tuple[int, bool], list[str]] = {}
    for one in first:
        by_sparsity.setdefault((one.percent, one.in_gap), []).append(one.class_name)
    every = {1: "", 2: "both "}
    parts = [
        f"{words.names(tied, MOST_NAMED)} ({every.get(len(tied), 'all ')}{'by ' * in_gap}{at} %)"
        for (at, in_gap), tied in by_sparsity.items()
    ]
    if len(list(by_sparsity.values())[-1]) > 1 or len(parts) == 1:  # these have their own "and"
        return ", ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
