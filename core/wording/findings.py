"""Findings in plain sentences, each with its n and how far the evidence carries it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis.pair_evidence import SIGNIFICANT
from core.wording import claims, words
from core.wording.published import Figures

Row = Mapping[str, Any]
READINGS = {
    "Class AP": {
        True: (
            "Corrected: 95 % intervals over runs and patients; trends of Somers\u2019 D, whose "
            "chance level is 0 for every class."
        ),
        False: (
            "Paper: medians and quartiles over runs; first drops of AP, whose chance level is "
            "higher for frequent classes."
        ),
    },
    "Forgettability": {
        True: (
            "Corrected: FCD as a root mean square, which does not grow with the grid, with its "
            "interval and noise floor; true class counts; p-values from permuting classes, because "
            "pairs that share a class are not independent. The paper has none of these."
        ),
        False: (
            "Paper: FCD as a Euclidean distance, which grows with the number of grid points; class "
            "counts as column sums of the co-occurrence matrix, as in the published code; p-values "
            "that take all pairs as independent. Corrected does none of these."
        ),
    },
}
TERMS = {
    "intercept": "where both classes are equally frequent and never meet",
    "log_frequency_difference": "frequency difference",
    "cooccurrence_iou_fourth_root": "co-occurrence, IoU^(1/4)",
    "log_frequency_difference:cooccurrence_iou_fourth_root": "both together (interaction)",
}


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


def pairs_apart(n_different: int, n_pairs: int, n_all: int) -> str:
    """How many pairs are told apart, of Somers' D."""
    if not n_pairs:
        return "No pair of classes can be judged: too few patients or runs."
    left = f"; {n_all - n_pairs:,} more hold a class that is not judged" if n_all > n_pairs else ""
    return (
        f"{n_different:,} of {words.count(n_pairs, 'pair')} are forgotten more differently than "
        f"noise (Somers\u2019 D, over runs and patients, q < {SIGNIFICANT:g}){left}."
    )


def pair_apart(row: Row) -> str:
    """The debiased FCD of one pair, and whether the two are told apart."""
    if not _known(row["p_value"]):
        return (
            "Not judged: one of the two has too few patients, or the dense model does not find it."
        )
    low, high = (claims.signed(row[f"difference_ci_{end}"], 1) for end in ("low", "high"))
    told = "forgotten differently" if row["q_value"] < SIGNIFICANT else "not told apart"
    return (
        f"FCD without noise {words.number(row['fcd_corrected'], 3)}: {told}. Change of "
        f"Somers\u2019 D averaged over sparsities, {row['class_a']} minus {row['class_b']}: "
        f"{claims.signed(row['difference'], 1)} (95 % over runs and patients: {low} to {high}; "
        f"q = {words.number(row['q_value'], 3)})."
    )


def _signed(coefficient: float) -> str:
    text = words.number(coefficient, 3)
    return f"+{text}" if coefficient > 0 and float(text) else text


def interaction(rows: pd.DataFrame, corrected: bool) -> str:
    """The interaction model in words. rows: one model of `Interaction`, with `plain_term`."""
    by_term = rows.set_index("plain_term")
    if by_term["coefficient"].isna().any() or by_term["ols_p"].drop("intercept").isna().any():
        return "Too few pairs of classes for the interaction model."
    which = "permutation_p" if corrected else "ols_p"
    _, frequency, _, both = (by_term.loc[term] for term in TERMS)
    distance = "FCD, RMS" if corrected else "FCD"
    text = (
        f"Of classes that never meet, one e-fold more difference in frequency goes with "
        f"{_signed(frequency['coefficient'])} of {distance} ({words.p_value(frequency[which])}). "
    )
    if _known(both[which]) and both[which] < SIGNIFICANT:
        how = "weaker" if both["coefficient"] * frequency["coefficient"] < 0 else "stronger"
        return text + (
            f"The more often two classes occur together, the {how} that is: "
            f"{_signed(both['coefficient'])} per unit of IoU^(1/4) ({words.p_value(both[which])})."
        )
    return text + (
        "That co-occurrence changes this is not shown: interaction "
        f"{_signed(both['coefficient'])}, {words.p_value(both[which])}."
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
