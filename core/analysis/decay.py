"""How each class's AP decays with sparsity, after Holste et al., MICCAI 2023, section 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class RelativeChange:
    """(metric_s - metric_0) / metric_0 per run and class.

    Takes the class metrics table, returns it with `relative_change`; missing where the dense
    metric of that run is missing or 0. `metric` is ap, calibrated_ap or auroc.
    """

    metric: str = "ap"

    def __call__(self, class_metrics: pd.DataFrame) -> pd.DataFrame:
        dense = class_metrics.loc[
            class_metrics["sparsity"] == 0, ["run", "class_name", self.metric]
        ].rename(columns={self.metric: "dense"})
        table = class_metrics.merge(dense, on=["run", "class_name"], how="left")
        reference = table["dense"].where(table["dense"] != 0)
        table["relative_change"] = (table[self.metric] - reference) / reference
        return table.drop(columns="dense")


@dataclass(frozen=True)
class ForgettabilityCurves:
    """Median over runs of the relative change, per class and sparsity.

    Returns class_name, sparsity, relative_ap_change, lower, upper (quartiles over runs), n_runs.
    A class without a defined change at a sparsity has a missing value there.
    """

    metric: str = "ap"

    def __call__(self, class_metrics: pd.DataFrame) -> pd.DataFrame:
        changes = RelativeChange(self.metric)(class_metrics)
        band = band_over_runs(changes, "relative_change", ["class_name", "sparsity"])
        return band.rename(columns={"median": "relative_ap_change"})


def mean_over_classes(class_metrics: pd.DataFrame, metric: str = "ap") -> pd.DataFrame:
    """run, sparsity, mean_ap (unweighted mean over the classes that have the metric), n_classes."""
    cells = class_metrics.groupby(["run", "sparsity"])[metric]
    return cells.agg(mean_ap="mean", n_classes="count").reset_index()


def wide_curves(curves: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Class names, sparsities (s,) and relative changes (classes, s), NaN where missing."""
    wide = curves.pivot(index="class_name", columns="sparsity", values="relative_ap_change")
    wide = wide.reindex(curves["class_name"].unique())
    return list(wide.index), wide.columns.to_numpy(float), wide.to_numpy(float)


def band_over_runs(table: pd.DataFrame, value: str, keys: list[str]) -> pd.DataFrame:
    """keys, median, lower and upper quartile over runs, n_runs."""
    groups = table.groupby(keys, sort=False)[value]
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    quartiles.columns = ["lower", "median", "upper"]
    return quartiles.assign(n_runs=groups.count()).reset_index()


def pruned_sparsities(class_metrics: pd.DataFrame) -> list[float]:
    """The grid points above 0 that have any metrics, rising."""
    return sorted(float(s) for s in class_metrics["sparsity"].unique() if s > 0)


def n_runs(class_metrics: pd.DataFrame) -> int:
    """Runs that have any metrics."""
    return int(class_metrics["run"].nunique())


def complete_runs(class_metrics: pd.DataFrame, sparsities: tuple[float, ...] = ()) -> int:
    """How many runs `of_complete_runs` has."""
    return int(of_complete_runs(class_metrics, sparsities)["run"].nunique())


def of_complete_runs(
    class_metrics: pd.DataFrame, sparsities: tuple[float, ...] = ()
) -> pd.DataFrame:
    """The rows of runs that have every sparsity of the grid; without one, every sparsity that any
    run has."""
    wanted = len(sparsities) or class_metrics["sparsity"].nunique()
    return class_metrics[class_metrics.groupby("run")["sparsity"].transform("nunique") >= wanted]


def defined_classes(class_metrics: pd.DataFrame, metric: str = "ap") -> tuple[int, int]:
    """How many classes have the metric somewhere, and how many nowhere."""
    defined = class_metrics.groupby("class_name")[metric].count() > 0
    return int(defined.sum()), int((~defined).sum())
