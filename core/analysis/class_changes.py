"""How much of a metric each class has lost at each sparsity, and how sure that is.

The change is mean pruned over mean dense, minus 1, over the runs that have both; its standard
errors are over runs and over patients, and its interval holds for other trainings tested on other
patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE, combined_half_width
from core.analysis.paired_moments import PAIRED_MOMENTS
from core.analysis.ratio import ratio_variances
from core.study.labels import FEW_PATIENTS

# Somers' D has the floor 0 for every class, however few its positives: beyond.md calls it primary.
PRIMARY = "somers_d"
# An interval over fewer patients with the class does not keep what it promises.
LEAST_PATIENTS = 5
OVER_BOTH, OVER_RUNS, OVER_PATIENTS = "runs and patients", "runs", "patients"
CLASS_CHANGES = (
    "class_name",
    "sparsity",
    "dense",
    "pruned",
    "change",
    "se_runs",
    "se_patients",
    "ci_low",
    "ci_high",
    "n_runs",
    "n_positive_patients",
    "interval_over",
    "found",
    "unstable",
)


@dataclass(frozen=True)
class ClassChanges:
    """CLASS_CHANGES, one row per class with a positive and per sparsity above 0.

    Takes `paired_moments`' by_class, or `run_moments` where patients are not known. change is a
    fraction, -0.2 is a fifth lost, with the standard errors of `ratio_variances` and the interval
    of `combined_half_width`; missing below LEAST_PATIENTS patients with the class, where neither
    runs nor patients are known, and where the class is not found. found: the dense model tells
    the class from others, its own metric lies above chance with `confidence`; a change is said of
    no other class. unstable: fewer than FEW_PATIENTS patients with the class.
    """

    metric: str = PRIMARY
    confidence: float = CONFIDENCE

    def __call__(self, moments: pd.DataFrame) -> pd.DataFrame:
        rows = moments[moments["metric"] == self.metric].reset_index(drop=True)
        ratio, over_patients, over_runs = ratio_variances(rows)
        n_runs = rows["n_runs"].to_numpy(int)
        n_patients = rows["n_positive_patients"].to_numpy(int)
        patients_known = rows["patients_var_dense"].notna().to_numpy()
        half = combined_half_width(
            np.sqrt(over_runs), n_runs, np.sqrt(over_patients), n_patients, self.confidence
        )
        found = self._found(rows)
        unknown = ~patients_known & (n_runs < 2)
        half[(n_patients < LEAST_PATIENTS) | unknown | ~found] = np.nan
        over = np.select(
            [patients_known & (n_runs > 1), patients_known], [OVER_BOTH, OVER_PATIENTS], OVER_RUNS
        )
        return rows.assign(
            change=ratio - 1,
            se_runs=np.where(n_runs > 1, np.sqrt(over_runs), np.nan),
            se_patients=np.where(patients_known, np.sqrt(over_patients), np.nan),
            ci_low=ratio - 1 - half,
            ci_high=ratio - 1 + half,
            interval_over=over,
            found=found,
            unstable=n_patients < FEW_PATIENTS,
        )[list(CLASS_CHANGES)]

    def _found(self, rows: pd.DataFrame) -> np.ndarray:
        """Whether dense lies above chance; of AP, whose chance level differs, above 0."""
        chance = {"auroc": 0.5}.get(self.metric, 0.0)
        spread = rows["patients_var_dense"].fillna(0) + rows["runs_var_dense"].fillna(0)
        z = scipy.stats.norm.ppf((1 + self.confidence) / 2)
        return (rows["dense"] - chance > z * np.sqrt(spread)).to_numpy()


def run_moments(class_metrics: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    """PAIRED_MOMENTS of runs only, patients missing: what a subgroup has, whose predictions are
    not read again. n_positive_patients are its positive images."""
    keys = ["run", "class_name"]
    dense = class_metrics[class_metrics["sparsity"] == 0].set_index(keys)
    parts = []
    for metric in metrics:
        pairs = class_metrics[class_metrics["sparsity"] > 0].join(
            dense[metric].rename("paired_dense"), on=keys
        )
        pairs = pairs.dropna(subset=[metric, "paired_dense"]).astype(
            {metric: float, "paired_dense": float}
        )
        groups = pairs.groupby(["class_name", "sparsity"], sort=False)
        n = groups.size()
        cov = groups[["paired_dense", metric]].cov().unstack() if len(pairs) else pd.DataFrame()
        part = pd.DataFrame(
            {
                "n_runs": n,
                "n_positive": groups["n_positive"].max(),
                "n_positive_patients": groups["n_positive"].max(),
                "dense": groups["paired_dense"].mean(),
                "pruned": groups[metric].mean(),
            }
        ).assign(patients_var_dense=np.nan, patients_var_pruned=np.nan, patients_cov=np.nan)
        if len(cov):
            part["runs_var_dense"] = cov[("paired_dense", "paired_dense")] / n
            part["runs_var_pruned"] = cov[(metric, metric)] / n
            part["runs_cov"] = cov[("paired_dense", metric)] / n
        parts.append(part.reset_index().assign(metric=metric))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(PAIRED_MOMENTS))
