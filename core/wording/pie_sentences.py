"""What PIEs hold more of, in plain sentences, each with its n and its interval, beside the same of
dense models compared with each other.

These sentences describe. That pruning is the reason is said only by the verdict of a claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.analysis.claims import AS_CLAIMED, CANNOT_TELL, OPPOSITE, Claim
from core.analysis.pair_evidence import SIGNIFICANT
from core.study.labels import FEW_PATIENTS
from core.wording import words

Row = Mapping[str, Any]


NOT_COMPARED = (
    "Whether pruning is the reason is not known yet: two dense models, too, differ most on some "
    "images, and these have not been compared."
)
TOO_FEW_RUNS = (
    "Whether pruning is the reason cannot be told: it takes 3 runs to compare dense models with "
    "each other."
)


def held_against_dense(table: pd.DataFrame, statistic: str = "ratio") -> bool:
    """Whether a table of ratios, or of differences, has what dense models compared with each other
    give."""
    dense = f"dense_{statistic}"
    return dense in table and bool(table[dense].notna().any())


def composition(table: pd.DataFrame, names: list[str], verb: str) -> str:
    """What PIEs hold most of beyond other images, as a title, and how much more of it they hold
    when nothing is pruned. table: stable rows of `pie_class_ratio` or `pie_finding_count_ratio`;
    names: those of its rows; verb: "carry {}"."""
    held = held_against_dense(table)
    of, n = ("pruned_", "n_pruned") if held else ("", "n_pie_positive")
    more = np.where(table[f"{of}ci_low"] > 1, table[f"{of}ratio"], -np.inf)
    if not (more > 0).any():
        return f"PIEs {verb.format('nothing')} clearly more often than other images"
    at = int(more.argmax())
    row = table.iloc[at]
    found = (
        f"PIEs {verb.format(names[at])} {words.number(row[f'{of}ratio'], 1)} times as often as "
        f"other images (n = {words.count(int(row[n]), 'PIE')})"
    )
    return found + _beside_dense(row, held)


def _beside_dense(row: pd.Series, held: bool) -> str:
    if not held:
        return ", not compared with dense models"
    return f"; {words.number(row['dense_ratio'], 1)} times when nothing is pruned"


def label_noise(table: pd.DataFrame, claim: Claim | None) -> str:
    """Whether PIEs are richer in wrong labels, and whether pruning is the reason. table:
    `pie_label_noise`; claim: the corrected one about wrong labels, None while dense models have not
    been compared with each other."""
    rows = {row["images"]: row for row in table.to_dict(orient="records")}
    row, among = rows["all"], rows["with findings"]
    counts = (
        f"{row['n_pie_wrong']:,} of {words.count(row['n_pie'], 'PIE')} "
        f"({words.frequency(row['pie_share'])}) carry at least one wrong label, against "
        f"{row['n_non_pie_wrong']:,} of {row['n_non_pie']:,} other images "
        f"({words.frequency(row['non_pie_share'])})"
    )
    if math.isnan(row["ci_low"]):
        return f"{counts}: too few for an interval."
    verdict = "Whether PIEs are richer in wrong labels cannot be told"
    if row["ci_low"] > 1 or row["ci_high"] < 1:
        verdict = f"PIEs are {'richer' if row['ci_low'] > 1 else 'poorer'} in wrong labels"
    sentence = f"{verdict}: {counts}, {_times(row)}."
    if not math.isnan(among["ci_low"]):
        sentence += f" Among images labelled with a finding: {_times(among)}."
    return f"{sentence} {_reason(claim)}"


def label_noise_title(table: pd.DataFrame) -> str:
    """How much more often PIEs carry a wrong label, as a title: of all images, as drawn."""
    row = table[table["images"] == "all"].iloc[0]
    held = held_against_dense(table)
    of, n = ("pruned_", row["n_pruned"]) if held else ("", row["n_pie_wrong"])
    pies = words.count(int(n), "PIE")
    if row["n_wrong_patients"] < FEW_PATIENTS:
        return f"Too few patients with a wrong label to compare PIEs with other images (n = {pies})"
    if not row[f"{of}ci_low"] > 1:
        return f"PIEs are not clearly richer in wrong labels (n = {pies})"
    found = (
        f"PIEs carry a wrong label {words.number(row[f'{of}ratio'], 1)} times as often as other "
        f"images (n = {pies})"
    )
    return found + _beside_dense(row, held)


def _reason(claim: Claim | None) -> str:
    """Whether pruning is the reason, by the verdict of the claim."""
    if claim is None:
        return NOT_COMPARED
    if claim.verdict == CANNOT_TELL:
        return f"Whether pruning is the reason cannot be told: {claim.reason or 'no interval'}."
    verdicts = {AS_CLAIMED: "Pruning does it", OPPOSITE: "Pruning makes it less so"}
    verdict = verdicts.get(claim.verdict, "It is not shown that pruning is the reason")
    # Nothing but that of dense against dense models is divided out of this claim.
    dense = claim.detail["pruned"] / claim.estimate
    return (
        f"{verdict}: among images with as many findings, single pruned models against dense ones "
        f"give {words.number(claim.detail['pruned'], 1)} times, dense models against each other "
        f"{words.number(dense, 1)} times (ratio of ratios "
        f"{words.number(claim.estimate, 1)}, 95 % {words.number(claim.ci_low, 1)} to "
        f"{words.number(claim.ci_high, 1)})."
    )


def image_quality(table: pd.DataFrame, names: Mapping[str, str]) -> str:
    """In which measures PIEs differ from other images, after correction for their number, the
    largest difference first, and whether pruning is the reason. table: `pie_quality`."""
    clear = table[table["q"] < SIGNIFICANT]
    if table["q"].isna().all():
        return "Too few PIEs to compare image quality"
    if clear.empty:
        return f"No measure tells PIEs from other images at q < {SIGNIFICANT:g}"
    clear = clear.sort_values("difference", key=lambda d: -d.abs(), kind="stable")
    sides = []
    for word, rows in (
        ("higher", clear[clear["difference"] > 0]),
        ("lower", clear[clear["difference"] < 0]),
    ):
        if len(rows):
            sides.append((word, _measures(rows, names)))
    if clear.iloc[0]["difference"] < 0:
        sides.reverse()
    found = " and ".join(f"{word} {named}" for word, named in sides)
    n = words.count(int(clear["n_pie"].max()), "PIE")
    return f"PIEs have {found} than other images (n = {n}){_with_pruning(clear, names)}"


def _measures(rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    return words.names([names[name].lower() for name in rows["measure"]], most=len(rows))


def _with_pruning(clear: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Of which of these measures pruning is the reason: their difference is larger than that of
    dense models compared with each other, or of the other sign."""
    if not held_against_dense(clear, "difference"):
        return ""
    more = clear["difference_of_differences"] * np.sign(clear["difference"]) > 0
    by_pruning = clear[(clear["dod_q"] < SIGNIFICANT) & more]
    if by_pruning.empty:
        return "; it is not shown that pruning is the reason"
    if len(by_pruning) == len(clear):
        return "; more so than when nothing is pruned"
    return f"; more so than when nothing is pruned: {_measures(by_pruning, names)}"


