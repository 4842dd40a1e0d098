"""One row per class: how frequent it is, when it is first forgotten, and what is left at 95 %."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import benjamini_hochberg, paired_p
from core.analysis.decay import ForgettabilityCurves
from core.analysis.forgettability import InterpolatedFirstDrop, change_at
from core.study.labels import FEW_PATIENTS

EXTREME_SPARSITY = 0.95
CLASS_SUMMARY = (
    "class_name",
    "group",
    "train_frequency",
    "test_frequency",
    "n_positive",
    "n_positive_patients",
    "onset",
    "onset_ci_low",
    "onset_ci_high",
    "onset_censored",
    "p_among_first",
    "judged",
    "first_drop_sparsity",
    "first_drop_interpolated",
    "first_drop_censored",
    "relative_ap_change_at_95",
    "relative_calibrated_ap_change_at_95",
    "p_value",
    "q_value",
    "n_runs",
    "unstable",
)
ONSET_COLUMNS = pd.Index(
    ["onset", "onset_ci_low", "onset_ci_high", "onset_censored", "p_among_first", "judged"]
)


@dataclass(frozen=True)
class ClassSummary:
    """CLASS_SUMMARY, in the order of the frequencies table.

    Takes the class metrics table, class frequencies and, where they are known, `class_onsets`
    (corrected: `onset.Onsets` of Somers' D with `judged`; missing in a subgroup).
    first_drop_sparsity (paper: first grid point below -0.20) and first_drop_interpolated (between
    grid points; missing and flagged first_drop_censored where the curve never drops) are of
    `metric`'s forgettability curve. Relative changes at 95 % are medians over runs (paper for ap).
    p_value: one-sample t test over runs that `metric` at 95 % minus dense is 0; q_value:
    Benjamini-Hochberg over the classes. Both missing below two runs. n_positive are test
    positives; unstable below FEW_PATIENTS patients with the class. Everything at 95 % is missing
    where the grid does not hold 0.95.
    """

    metric: str = "ap"

    def __call__(
        self,
        class_metrics: pd.DataFrame,
        frequencies: pd.DataFrame,
        onsets: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        columns = ["class_name", "group", "train_frequency", "test_frequency"]
        table = frequencies[[*columns, "test_positive_patients"]].merge(
            InterpolatedFirstDrop()(curves), on="class_name", how="left"
        )
        table = table.rename(columns={"test_positive_patients": "n_positive_patients"})
        if onsets is not None:
            table = table.merge(onsets, on="class_name", how="left")
        table = table.reindex(columns=[*table.columns, *ONSET_COLUMNS.difference(table.columns)])
        table["judged"] = table["judged"].eq(True)
        table["first_drop_censored"] = table["first_drop_censored"].eq(True)
        names = table["class_name"]
        n_positive = names.map(class_metrics.groupby("class_name")["n_positive"].max())
        table["n_positive"] = n_positive.fillna(0).astype(int)
        for metric in ("ap", "calibrated_ap"):
            of_metric = ForgettabilityCurves(metric)(class_metrics)
            table[f"relative_{metric}_change_at_95"] = names.map(
                change_at(of_metric, EXTREME_SPARSITY)
            ).astype(float)
        differences = run_differences(class_metrics, self.metric, EXTREME_SPARSITY)
        by_class = {name: rows.to_numpy() for name, rows in differences.groupby("class_name")}
        nothing = np.array([])
        table["n_runs"] = [len(by_class.get(name, nothing)) for name in names]
        table["p_value"] = [paired_p(by_class.get(name, nothing)) for name in names]
        table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy())
        table["unstable"] = table["n_positive_patients"] < FEW_PATIENTS
        return table[list(CLASS_SUMMARY)]


def run_differences(class_metrics: pd.DataFrame, metric: str, sparsity: float) -> pd.Series:
    """`metric` at `sparsity` minus dense, indexed by class_name and run; runs with both only."""
    keys = ["class_name", "run"]
    grid = class_metrics["sparsity"].astype(float)
    dense = class_metrics[grid == 0].set_index(keys)[metric].astype(float)
    pruned = class_metrics[np.isclose(grid, sparsity)].set_index(keys)[metric].astype(float)
    return (pruned - dense).dropna()
