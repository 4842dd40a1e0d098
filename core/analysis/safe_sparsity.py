"""Up to which sparsity no class is worse than dense by more than a margin.

A test of non-inferiority (Piaggio et al., CONSORT extension for non-inferiority trials, JAMA 2012)
per class and sparsity, of the ratio of the mean metrics of pruned and dense models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE
from core.labels import FEW_POSITIVES, GROUPS

MARGIN = 0.10
SAFE, CANNOT_TELL, UNSAFE = "safe", "cannot tell", "unsafe"
TOO_FEW, STRADDLES = "too few positives", "interval reaches over the margin"
ABOVE, BELOW = "lower bound above the margin", "upper bound below the margin"
SAFE_SPARSITY = (
    "class_name",
    "group",
    "n_positive",
    "n_positive_patients",
    "sparsity",
    "dense",
    "pruned",
    "relative_change",
    "ci_low",
    "ci_high",
    "verdict",
    "reason",
    "safe_so_far",
    "chance_passes",
    "n_runs",
    "interval_over",
)
ALL = "all"


@dataclass(frozen=True)
class SafeSparsity:
    """SAFE_SPARSITY, one row per class that has a positive and per sparsity above 0.

    Takes `paired_moments`, class frequencies and chance levels of `metric`. relative_change is
    mean over runs of pruned over that of dense, minus 1; ci_low and ci_high are one-sided bounds,
    each with `confidence`. verdict: "safe" where ci_low is above -margin (non-inferior), "unsafe"
    where ci_high is below it (demonstrably worse), else "cannot tell": fewer than min_positives,
    or an interval on both sides of the margin; `reason` says which. safe_so_far: safe here and at
    every smaller sparsity of the grid. chance_passes: a classifier that knows nothing would keep
    as much, so that "safe" says little.

    The bounds are those of a paired bootstrap over patients and runs, worked out instead of drawn:
    the variance of the ratio is that over patients (infinitesimal jackknife, which the bootstrap
    tends to) plus that over runs, with Student's t at Satterthwaite's degrees of freedom (patients
    with the class - 1, runs - 1). One run: over patients only, told by interval_over. Simulated
    (tests/analysis/test_safe_sparsity.py), a class exactly at the margin is called safe in 2 to
    6 % of studies from 25 patients with the class and 3 runs on; in up to 8 % with 2 runs that
    differ much, or with 10 positives, because an AP of so few is itself biased upwards, more so
    where it is low.

    Multiplicity: that *all* classes are non-inferior needs each test passed (intersection-union,
    Berger 1982), and sparsities are taken in rising order up to the first that fails (fixed
    sequence, Maurer et al. 1995). Neither needs a correction: the chance that "all classes are
    safe up to s" claims too much is at most 1 - confidence. The claims for the groups are
    separate ones, each with that chance. "unsafe" verdicts are not corrected.
    """

    metric: str = "ap"
    margin: float = MARGIN
    confidence: float = CONFIDENCE
    min_positives: int = FEW_POSITIVES

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1 or not 0.5 <= self.confidence < 1 or self.min_positives < 1:
            raise ValueError(
                "margin lies in (0, 1), confidence in [0.5, 1), min_positives is 1 or more"
            )

    def __call__(
        self, moments: pd.DataFrame, frequencies: pd.DataFrame, chance: pd.Series
    ) -> pd.DataFrame:
        table = frequencies[["class_name", "group"]].merge(
            moments[moments["metric"] == self.metric], on="class_name"
        )
        if table.empty:
            return pd.DataFrame(columns=list(SAFE_SPARSITY))
        change, low, high = ratio_bounds(table, self.confidence)
        table = table.assign(relative_change=change, ci_low=low, ci_high=high)
        few = (table["n_positive"] < self.min_positives) | (table["n_positive_patients"] < 2)
        safe, unsafe = low > -self.margin, high < -self.margin
        table["verdict"] = np.select(
            [few, safe, unsafe], [CANNOT_TELL, SAFE, UNSAFE], default=CANNOT_TELL
        )
        reasons = [TOO_FEW, ABOVE, BELOW]
        table["reason"] = np.select([few, safe, unsafe], reasons, default=STRADDLES)
        table = table.sort_values("sparsity", kind="stable")
        table["safe_so_far"] = (
            (table["verdict"] == SAFE).groupby(table["class_name"]).cumprod().astype(bool)
        )
        level = table["class_name"].map(chance).to_numpy(float)
        table["chance_passes"] = level >= (1 - self.margin) * table["dense"]
        table["interval_over"] = np.where(table["n_runs"] > 1, "runs and patients", "patients")
        order = pd.Index(frequencies["class_name"]).get_indexer(table["class_name"])
        table = table.iloc[np.lexsort((table["sparsity"], order))]
        return table[list(SAFE_SPARSITY)].reset_index(drop=True)


@dataclass(frozen=True)
class ClassBreak:
    """A class: safe up to where, the first sparsity at which it is not and what is known there,
    and the first sparsity at which it is demonstrably unsafe. None: nowhere."""

    class_name: str
    group: str
    n_positive: int
    safe_up_to: float | None
    breaks_at: float | None
    verdict: str
    relative_change: float
    ci_low: float
    unsafe_at: float | None
    too_few: bool
    chance_passes: bool


@dataclass(frozen=True)
class SafeAnswer:
    """What holds for every class with enough positives in a scope: all classes, or one group.

    safe_up_to: largest sparsity of the grid with every class safe there and before; None where
    there is none, or no class qualifies. first: the class that breaks first, by sparsity, then
    by its lower bound. first_unsafe: the first demonstrably unsafe one.
    """

    scope: str
    n_classes: int
    too_few: tuple[str, ...]
    chance_passes: tuple[str, ...]
    safe_up_to: float | None
    first: ClassBreak | None
    first_unsafe: ClassBreak | None
    last_sparsity: float
    n_runs: int


def class_breaks(table: pd.DataFrame) -> list[ClassBreak]:
    """One per class of SAFE_SPARSITY, the first to break first, too few positives last."""
    breaks = [_break_of(rows) for _, rows in table.groupby("class_name", sort=False)]

    def order(one: ClassBreak) -> tuple:
        beyond = 2.0  # every sparsity
        return one.too_few, beyond if one.breaks_at is None else one.breaks_at, one.ci_low

    return sorted(breaks, key=order)


def safe_answer(table: pd.DataFrame, scope: str = ALL) -> SafeAnswer | None:
    """The answer for "all", "head", "medium" or "tail"; None where the scope has no class."""
    rows = table if scope == ALL else table[table["group"] == scope]
    if rows.empty:
        return None
    breaks = class_breaks(rows)
    enough = [one for one in breaks if not one.too_few]
    broken = [one for one in enough if one.breaks_at is not None]
    unsafe = [one for one in enough if one.unsafe_at is not None]
    grid = sorted(rows["sparsity"].unique())
    first = min(broken, key=lambda one: (one.breaks_at, one.ci_low), default=None)
    safe = [s for s in grid if enough and (first is None or s < first.breaks_at)]
    return SafeAnswer(
        scope,
        len(enough),
        tuple(one.class_name for one in breaks if one.too_few),
        tuple(one.class_name for one in enough if one.chance_passes),
        float(safe[-1]) if safe else None,
        first,
        min(unsafe, key=lambda one: (one.unsafe_at, one.ci_low), default=None),
        float(grid[-1]),
        int(rows["n_runs"].min()),
    )


def safe_answers(table: pd.DataFrame) -> dict[str, SafeAnswer]:
    """The answer for all classes and for each group that has one."""
    answers = {scope: safe_answer(table, scope) for scope in (ALL, *GROUPS)}
    return {scope: answer for scope, answer in answers.items() if answer}


def ratio_bounds(
    moments: pd.DataFrame, confidence: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Relative change pruned / dense - 1 and its one-sided bounds, by row of PAIRED_MOMENTS.

    Variances are those of pruned - r dense at the ratio r that was found, over dense squared (the
    delta method), so pruned equal to dense in every run and patient gives 0, 0, 0. Missing where
    dense is 0; the lower bound is never below -1.
    """
    dense, pruned = (moments[name].to_numpy(float) for name in ("dense", "pruned"))
    known = np.where(dense > 0, dense, np.nan)
    ratio = pruned / known
    patients, runs = (_variance(moments, over, ratio) / known**2 for over in ("patients", "runs"))
    patient_freedom = np.maximum(moments["n_positive_patients"].to_numpy(float) - 1, 1)
    run_freedom = np.maximum(moments["n_runs"].to_numpy(float) - 1, 1)
    total = patients + runs
    weights = patients**2 / patient_freedom + runs**2 / run_freedom
    freedom = np.divide(total**2, weights, out=np.ones(len(total)), where=weights > 0)
    allowance = scipy.stats.t.ppf(confidence, freedom) * np.sqrt(total)
    return ratio - 1, np.maximum(ratio - allowance, 0) - 1, ratio + allowance - 1


