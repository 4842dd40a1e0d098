"""Findings in plain sentences, each with its n and how far the evidence carries it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis.first_forgotten import SIGNIFICANT, Dropped, FirstForgotten
from core.labels import FEW_PATIENTS
from core.wording import claims, words
from core.wording.published import Figures

Row = Mapping[str, Any]
DROP = 0.20  # the loss that makes a first drop
MOST_TOLD = 6  # classes told of one by one
MOST_LEFT_OUT = 12
FEW_RUNS = 5
ENOUGH_RUNS = 10  # from which an interval of a median keeps what it promises
READINGS = {
    "Class AP": {
        True: (
            "Corrected: first drops are read between grid points, classes that never drop count as "
            "later than all others, bands are 95 % intervals over runs, and p-values come from "
            "permuting classes. The paper takes the first grid point and leaves those classes out."
        ),
        False: (
            "Paper: the first grid point more than 20 % below dense, classes that never drop left "
            "out, bands of quartiles, and p-values that take every class as an independent draw. "
            "Corrected reads between grid points and keeps those classes."
        ),
    },
}


def forgotten_first(
    found: FirstForgotten, metric: str, corrected: bool, of_subgroup: bool = False
) -> str:
    """Which classes are forgotten first. "Forgotten first" is of AP on all test images, read
    between grid points; of another metric, of a subgroup, or by the paper's grid points, it is a
    first drop. Names are as given."""
    label = words.METRICS[metric]
    if not found.n_judged:
        return (
            f"No class has the {FEW_PATIENTS} patients in the test set that it takes to say what "
            "goes first."
        )
    if not found.first:
        return f"No class with enough patients falls 20 % below its dense {label} on this grid."
    if corrected:
        opening = f"First drops of {label}"
        if metric == "ap":
            opening = f"{opening} in this subgroup" if of_subgroup else "Forgotten first"
        meaning = f"the sparsity at which a fifth of {label} is gone"
    else:
        opening = f"First drops of {label}, by the paper"
        meaning = f"the first grid point at which more than a fifth of {label} is gone"
    return f"{opening}: {_ranked(found.first)} \u2013 {meaning}."


def another_first(metric: str, corrected: bool, of_subgroup: bool = False) -> str:
    """How first drops differ from "forgotten first", where they do; else nothing."""
    differs = []
    if metric != "ap":
        differs.append(f"of AP, not of {words.METRICS[metric]}")
    if not corrected:
        differs.append("read between grid points")
    if of_subgroup:
        differs.append("on all test images")
    if not differs:
        return ""
    return f"\u201cForgotten first\u201d, as Overview tells it, is {'; '.join(differs)}."


def first_in_detail(found: FirstForgotten, metric: str) -> list[str]:
    """Of each class that is named: its test positives, and its change at the grid point of its
    first drop with the interval. Names are as given."""
    told = [_in_detail(one, metric) for one in found.first[:MOST_TOLD]]
    if len(found.first) > MOST_TOLD:
        told.append(f"and {len(found.first) - MOST_TOLD} more")
    return told


def left_out(found: FirstForgotten) -> str:
    """Which classes are not judged and why, and which of them would be named by their curves."""
    if not found.left_out:
        return ""
    few = [
        f"{one.class_name} ({words.count(one.n_positive, 'image') if one.n_positive else 'none'})"
        for one in found.left_out
    ]
    text = (
        f"Not judged, seen in fewer than {FEW_PATIENTS} patients of the test set: "
        f"{claims.names(few, MOST_LEFT_OUT)}."
    )
    early = [f"{one.class_name} ({one.told} %)" for one in found.as_early]
    if not early:
        return text
    would = claims.names(early, MOST_LEFT_OUT)
    as_well = " as well" if found.first else ""
    return f"{text} By the curve alone {would} would be named{as_well}."


def evidence(found: FirstForgotten, metric: str, finished: bool = True) -> str:
    """How far the evidence carries the losses; `finished`: all of the study is. Names are as
    given."""
    label, parts = words.METRICS[metric], []
    if found.n_never:
        so_far = "never fell by a fifth" if finished else "did not fall by a fifth so far"
        parts.append(f"{words.count(found.n_never, 'class')} {so_far}.")
    if found.n_judged and not finished:
        parts.append("The study is not finished, and what is left of it may change all of this.")
    n_runs = max((one.n_runs for one in found.first), default=found.n_runs)
    if n_runs == 1:
        parts.append("One run: nothing says how much of this is chance.")
        return " ".join(parts)
    later = [one.class_name for one in found.first if one.ci_high > -DROP]
    if later:
        parts.append(
            f"{_whose(later, len(found.first))} above {words.MINUS}20 %: the drop may come later."
        )
    if found.first and n_runs < ENOUGH_RUNS:
        parts.append(f"Intervals over {words.count(n_runs, 'run')} are narrower than they claim.")
    if found.n_tested:
        parts.append(
            f"At 95 % sparsity {label} has changed in {found.n_significant} of "
            f"{words.count(found.n_tested, 'class')} with q < {SIGNIFICANT:g} over "
            f"{words.count(found.n_runs, 'run')}."
        )
        if found.n_runs < FEW_RUNS:
            parts.append("So few runs find only large changes.")
    elif found.n_judged:
        parts.append(
            "95 % sparsity is not on this study's grid, or not finished, so no change is tested "
            "there."
        )
    if not parts:
        return ""
    return f"{' '.join(parts)} All of this speaks for other trainings, not for other patients."


def _ranked(first: tuple[Dropped, ...]) -> str:
    """Edema (64 %), Fibrosis (68 %) and Mass (73 %); ties as Mass and Nodule (both 73 %)."""
    by_sparsity: dict[int, list[str]] = {}
    for one in first:
        by_sparsity.setdefault(one.told, []).append(one.class_name)
    every = {1: "", 2: "both "}
    parts = [
        f"{claims.names(tied)} ({every.get(len(tied), 'all ')}{at} %)"
        for at, tied in by_sparsity.items()
    ]
    if len(by_sparsity[first[-1].told]) > 1 or len(parts) == 1:  # these have their own "and"
        return ", ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _whose(later: list[str], n_first: int) -> str:
    if len(later) == n_first:
        return "Every interval reaches" if n_first > 1 else "The interval reaches"
    if len(later) == 1:
        return f"The interval of {later[0]} reaches"
    return f"The intervals of {claims.names(later)} reach"


def _in_detail(one: Dropped, metric: str) -> str:
    text = (
        f"{one.class_name}: {words.count(one.n_positive, 'test positive')}; "
        f"{words.METRICS[metric]} {claims.signed(one.change)} at {words.percent(one.at)} sparsity"
    )
    if not _known(one.ci_low):
        return f"{text}; one run, so no interval"
    return (
        f"{text}, 95 % interval over {words.count(one.n_runs, 'run')} "
        f"{claims.signed(one.ci_low)} to {claims.signed(one.ci_high)}"
    )


def relation(row: Row | None, corrected: bool, rising: str, falling: str) -> str:
    """`rising` or `falling` by the sign of r where p carries it, with r and rho."""
    if row is None or not _known(row["pearson_r"]):
        return "Too few points for a correlation"
    p = row["permutation_p"] if corrected else row["pearson_p"]
    r, rho = words.number(row["pearson_r"]), words.number(row["spearman_rho"])
    figures = f"r = {r}, \u03c1 = {rho}"
    if not _known(p) or p >= SIGNIFICANT:
        return f"No clear relation ({figures})"
    return f"{rising if row['pearson_r'] > 0 else falling} ({figures})"


def correlation_details(row: Row | None, noun: str, corrected: bool) -> str:
    """n, and the p-values of the reading."""
    if row is None:
        return ""
    n = words.count(int(row["n"]), noun)
    if not _known(row["pearson_r"]):
        return f"n = {n}."
    if not corrected:
        return (
            f"n = {n}; {words.p_value(row['pearson_p'])} (r), "
            f"{words.p_value(row['spearman_p'])} (\u03c1)."
        )
    text = f"n = {n}; permuting classes, {words.p_value(row['permutation_p'])}."
    if _known(row.get("kendall_tau_b")):
        text += (
            f" Kendall \u03c4-b = {words.number(row['kendall_tau_b'])}, "
            f"{words.p_value(row['kendall_p'])}, "
            f"n = {int(row['n_kendall'])} with those that never drop."
        )
    return text


# What a rising and a falling correlation say.
DROP_FIRST = "rare classes drop first", "frequent ones drop first"
LOSE_MORE = "rare classes lose more", "frequent ones lose more"
FREQUENCY = (
    "More different in frequency, more differently forgotten",
    "More different in frequency, more alike forgotten",
)
TOGETHER = (
    "More often together, more differently forgotten",
    "More often together, more alike forgotten",
)


def classes_told(
    row: Row | None,
    metric: str,
    corrected: bool,
    said: tuple[str, str],
    published: Figures | None = None,
) -> tuple[str, str]:
    """Title and caption of classes against their frequency; see DROP_FIRST and LOSE_MORE."""
    label, title = words.METRICS[metric], relation(row, corrected, *said)
    caption = correlation_details(row, "class", corrected) + beside_published(published)
    return f"{label[0].upper()}{label[1:]}: {title[0].lower()}{title[1:]}", caption


def pairs_told(
    row: Row | None, corrected: bool, said: tuple[str, str], published: Figures | None = None
) -> tuple[str, str]:
    """Title and caption of pairs against what sets them apart; see FREQUENCY and TOGETHER."""
    caption = correlation_details(row, "pair", corrected) + beside_published(published)
    return relation(row, corrected, *said), caption


def beside_published(figures: Figures | None) -> str:
    if figures is None:
        return ""
    return f" Published: r = {words.number(figures.r)}, \u03c1 = {words.number(figures.rho)}."


def first_significant(overall: pd.DataFrame, corrected: bool) -> str:
    """Where mAP is first significantly below dense, in one of the readings."""
    name = "corrected" if corrected else "paper"
    test = "paired over runs, from the highest sparsity down" if corrected else "Welch's t test"
    opening = f"{name.capitalize()} ({test}{'' if corrected else ', unadjusted'})"
    column = "paired_p" if corrected else "welch_p"
    found = overall[overall[f"first_significant_{name}"]]
    if overall[column].isna().all():
        return f"{opening}: cannot tell, this needs two runs."
    if found.empty:
        return f"{opening}: not shown to be below dense at any sparsity."
    row = found.iloc[0]
    return (
        f"{opening}: from {words.percent(row['sparsity'])} sparsity on, "
        f"{words.p_value(row[column])}."
    )


def overall_interval(overall: pd.DataFrame) -> str:
    """What the intervals of mAP are over."""
    if overall.empty or overall["n_runs"].max() < 2:
        return "One run: no interval and no test."
    n = words.count(int(overall["n_runs"].max()), "run")
    if (overall["interval_over"] == "runs").all():
        return (
            f"95 % intervals over {n}: they speak for other trainings on these test images, not "
            "for other patients."
        )
    return (
        f"95 % intervals over {n} and patients: they speak for other trainings and other patients. "
        "The p-values are over runs."
    )


def by_definition(n_pies: int, n_images: int) -> str:
    return (
        f"{n_pies:,} of {words.count(n_images, 'test image')} are PIEs because the definition "
        "takes the 5 % of lowest agreement: it would find as many had pruning changed nothing."
    )


def z_reading(n_pies: int, n_within: int, n_low: int, n_known: int) -> str:
    """How the z-score reads the same images."""
    return (
        f"{n_within:,} of {words.count(n_pies, 'PIE')} have z \u2265 0: no further from dense than "
        f"dense models are from each other. {n_low:,} of {n_known:,} test images have z < \u22122."
    )


def _known(value: Any) -> bool:
    return value is not None and not math.isnan(value)
