"""Findings in plain sentences, each with its n and how far the evidence carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis.overall import BesideWhole
from core.analysis.pair_evidence import SIGNIFICANT
from core.wording import words
from core.wording.published import Figures

Row = Mapping[str, Any]
# What the editions of Class AP are: corrected, or the paper's.
EDITIONS = {
    True: (
        "Corrected: 95 % intervals, over what each caption says; trends of Somers\u2019 D, "
        "whose chance level is 0 for every class."
    ),
    False: (
        "Paper: medians and quartiles over runs; first drops of AP, whose chance level is "
        "higher for frequent classes."
    ),
}

MEAN_AP_OF_SUBGROUP = (
    "mAP is the mean of AP over the classes that occur among these images. Compare how far it "
    "falls, not how high it is: AP is higher where a class is more common."
)


def relation(row: Row | None, rising: str, falling: str) -> str:
    """By the paper: `rising` or `falling` by the sign of r where p carries it, with r and rho."""
    if row is None or not words.known(row["pearson_r"]):
        return "Too few points for a correlation"
    p, r, rho = row["pearson_p"], words.number(row["pearson_r"]), words.number(row["spearman_rho"])
    figures = f"r = {r}, \u03c1 = {rho}"
    if not words.known(p) or p >= SIGNIFICANT:
        return f"No clear relation ({figures})"
    return f"{rising if row['pearson_r'] > 0 else falling} ({figures})"


def correlation_details(row: Row | None, noun: str) -> str:
    """n, and the p-values, which take all points as independent (paper)."""
    if row is None:
        return ""
    n = words.count(int(row["n"]), noun)
    if not words.known(row["pearson_r"]):
        return f"n = {n}."
    return (
        f"n = {n}; {words.p_value(row['pearson_p'])} (r), "
        f"{words.p_value(row['spearman_p'])} (\u03c1)."
    )


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
    row: Row | None, metric: str, said: tuple[str, str], published: Figures | None = None
) -> tuple[str, str]:
    """Title and caption of classes against their frequency; see DROP_FIRST and LOSE_MORE."""
    label, title = words.METRICS[metric], relation(row, *said)
    caption = correlation_details(row, "class") + beside_published(published)
    return f"{label[0].upper()}{label[1:]}: {title[0].lower()}{title[1:]}", caption


def pairs_told(
    row: Row | None, said: tuple[str, str], published: Figures | None = None
) -> tuple[str, str]:
    """Title and caption of pairs against what sets them apart; see FREQUENCY and TOGETHER."""
    caption = correlation_details(row, "pair") + beside_published(published)
    return relation(row, *said), caption


def beside_published(figures: Figures | None) -> str:
    if figures is None:
        return ""
    return f" Published: r = {words.number(figures.r)}, \u03c1 = {words.number(figures.rho)}."


def first_significant(overall: pd.DataFrame, corrected: bool) -> str:
    """Where mAP is first significantly below dense, in one of the editions."""
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
            f"95 % intervals over {n}: they hold for other trainings on these test images, not "
            "for other patients."
        )
    return (
        f"95 % intervals over {n} and patients: they hold for other trainings and other patients. "
        "The p-values are over runs."
    )


def by_definition(n_pies: int, n_images: int) -> str:
    return (
        f"{n_pies:,} of {words.count(n_images, 'test image')} are PIEs because the definition "
        "takes the 5 % of lowest agreement: it would find as many had pruning changed nothing."
    )


def by_z(n_pies: int, n_within: int, n_low: int, n_known: int) -> str:
    """How the z-score reads the same images."""
    return (
        f"{n_within:,} of {words.count(n_pies, 'PIE')} have z \u2265 0: no further from dense than "
        f"dense models are from each other. {n_low:,} of {n_known:,} test images have z < \u22122."
    )


def mean_ap_of_subgroup(found: BesideWhole) -> str:
    """mAP 0.73 dense, 0.36 at 90 % sparsity; over the same 19 of 20 classes of all test images 0.68
    and 0.30 (means over 3 runs)."""
    n = f"{found.n_classes} of " if found.n_classes < found.of_classes else ""
    return (
        f"mAP {words.number(found.dense)} dense, {words.number(found.pruned)} at "
        f"{words.percent(found.sparsity)} sparsity. All test images, over the same {n}"
        f"{words.count(found.of_classes, 'class')}: {words.number(found.whole_dense)} and "
        f"{words.number(found.whole_pruned)}. Means over {words.count(found.n_runs, 'run')}."
    )
