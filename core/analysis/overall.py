"""Mean AP against sparsity, and the first sparsity at which it is significantly below dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import CONFIDENCE, holm, paired_p, t_interval, welch_p
from core.analysis.decay import mean_over_classes

OVERALL = (
    "sparsity",
    "n_runs",
    "mean_ap",
    "median_ap",
    "ci_low",
    "ci_high",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "interval_over",
    "welch_p",
    "paired_p",
    "paired_p_raw",
    "first_significant_paper",
    "first_significant_corrected",
)


@dataclass(frozen=True)
class Overall:
    """OVERALL, one row per sparsity.

    Takes the class metrics table and, where it is known, `patient_spread`. mean_ap and median_ap
    (what the paper plots) are over runs of the unweighted mean of `metric` over classes;
    difference is the mean over runs of pruned minus dense of the same run. Intervals are
    Student's over runs, as the paired test is, so that interval and p-value agree: both speak
    for other trainings on this test set. With patient_spread the intervals add the variance over
    patients and speak for other patients too; the p-values remain over runs. interval_over says
    which: "runs" or "runs and patients". patient_spread is that of AP, not of other metrics.

    welch_p (paper): Welch's t test against dense, unadjusted. paired_p (corrected): one-sample t
    test of the differences, Holm over the sparsities > 0; paired_p_raw before Holm. p-values and
    intervals are missing below two runs. The first_significant flags mark the smallest
    sparsity whose mean is below dense with p < alpha; nowhere True where there is none.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE
    alpha: float = 0.05

    def __call__(
        self, class_metrics: pd.DataFrame, patient_spread: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        means = mean_over_classes(class_metrics, self.metric)
        wide = means.pivot(index="run", columns="sparsity", values="mean_ap").astype(float)
        if 0 not in wide.columns:
            return pd.DataFrame(columns=list(OVERALL))
        spread = {} if patient_spread is None else patient_spread.set_index("sparsity").T.to_dict()
        rows = [self._row(wide, s, spread.get(s)) for s in sorted(wide.columns)]
        table = pd.DataFrame(rows)
        table["paired_p"] = holm(table["paired_p_raw"].to_numpy(float))
        below = table["difference"] < 0
        table["first_significant_paper"] = _first(below & (table["welch_p"] < self.alpha))
        table["first_significant_corrected"] = _first(below & (table["paired_p"] < self.alpha))
        return table[list(OVERALL)]

    def _row(
        self, wide: pd.DataFrame, sparsity: float, spread: dict[str, float] | None
    ) -> dict[str, float | str]:
        values, dense = wide[sparsity].to_numpy(), wide[0].to_numpy()
        differences = values - dense
        known = spread or {"mean_ap_se": 0.0, "difference_se": 0.0, "n_patients": 2}
        n_patients = int(known["n_patients"])
        low, high = t_interval(values, self.confidence, known["mean_ap_se"], n_patients)
        d_low, d_high = t_interval(differences, self.confidence, known["difference_se"], n_patients)
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


def _first(flags: pd.Series) -> pd.Series:
    """True at the first True only."""
    return flags & (flags.cumsum() == 1)
