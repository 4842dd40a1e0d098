"""Mean AP against sparsity, and the first sparsity at which it is significantly below dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import CONFIDENCE, fixed_sequence, paired_p, t_interval, welch_p
from core.analysis.decay import complete_runs, mean_over_classes, pruned_sparsities
from core.study.columns import SHARED, Column, Columns, Unit, interval

OVERALL = Columns(
    SHARED.only("sparsity", "n_runs"),
    Column("mean_ap", "Mean over runs of mAP.", Unit.METRIC, "mAP"),
    Column("median_ap", "Median over runs of mAP (what the paper plots).", Unit.METRIC),
    interval(of="the 95 % interval", unit=Unit.METRIC),
    Column("difference", "Mean over runs of mAP pruned minus dense of the same run.",
           Unit.DIFFERENCE, "Against dense"),
    interval("difference_ci", unit=Unit.DIFFERENCE, label="{} 95 % of it"),
    Column("interval_over", "`runs and patients`; `runs` on a page that shows a subgroup."),
    Column("welch_p", "Welch's t test against dense, each sparsity by itself (paper).", Unit.P,
           "Welch p (paper)"),
    Column("paired_p", "t test of the paired differences in fixed sequence: the largest p from the "
           "highest sparsity down to this one; 1 where mAP is not below dense (corrected).",
           Unit.P, "Paired p, fixed sequence (corrected)"),
    Column("paired_p_raw", "t test of the paired differences at this sparsity by itself.", Unit.P),
    Column("first_significant_paper", "The first sparsity below dense with `welch_p` < 0.05.",
           Unit.SPARSITY),
    Column("first_significant_corrected", "The first one with `paired_p` < 0.05: mAP is "
           "significantly below dense from there on.", Unit.SPARSITY),
    what="Mean AP against sparsity, and from where on it is significantly below dense.",
    row="a sparsity",
)  # fmt: skip


@dataclass(frozen=True)
class Overall:
    """OVERALL, one row per sparsity.

    Takes the class metrics table and, where there are any, `Moments.of_mean`. mAP is the unweighted
    mean of `metric` over classes. The intervals are over runs and patients
    (`bootstrap.t_interval`) and speak for other trainings and other patients. Without moments, as
    of a subgroup, they are over runs and speak for other trainings on these test images. The
    p-values are two-sided, over runs; they and the intervals are missing below two runs.

    The fixed sequence of paired_p is that of Maurer et al. 1995: the chance that any sparsity from
    first_significant_corrected on is called below dense wrongly is at most alpha. Neither
    first_significant is True anywhere without one.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE
    alpha: float = 0.05

    def __call__(
        self, class_metrics: pd.DataFrame, mean_moments: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        means = mean_over_classes(class_metrics, self.metric)
        wide = means.pivot(index="run", columns="sparsity", values="mean_ap").astype(float)
        if 0 not in wide.columns:
            return pd.DataFrame(columns=OVERALL.names)
        spreads = _over_patients(mean_moments, self.metric)
        table = pd.DataFrame([self._row(wide, s, spreads.get(s)) for s in sorted(wide.columns)])
        raw, below = table["paired_p_raw"], table["difference"] < 0
        in_order = raw.where(below | raw.isna(), 1.0)  # not below dense ends the sequence
        table["paired_p"] = fixed_sequence(in_order.to_numpy(float)[::-1])[::-1]
        table["first_significant_paper"] = _first(below & (table["welch_p"] < self.alpha))
        table["first_significant_corrected"] = _first(table["paired_p"] < self.alpha)
        return table[OVERALL.names]

    def _row(
        self, wide: pd.DataFrame, sparsity: float, spread: _Spread | None
    ) -> dict[str, float | str]:
        values, dense = wide[sparsity].to_numpy(), wide[0].to_numpy()
        differences = values - dense
        known = spread or _Spread(0.0, 0.0, 2)
        low, high = t_interval(values, self.confidence, known.level_se, known.n_patients)
        d_low, d_high = t_interval(
            differences, self.confidence, known.difference_se, known.n_patients
        )
        is_dense = sparsity == 0
        there = values[~np.isnan(values)]
        return {
            "sparsity": float(sparsity),
            "n_runs": len(there),
            "mean_ap": float(there.mean()) if len(there) else np.nan,
            "median_ap": float(np.median(there)) if len(there) else np.nan,
            "ci_low": low,
            "ci_high": high,
            "difference": float(np.nanmean(differences))
            if (~np.isnan(differences)).any()
            else np.nan,
            "difference_ci_low": d_low,
            "difference_ci_high": d_high,
            "interval_over": "runs and patients" if spread else "runs",
            "welch_p": np.nan if is_dense else welch_p(values, dense),
            "paired_p_raw": np.nan if is_dense else paired_p(differences),
        }


@dataclass(frozen=True)
class _Spread:
    """Standard errors over patients of a mean metric and of its difference from dense."""

    level_se: float
    difference_se: float
    n_patients: int


def _over_patients(mean_moments: pd.DataFrame | None, metric: str) -> dict[float, _Spread]:
    """By sparsity; dense by the sparsity that most runs have."""
    if mean_moments is None:
        return {}
    found, of_dense = {}, (0, 0.0, 2)
    for row in mean_moments[mean_moments["metric"] == metric].itertuples():
        # Rounding, where pruned and dense are nearly the same, must not make it negative.
        variance = row.patients_var_pruned + row.patients_var_dense - 2 * row.patients_cov
        n_patients = int(row.n_positive_patients)
        pruned_se, difference_se = np.sqrt([row.patients_var_pruned, max(variance, 0.0)])
        found[row.sparsity] = _Spread(float(pruned_se), float(difference_se), n_patients)
        if row.n_runs > of_dense[0]:
            of_dense = (row.n_runs, float(np.sqrt(row.patients_var_dense)), n_patients)
    if found:
        found[0.0] = _Spread(of_dense[1], 0.0, of_dense[2])
    return found


def _first(flags: pd.Series) -> pd.Series:
    """True at the first True only."""
    return flags & (flags.cumsum() == 1)


@dataclass(frozen=True)
class BesideWhole:
    """mAP of some test images, dense and pruned, and of all of them over the same classes: the
    `n_classes` of `of_classes` that have an AP among the former. Means over `n_runs` runs."""

    sparsity: float
    n_runs: int
    n_classes: int
    of_classes: int
    dense: float
    pruned: float
    whole_dense: float
    whole_pruned: float


def mean_ap_beside_whole(
    part: pd.DataFrame, whole: pd.DataFrame, near: float = 0.9
) -> BesideWhole | None:
    """Of the class metrics of some test images and of all, at the pruned sparsity next to `near`;
    None where no run has dense and pruned metrics, or no class an AP."""
    pruned = pruned_sparsities(part)
    defined = part.groupby("class_name")["ap"].count() > 0
    if not pruned or 0 not in set(part["sparsity"]) or not defined.any():
        return None
    at = min(pruned, key=lambda sparsity: abs(sparsity - near))
    names = defined.index[defined]
    means = []
    for table in (part, whole):
        kept = table[table["class_name"].isin(names) & table["sparsity"].isin([0, at])]
        n_runs = complete_runs(kept, (0, at))
        by_run = mean_over_classes(kept).pivot(index="run", columns="sparsity", values="mean_ap")
        means += list(by_run.dropna().mean()[[0, at]])
    return BesideWhole(at, n_runs, len(names), len(defined), *means) if n_runs else None
