"""The paper's claims as this study bears on them: the paper-compatible reading beside the corrected
one, in sentences with their numbers. Claims of Holste et al., MICCAI 2023, section 3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.labels import FEW_POSITIVES
from core.wording import claims, words
from core.wording.published import COOCCURRENCE, EXTREME, FIRST_DROP, FREQUENCY, Figures

ALPHA = 0.05
Published = dict[str, Figures]


@dataclass(frozen=True)
class Reading:
    """One claim, both ways to read it, and what the paper found, if it studied this dataset."""

    claim: str
    paper: tuple[str, ...]
    corrected: tuple[str, ...]
    published: tuple[str, ...] = ()


def rare_classes(correlations: pd.DataFrame, published: Published) -> Reading:
    """correlations: CORRELATIONS."""
    rows = _by_name(correlations)
    first, extreme = "Train frequency and first drop", "Train frequency and change at 95 %"
    corrected = [
        _correlation(rows, f"{FIRST_DROP}:calibrated_ap", first, 1, corrected=True),
        _correlation(rows, f"{EXTREME}:calibrated_ap", extreme, 1, corrected=True),
    ]
    if FIRST_DROP in rows.index:
        row = rows.loc[FIRST_DROP]
        corrected.append(
            "First drop of AP between grid points, classes that never drop counted as latest: "
            f"Kendall tau-b = {words.number(row['kendall_tau_b'])}, "
            f"{words.p_value(row['kendall_p'])}."
        )
    return Reading(
        "Rare classes are forgotten earlier and harder",
        (
            _correlation(rows, FIRST_DROP, first, 1),
            _correlation(rows, EXTREME, extreme, 1),
        ),
        (
            "Of calibrated AP, whose floor rises where positives are few:",
            *corrected,
        ),
        _published(published, {FIRST_DROP: first, EXTREME: extreme}),
    )


def forgettability_distance(
    correlations: pd.DataFrame, interaction: pd.DataFrame, published: Published
) -> Reading:
    """correlations: CORRELATIONS; interaction: INTERACTION."""
    rows = _by_name(correlations)
    frequency, together = "FCD and frequency difference", "FCD and co-occurrence (IoU^1/4)"
    return Reading(
        "Classes are forgotten more differently (FCD) the more their frequencies differ, and more "
        "alike the more they occur together",
        (
            _correlation(rows, FREQUENCY, frequency, 1),
            _correlation(rows, COOCCURRENCE, together, -1),
            *_interaction(interaction, "paper", "ols_p"),
        ),
        (
            _correlation(rows, FREQUENCY.removesuffix("_paper"), frequency, 1, corrected=True),
            _correlation(rows, "fcd~cooccurrence_iou_fourth_root", together, -1, corrected=True),
            *_interaction(interaction, "corrected", "permutation_p"),
        ),
        _published(published, {FREQUENCY: frequency, COOCCURRENCE: together}),
    )


def pie_composition(
    pies: pd.DataFrame, by_class: pd.DataFrame, by_count: pd.DataFrame, sparsity: float
) -> Reading:
    """pies: image_id, agreement, is_pie; the others as `PieClassRatio`, `PieFindingCountRatio`."""
    known = by_class[by_class["ratio"].notna()].sort_values("ratio", ascending=False)
    most = [f"{row.class_name} {row.ratio:.1f} times" for row in known.head(3).itertuples()]
    counts = [f"{row.finding_count}: {words.number(row.ratio)}" for row in by_count.itertuples()]
    enough = by_class[~by_class["unstable"]]
    # Resampling what occurs on no PIE gives 0 every time: no interval, however few its images.
    absent = list(enough.loc[enough["n_pie_positive"] == 0, "class_name"])
    enough = enough[enough["n_pie_positive"] > 0]
    above = list(enough.loc[enough["ci_low"] > 1, "class_name"])
    below = list(enough.loc[enough["ci_high"] < 1, "class_name"])
    crowded = by_count[(by_count["ci_low"] > 1) & ~by_count["unstable"]]["finding_count"]
    n_pies = int(pies["is_pie"].sum())
    return Reading(
        "PIEs carry rare classes and several findings more often than other images",
        (
            f"At {words.percent(sparsity)} sparsity, {n_pies:,} of "
            f"{words.count(len(pies), 'test image')} are PIEs (5 % by definition, whether or not "
            "pruning changed anything).",
            f"Most over-represented: {', '.join(most) if most else words.NONE}.",
            f"Ratio by number of findings: {'; '.join(counts)}.",
        ),
        (
            f"Of {words.count(len(enough), 'class')} with at least {FEW_POSITIVES} test positives "
            "that PIEs carry, the 95 % interval over patients of the ratio lies above 1 for "
            f"{_how_many(above)} and below 1 for {_how_many(below)}.",
            *([f"On no PIE, so without an interval: {claims.names(absent)}."] if absent else []),
            (
                f"It lies above 1 for images with {claims.names(list(crowded))} findings."
                if len(crowded)
                else "For no number of findings does it lie above 1."
            ),
        ),
    )


def first_drop(overall: pd.DataFrame) -> Reading:
    """overall: OVERALL."""
    found = {}
    for kind, p in (("paper", "welch_p"), ("corrected", "paired_p")):
        flagged = overall[overall[f"first_significant_{kind}"]]
        if len(flagged):
            row = flagged.iloc[0]
            found[kind] = (
                f"First at {words.percent(row['sparsity'])}: mAP {words.number(row['mean_ap'], 3)}"
                f", {words.number(row['difference'], 3)} against dense, {words.p_value(row[p])}"
            )
        elif overall[p].isna().all():
            found[kind] = "Cannot tell: this needs two runs"
        else:
            found[kind] = "Not shown to be below dense at any sparsity of the grid"
    return Reading(
        "The sparsity at which mAP first lies significantly below dense",
        (f"{found['paper']} (Welch's t test, each sparsity by itself).",),
        (
            f"{found['corrected']} (paired over runs, tested from the highest sparsity down to the "
            "first that is not significant).",
        ),
    )


def _how_many(names: list[str]) -> str:
    return f"{len(names)} ({claims.names(names)})" if names else "none"


def _by_name(correlations: pd.DataFrame) -> pd.DataFrame:
    # A row of it must hold floats: beside a nullable integer its missing values turn to NA.
    return correlations.drop(columns="n_kendall").set_index("name")


def _correlation(
    rows: pd.DataFrame, name: str, words_for: str, expected: int, corrected: bool = False
) -> str:
    if name not in rows.index or pd.isna(rows.loc[name, "pearson_r"]):
        n = int(rows.loc[name, "n"]) if name in rows.index else 0
        return f"{words_for}: not defined over {n} points."
    row = rows.loc[name]
    p = row["permutation_p"] if corrected else row["pearson_p"]
    kind = "permutation p" if corrected else "p"
    told = words.p_value(p).replace("p", kind, 1)
    return (
        f"{words_for}: r = {words.number(row['pearson_r'])}, "
        f"rho = {words.number(row['spearman_rho'])}, {told}, "
        f"n = {int(row['n'])}: {_standing(row['pearson_r'], p, expected)}."
    )


def _standing(r: float, p: float, expected: int) -> str:
    if not np.isfinite(p) or p >= ALPHA:
        return "not shown"
    return "as claimed" if r * expected > 0 else "the opposite of what is claimed"


def _interaction(interaction: pd.DataFrame, model: str, p: str) -> tuple[str, ...]:
    rows = interaction[(interaction["model"] == model) & interaction["term"].str.contains(":")]
    if rows.empty or pd.isna(rows["coefficient"].iloc[0]):
        return ()
    row = rows.iloc[0]
    shown = pd.notna(row[p]) and row[p] < ALPHA
    kind = "permutation p" if p == "permutation_p" else "p"
    return (
        f"Interaction of the two: coefficient {words.number(row['coefficient'])}, "
        f"{words.p_value(row[p]).replace('p', kind, 1)}, n = {int(row['n'])} pairs: "
        f"{'shown' if shown else 'not shown'}.",
    )


def _published(published: Published, told: dict[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{text}: r = {words.number(found.r)}, rho = {words.number(found.rho)}."
        for name, text in told.items()
        if (found := published.get(name))
    )