def _variance(moments: pd.DataFrame, over: str, ratio: np.ndarray) -> np.ndarray:
    dense, pruned, covariance = (
        moments[f"{over}_{part}"].fillna(0).to_numpy(float)
        for part in ("var_dense", "var_pruned", "cov")
    )
    # Rounding, where pruned and dense are nearly the same, must not make it negative.
    return np.maximum(pruned - 2 * ratio * covariance + ratio**2 * dense, 0)


def _break_of(rows: pd.DataFrame) -> ClassBreak:
    rows = rows.sort_values("sparsity")
    broken = rows[~rows["safe_so_far"]]
    safe = rows[rows["safe_so_far"]]
    unsafe = rows[rows["verdict"] == UNSAFE]
    at = (broken if len(broken) else rows.tail(1)).iloc[0]
    return ClassBreak(
        class_name=str(at["class_name"]),
        group=str(at["group"]),
        n_positive=int(at["n_positive"]),
        safe_up_to=float(safe["sparsity"].iloc[-1]) if len(safe) else None,
        breaks_at=float(at["sparsity"]) if len(broken) else None,
        verdict=str(at["verdict"]),
        relative_change=float(at["relative_change"]),
        ci_low=float(at["ci_low"]),
        unsafe_at=float(unsafe["sparsity"].iloc[0]) if len(unsafe) else None,
        too_few=bool((rows["reason"] == TOO_FEW).all()),
        chance_passes=bool(rows["chance_passes"].any()),
    )
