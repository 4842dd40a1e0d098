"""Up to which sparsity no class is worse than dense by more than a margin.

A test of non-inferiority (Piaggio et al., CONSORT extension for non-inferiority trials, JAMA 2012)
per class and sparsity, of the ratio of the mean metrics of pruned and dense models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import CONFIDENCE, combined_half_width, combined_p, from_the_top
from core.analysis.ratio import ratio_variances, variance_at
from core.study.columns import SHARED, Column, Columns, Unit
from core.study.labels import FEW_PATIENTS, GROUPS, untrained

MARGIN = 0.10
SAFE, CANNOT_TELL, UNSAFE = "safe", "cannot tell", "unsafe"
TOO_FEW, NOT_FOUND = "too few patients", "the dense model does not find this class"
UNTRAINED = "no training image carries this class"
STRADDLES, UNCORRECTED = (
    "interval reaches over the margin",
    "below the margin, but not after correction for all classes and sparsities",
)
ABOVE, BELOW = "lower bound above the margin", "below the margin after correction"
SAFE_SPARSITY = Columns(
    SHARED.only("class_name", "group", "n_positive", "n_positive_patients", "sparsity"),
    Column("dense", "Mean Somers' D, or other metric, over runs of the dense models.",
           Unit.METRIC, "Dense"),
    Column("pruned", "Mean Somers' D, or other metric, over runs of the pruned models.",
           Unit.METRIC, "Pruned"),
    Column("relative_change", "`pruned` over `dense`, minus 1.", Unit.BOUND, "Change"),
    Column("ci_low", "One-sided 95 % lower bound of the change.", Unit.BOUND, "Lower"),
    Column("ci_high", "One-sided 95 % upper bound of the change.", Unit.BOUND, "Upper"),
    Column("smallest_margin", "The smallest margin at which the class would be safe here; missing "
           "where it is not judged.", Unit.MARGIN, "Smallest margin"),
    Column("unsafe_p", "That the loss is no more than the margin: one-sided p, in fixed sequence "
           "from the highest sparsity down, times the number of classes (Bonferroni).", Unit.P),
    Column("verdict", "`safe`, `unsafe` or `cannot tell`, by ranking.", label="By ranking"),
    Column("reason", "Why the verdict is so.", label="Why, by ranking"),
    Column("safe_so_far", "Safe here and at every smaller sparsity."),
    Column("chance_passes", "A classifier that knows nothing would pass too: `safe` says little."),
    SHARED["n_runs"],
    Column("interval_over", "`patients`, or `runs and patients`."),
)  # fmt: skip
ALL = "all"


@dataclass(frozen=True)
class SafeSparsity:
    """SAFE_SPARSITY, one row per class that has a positive and per sparsity above 0.

    Takes `paired_moments`, class frequencies and chance levels of `metric`. ci_low and ci_high are
    one-sided bounds, each with `confidence`. verdict: "safe" where ci_low is above -margin
    (non-inferior), "unsafe" where unsafe_p is below 1 - confidence (demonstrably worse), else
    "cannot tell": fewer than min_patients patients with the class, no training image with it, a
    dense model that does not find it (its own lower bound reaches down to chance), or an interval
    on both sides of the margin.

    The variance of the ratio is that over patients (infinitesimal jackknife, which a paired
    bootstrap over patients tends to) and that over runs, put together as `combined_half_width`
    does. One run: over patients only, told by interval_over. Simulated
    (tests/analysis/test_safe_sparsity.py), a class exactly at the margin is called safe in at most
    5 % of studies from 25 patients with the class on.

    Multiplicity: that *all* classes are non-inferior needs each test passed (intersection-union,
    Berger 1982), and sparsities are taken in rising order up to the first that fails (fixed
    sequence, Maurer et al. 1995). Neither needs a correction: the chance that "all classes are
    safe up to s" claims too much is at most 1 - confidence. The claims for the groups are
    separate ones, each with that chance.

    The chance that *any* class is called unsafe wrongly, at any sparsity, is at most
    1 - confidence: unsafe_p is the one-sided p in fixed sequence from the highest sparsity down (a
    class is unsafe only where it is at every higher sparsity too), times the number of classes
    judged (Bonferroni). Holm's steps over classes at every sparsity would not keep it: simulated
    with classes that become unsafe one after another, some class is called so wrongly in 17 % of
    studies, because a step taken at one sparsity is not taken at the next; Bonferroni, in 5 %.
    """

    metric: str = "somers_d"
    margin: float = MARGIN
    confidence: float = CONFIDENCE
    min_patients: int = FEW_PATIENTS

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1 or not 0.5 <= self.confidence < 1 or self.min_patients < 1:
            raise ValueError(
                "margin lies in (0, 1), confidence in [0.5, 1), min_patients is 1 or more"
            )

    def __call__(
        self, moments: pd.DataFrame, frequencies: pd.DataFrame, chance: pd.Series
    ) -> pd.DataFrame:
        table = frequencies[["class_name", "group"]].merge(
            moments[moments["metric"] == self.metric], on="class_name"
        )
        if table.empty:
            return pd.DataFrame(columns=SAFE_SPARSITY.names)
        order = pd.Index(frequencies["class_name"]).get_indexer(table["class_name"])
        table = table.iloc[np.lexsort((table["sparsity"], order))].reset_index(drop=True)
        change, low, high = ratio_bounds(table, self.confidence)
        table = table.assign(relative_change=change, ci_low=low, ci_high=high)
        level = table["class_name"].map(chance).to_numpy(float)
        few = table["n_positive_patients"] < max(self.min_patients, 2)
        never = table["class_name"].isin(untrained(frequencies))
        missed = self._not_found(table, level) | never
        judged = ~few & ~missed
        table["smallest_margin"] = np.where(judged, np.maximum(-low, 0), np.nan)
        table["unsafe_p"] = self._unsafe_p(table, few.to_numpy())
        safe = low > -self.margin
        unsafe = (table["unsafe_p"] < 1 - self.confidence).to_numpy() & judged.to_numpy()
        verdicts = [CANNOT_TELL, SAFE, UNSAFE]
        table["verdict"] = np.select([~judged, safe, unsafe], verdicts, default=CANNOT_TELL)
        table["reason"] = np.select(
            [few, never, missed, safe, unsafe, high < -self.margin],
            [TOO_FEW, UNTRAINED, NOT_FOUND, ABOVE, BELOW, UNCORRECTED],
            default=STRADDLES,
        )
        table["safe_so_far"] = (
            (table["verdict"] == SAFE).groupby(table["class_name"]).cumprod().astype(bool)
        )
        table["chance_passes"] = level >= (1 - self.margin) * table["dense"]
        table["interval_over"] = np.where(table["n_runs"] > 1, "runs and patients", "patients")
        return table[SAFE_SPARSITY.names]

    def _not_found(self, table: pd.DataFrame, chance: np.ndarray) -> pd.Series:
        """Whether dense reaches down to chance, per class, judged where most runs are."""
        half = combined_half_width(
            np.sqrt(table["runs_var_dense"]),
            table["n_runs"],
            np.sqrt(table["patients_var_dense"]),
            table["n_positive_patients"],
            2 * self.confidence - 1,
        )
        misses = pd.Series(table["dense"].to_numpy() - half <= chance, table.index)
        most = table.groupby("class_name")["n_runs"].idxmax()
        return table["class_name"].map(misses[most].set_axis(most.index))

    def _unsafe_p(self, table: pd.DataFrame, few: np.ndarray) -> np.ndarray:
        """Per row of a table sorted by class and sparsity; missing for too few patients. Classes
        that dense does not find count too, since that is seen in the data only."""
        # At the ratio of the margin, not at the one found (Fieller): so far out in the tail as many
        # classes ask for, the delta method of `ratio_bounds` errs twice as often as it says.
        kept = np.full(len(table), 1 - self.margin)
        errors = [np.sqrt(variance_at(table, over, kept)) for over in ("runs", "patients")]
        below = kept * table["dense"] - table["pruned"]
        n_runs, n_patients = table["n_runs"], table["n_positive_patients"]
        p = combined_p(below, errors[0], n_runs, errors[1], n_patients)
        n_classes = table.loc[~few, "class_name"].nunique()
        p = from_the_top(np.where(few, np.nan, p), table["class_name"])
        return np.minimum(p * n_classes, 1)


@dataclass(frozen=True)
class ClassBreak:
    """A class: the first sparsity at which it is not safe and what is known there, and the sparsity
    from which on it is demonstrably unsafe. None: nowhere."""

    class_name: str
    breaks_at: float | None
    verdict: str
    relative_change: float
    ci_low: float
    unsafe_at: float | None
    too_few: bool
    not_found: bool
    chance_passes: bool

    @property
    def judged(self) -> bool:
        return not (self.too_few or self.not_found)


@dataclass(frozen=True)
class SafeAnswer:
    """What holds for every class judged in a scope: all classes, or one group.

    n_classes: those judged, which have enough patients and a dense model that finds them.
    safe_up_to: largest sparsity of the grid with every class safe there and before; None where
    there is none, or no class is judged. first: the class that breaks first, by sparsity, then
    by its lower bound. first_unsafe: the first demonstrably unsafe one. shown_at, smallest_margin:
    at safe_up_to, or at the lowest sparsity where there is none, the smallest margin at which
    every class judged would be safe. tried: the sparsities of the grid above 0.
    """

    scope: str
    n_classes: int
    too_few: tuple[str, ...]
    not_found: tuple[str, ...]
    chance_passes: tuple[str, ...]
    safe_up_to: float | None
    first: ClassBreak | None
    first_unsafe: ClassBreak | None
    last_sparsity: float
    n_runs: int
    shown_at: float
    smallest_margin: float
    tried: tuple[float, ...] = ()


def class_breaks(table: pd.DataFrame) -> list[ClassBreak]:
    """One per class of SAFE_SPARSITY, the first to break first, those not judged last."""
    breaks = [_break_of(rows) for _, rows in table.groupby("class_name", sort=False)]

    def order(one: ClassBreak) -> tuple:
        beyond = 2.0  # every sparsity
        return not one.judged, beyond if one.breaks_at is None else one.breaks_at, one.ci_low

    return sorted(breaks, key=order)


def safe_answer(table: pd.DataFrame, scope: str = ALL) -> SafeAnswer | None:
    """The answer for "all", "head", "medium" or "tail"; None where the scope has no class."""
    rows = table if scope == ALL else table[table["group"] == scope]
    if rows.empty:
        return None
    breaks = class_breaks(rows)
    enough = [one for one in breaks if one.judged]
    broken = [one for one in enough if one.breaks_at is not None]
    unsafe = [one for one in enough if one.unsafe_at is not None]
    grid = sorted(rows["sparsity"].unique())
    first = min(broken, key=lambda one: (one.breaks_at, one.ci_low), default=None)
    safe = [s for s in grid if enough and (first is None or s < first.breaks_at)]
    shown_at = float(safe[-1] if safe else grid[0])
    return SafeAnswer(
        scope,
        len(enough),
        tuple(one.class_name for one in breaks if one.too_few),
        tuple(one.class_name for one in breaks if one.not_found),
        tuple(one.class_name for one in enough if one.chance_passes),
        float(safe[-1]) if safe else None,
        first,
        min(unsafe, key=lambda one: (one.unsafe_at, one.ci_low), default=None),
        float(grid[-1]),
        int(rows["n_runs"].min()),
        shown_at,
        float(rows.loc[rows["sparsity"] == shown_at, "smallest_margin"].max()),
        tuple(map(float, grid)),
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
    delta method), so pruned equal to dense in every run and patient gives 0, 0, 0; bounds by
    `combined_half_width`. Missing where dense is 0; the lower bound is never below -1.
    """
    ratio, *variances = ratio_variances(moments)
    patients_se, runs_se = np.sqrt(variances)
    allowance = combined_half_width(
        runs_se, moments["n_runs"], patients_se, moments["n_positive_patients"], 2 * confidence - 1
    )
    return ratio - 1, np.maximum(ratio - allowance, 0) - 1, ratio + allowance - 1


def _break_of(rows: pd.DataFrame) -> ClassBreak:
    rows = rows.sort_values("sparsity")
    broken = rows[~rows["safe_so_far"]]
    unsafe = rows[rows["verdict"] == UNSAFE]
    at = (broken if len(broken) else rows.tail(1)).iloc[0]
    return ClassBreak(
        class_name=str(at["class_name"]),
        breaks_at=float(at["sparsity"]) if len(broken) else None,
        verdict=str(at["verdict"]),
        relative_change=float(at["relative_change"]),
        ci_low=float(at["ci_low"]),
        unsafe_at=float(unsafe["sparsity"].iloc[0]) if len(unsafe) else None,
        too_few=bool((rows["reason"] == TOO_FEW).all()),
        not_found=bool(rows["reason"].isin([NOT_FOUND, UNTRAINED]).all()),
        chance_passes=bool(rows["chance_passes"].any()),
    )
