"""The paper's claims about PIEs, as published and against dense models compared with each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from core.analysis import pie_carried
from core.analysis.groupings import finding_counts
from core.analysis.pie_composition import Ratio
from core.analysis.pie_label_noise import WRONG_LABELS, wrongly_labelled
from core.analysis.pie_null import LEAST_RUNS
from core.study.labels import FEW_PATIENTS, findings

QUALITY = "pies~image_quality"
COLUMNS = (
    "claim",
    "statistic",
    "paper_estimate",
    "paper_ci_low",
    "paper_ci_high",
    "paper_p",
    "paper_n",
    "estimate",
    "ci_low",
    "ci_high",
    "p_value",
    "n",
    "pruned_estimate",
    "pruned_ci_low",
    "pruned_ci_high",
    "null",
    "reason",
)
NUMBERS = COLUMNS[2:-2]
STATISTICS = {
    pie_carried.RARE: "how much more often PIEs carry a tail class than other images with as many "
    "findings, pruned over dense against dense",
    pie_carried.MANY_FINDINGS: "how much more often PIEs have 2 or more findings, over what the "
    "classes' own losses give, pruned over dense against dense",
    pie_carried.NOISE: "how much more often PIEs carry a wrong label than other images with as "
    "many findings, pruned over dense against dense",
    QUALITY: "mean rank over six measures, higher is worse: rank-biserial difference of PIEs from "
    "other images, pruned minus dense against dense",
}
TOO_FEW_RUNS = f"fewer than {LEAST_RUNS} runs: no two pairs of dense models to compare"
NO_NOISE = "the labels do not record which of them are wrong"
NOT_MEASURED = "the images are not measured: there are none, or nobody has asked for it yet"


def pie_claims_table(
    pies: pd.DataFrame,
    rows: pd.DataFrame,
    class_names: tuple[str, ...],
    tail: Collection[str],
    excess: pd.DataFrame,
    quality: Mapping[str, Any] | None,
    n_runs: int,
) -> pd.DataFrame:
    """COLUMNS, a row per claim.

    pies: `Pies`' table; rows: the test rows of the labels, in the same order; excess: `PieExcess`
    of `all_carried`; quality: a row of `PieQuality` with `PieQualityExcess`, of `badness`, or None.
    paper_*: ratio of the shares among the paper's PIEs and among other images, over all images, as
    `Ratio` has them (paper_p only for image quality: the paper has none for ratios). estimate: the
    ratio of ratios (difference of differences for image quality), pruned_estimate: that of dense
    against pruned models, before it is compared with dense ones. n: images compared. reason: why it
    cannot be told; the corrected numbers are missing then.
    """
    patients = rows["patient_id"]
    rare = pie_carried.carries_any(rows, findings(tuple(tail)))
    what = {
        pie_carried.RARE: rare,
        pie_carried.MANY_FINDINGS: finding_counts(rows, class_names) >= 2,
    }
    reasons = dict.fromkeys((*what, pie_carried.NOISE, QUALITY), "")
    if WRONG_LABELS in rows:
        what[pie_carried.NOISE] = wrongly_labelled(rows)
    else:
        reasons[pie_carried.NOISE] = NO_NOISE
    for claim, positive in what.items():
        reasons[claim] = _reason(claim, positive, patients, n_runs)
    if quality is None:
        reasons[QUALITY] = NOT_MEASURED
    elif n_runs < LEAST_RUNS:
        reasons[QUALITY] = TOO_FEW_RUNS
    claims = excess[excess["kind"] == pie_carried.CLAIM].set_index("name")
    table = []
    for claim, reason in reasons.items():
        row = dict.fromkeys(NUMBERS, np.nan) | {"claim": claim, "statistic": STATISTICS[claim]}
        row |= {"null": 0.0 if claim == QUALITY else 1.0, "reason": reason}
        if claim in what:
            row |= _published(pies, what[claim], patients)
            row |= {} if reason else _of_ratios(claims.loc[claim])
        elif quality is not None:
            row |= _of_quality(quality, corrected=not reason)
        table.append(row)
    return pd.DataFrame(table)[list(COLUMNS)]


def _reason(claim: str, positive: np.ndarray, patients: pd.Series, n_runs: int) -> str:
    if n_runs < LEAST_RUNS:
        return TOO_FEW_RUNS
    n = patients[positive].nunique()
    if n < FEW_PATIENTS:
        things = {
            pie_carried.RARE: "a tail class",
            pie_carried.MANY_FINDINGS: "2 or more findings",
            pie_carried.NOISE: "a wrong label",
        }
        return f"only {n} patients with {things[claim]}, of {FEW_PATIENTS} at least"
    return ""


def _published(pies: pd.DataFrame, positive: np.ndarray, patients: pd.Series) -> dict[str, float]:
    row = Ratio().of(positive[:, None].astype(float), pies["is_pie"].to_numpy(bool), patients)
    ratio, low, high = (float(row[name].iloc[0]) for name in ("ratio", "ci_low", "ci_high"))
    found = {"paper_estimate": ratio, "paper_ci_low": low, "paper_ci_high": high}
    return found | {"paper_n": len(pies)}


def _of_ratios(row: pd.Series) -> dict[str, float]:
    return _corrected(row, "ratio", "ratio_of_ratios", "ror") | {"n": row["n_images"]}


def _of_quality(row: Mapping[str, Any], corrected: bool) -> dict[str, float]:
    names = {"estimate": "difference", "ci_low": "ci_low", "ci_high": "ci_high", "p": "p"}
    n = row["n_pie"] + row["n_non_pie"]
    found = {f"paper_{ours}": row[theirs] for ours, theirs in names.items()} | {"paper_n": n}
    if corrected:
        found |= _corrected(row, "difference", "difference_of_differences", "dod") | {"n": n}
    return found


def _corrected(
    row: Mapping[str, Any], statistic: str, compared: str, short: str
) -> dict[str, float]:
    names = {
        "estimate": compared,
        "ci_low": f"{short}_ci_low",
        "ci_high": f"{short}_ci_high",
        "p_value": f"{short}_p",
        "pruned_estimate": f"pruned_{statistic}",
        "pruned_ci_low": "pruned_ci_low",
        "pruned_ci_high": "pruned_ci_high",
    }
    return {ours: row[theirs] for ours, theirs in names.items()}
