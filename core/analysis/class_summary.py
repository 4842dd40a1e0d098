"""One row per class: how frequent it is, when it is first forgotten, and what is left at 95 %."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import benjamini_hochberg, paired_p
from core.analysis.decay import ForgettabilityCurves
from core.analysis.forgettability import InterpolatedFirstDrop, change_at
from core.analysis.onset import ONSETS
from core.study.columns import SHARED, Column, Columns, Unit
from core.study.labels import FEW_PATIENTS, UNSTABLE

EXTREME_SPARSITY = 0.95
ONSET = Columns(
    ONSETS.but("class_name", "onset_se"),
    Column("judged", f"True where at least {FEW_PATIENTS} patients have the class and the dense "
           "model finds it: only of these something is concluded.", label="Judged"),
)  # fmt: skip
CLASS_SUMMARY = Columns(
    SHARED.only("class_name", "group", "train_frequency", "test_frequency", "n_positive"),
    SHARED["n_positive_patients"], ONSET,
    Column("first_drop_sparsity", "Smallest sparsity of the grid with the metric's curve below "
           "-20 %; missing where it never is (paper).", Unit.SPARSITY, "First drop, grid (paper)"),
    Column("first_drop_interpolated", "Sparsity at which the curve falls below -20 %, read "
           "between grid points; missing where those are more than 10 points apart.",
           Unit.SPARSITY, "First drop, interpolated"),
    Column("first_drop_censored", "True where the curve is known and never falls that far.",
           label="Never dropped"),
    Column("relative_ap_change_at_95", "Relative change of AP at 95 % sparsity (paper).",
           Unit.CHANGE, "AP at 95 %"),
    Column("relative_calibrated_ap_change_at_95", "Relative change of calibrated AP at 95 % "
           "sparsity.", Unit.CHANGE, "Calibrated AP at 95 %"),
    Column("p_value", "t test over runs that the metric at 95 % equals dense.", Unit.P, "p"),
    Column("q_value", "Benjamini-Hochberg of `p_value` over the classes.", Unit.P, "q"),
    Column("n_runs", "Runs with the metric both dense and at 95 %, which `p_value` is from; 0 on a "
           "grid without 95 %.", label="Runs"),
    UNSTABLE,
    what="When each class is first forgotten, and what is left of it at 95 % sparsity.",
    row="a class",
)  # fmt: skip


@dataclass(frozen=True)
class ClassSummary:
    """CLASS_SUMMARY, in the order of the frequencies table.

    Takes the class metrics table, class frequencies and, where they are known, `class_onsets`
    (corrected: `onset.Onsets` of Somers' D with `judged`; missing in a subgroup). First drops and
    p_value, of a one-sample t test, are of `metric`; changes at 95 % are medians over runs. p and q
    are missing below two runs, and everything at 95 % where the grid does not hold 0.95.
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
        table = table.reindex(columns=list(dict.fromkeys([*table.columns, *ONSET])))
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
        return table[CLASS_SUMMARY.names]


def run_differences(class_metrics: pd.DataFrame, metric: str, sparsity: float) -> pd.Series:
    """`metric` at `sparsity` minus dense, indexed by class_name and run; runs with both only."""
    keys = ["class_name", "run"]
    grid = class_metrics["sparsity"].astype(float)
    dense = class_metrics[grid == 0].set_index(keys)[metric].astype(float)
    pruned = class_metrics[np.isclose(grid, sparsity)].set_index(keys)[metric].astype(float)
    return (pruned - dense).dropna()