def poor_images(truth: pd.DataFrame, pies: pd.DataFrame, names: Mapping[str, str]) -> str:
    """How well the measures find the images that were made poor, and whether those are PIEs more
    often. truth: `quality_truth`; pies: `pie_poor_quality`."""
    (row,) = pies.to_dict("records")
    counts = (
        f"{words.count(int(row['n_poor']), 'test image')} of {row['n_poor'] + row['n_others']:,} "
        f"{'was' if row['n_poor'] == 1 else 'were'} drawn poor, and {row['n_poor_pies']:,} of them "
        f"{'is a PIE' if row['n_poor_pies'] == 1 else 'are PIEs'}, against "
        f"{row['n_other_pies']:,} of {row['n_others']:,} others"
    )
    if math.isnan(row["ci_low"]):
        return f"{counts}: too few to compare."
    low, high = (words.number(row[end]) for end in ("ci_low", "ci_high"))
    verdict = "Whether poor images are PIEs more often cannot be told"
    if row["ci_low"] > 1 or row["ci_high"] < 1:
        verdict = f"Poor images are PIEs {'more' if row['ci_low'] > 1 else 'less'} often"
    text = (
        f"{verdict}: {counts} (odds ratio {words.number(row['odds_ratio'])}, 95 % over "
        f"patients: {low} to {high})."
    )
    known = truth[truth["auroc"].notna()]
    known = known.sort_values("auroc", ascending=False, kind="stable")
    told = ", ".join(
        f"{names.get(row['measure'], 'all measures together').lower()} "
        f"{words.number(row['auroc'])} ({words.number(row['ci_low'])} to "
        f"{words.number(row['ci_high'])})"
        for _, row in known.iterrows()
    )
    return f"{text} How well each measure finds them, by AUROC: {told}."


def labels_lost(row: Row) -> str:
    """How many labels are lost, and how many would be without pruning. row: the row of `pie_excess`
    whose kind is "lost"."""
    if math.isnan(row["pruned_ratio"]):
        return ""
    return (
        f"Of the {words.count(int(row['n_positive']), 'label')} that a dense model finds by rank "
        f"(of {int(row['n_images']):,}), a pruned model of another run loses "
        f"{words.frequency(row['pruned_ratio'])}; another dense model loses "
        f"{words.frequency(row['dense_ratio'])}: training again would lose these too."
    )


def modal(definitions: pd.DataFrame, n_modal: int, n_modal_pies: int) -> str:
    """What modal disagreement says. definitions: `pies`."""
    text = (
        f"Modal disagreement (most runs change their mind on a class): "
        f"{words.count(n_modal, 'test image')}, {n_modal_pies:,} of them PIEs."
    )
    excess = definitions["modal_excess"].mean()
    if math.isnan(excess):
        return text
    classes = words.number(definitions["n_modal_disagreements"].mean(), 1)
    more = "fewer" if excess < 0 else "more"
    return (
        f"{text} On average {classes} classes an image; half of the dense and half of the pruned "
        f"models disagree on {words.number(abs(excess), 1)} {more} than two halves of the dense "
        "models."
    )


def _times(row: Row) -> str:
    ratio, low, high = (words.number(row[name], 1) for name in ("ratio", "ci_low", "ci_high"))
    return f"{ratio} times as often (95 % over patients: {low} to {high})"
