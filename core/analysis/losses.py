"""What each class has lost at one sparsity, and each class's curve for display."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.analysis.decay import RelativeChange, band_over_runs
from core.study.columns import SHARED, Column, Columns, Unit
from core.study.labels import FEW_PATIENTS, UNSTABLE

LOSSES = Columns(
    SHARED.only("class_name", "group", "train_frequency", "n_positive", "n_positive_patients"),
    Column("dense", "Median over runs of the dense models.", Unit.METRIC),
    Column("pruned", "Median over runs of the pruned models.", Unit.METRIC),
    Column("relative_change", "What is lost, as a share of dense: the median over runs (paper), or "
           "the ratio of means (corrected).", Unit.CHANGE, "Change"),
    Column("lower", "Lower end of its range.", Unit.CHANGE),
    Column("upper", "Upper end of its range.", Unit.CHANGE),
    SHARED["n_runs"],
    Column("chance_change", "The change at which the class is down to chance.", Unit.CHANGE,
           "Change at chance"),
    UNSTABLE,
)  # fmt: skip

CHANGES = (
    "class_name",
    "group",
    "n_positive_patients",
    "judged",
    "change",
    "lower",
    "upper",
    "lowest",
    "highest",
    "n_runs",
    "interval_over",
)


@dataclass(frozen=True)
class Losses:
    """One row per class at `sparsity`, the most lost first, classes without a change last.

    Takes forgettability curves of the metric, class metrics, class frequencies and chance levels
    (class_name to level). Returns LOSSES. Values are medians over runs, lower and upper quartiles.
    """

    metric: str
    sparsity: float

    def __call__(
        self,
        curves: pd.DataFrame,
        class_metrics: pd.DataFrame,
        frequencies: pd.DataFrame,
        chance: pd.Series,
    ) -> pd.DataFrame:
        band = curves[curves["sparsity"] == self.sparsity].drop(columns="sparsity")
        here = class_metrics[class_metrics["sparsity"] == self.sparsity]
        dense = class_metrics[class_metrics["sparsity"] == 0]
        known = ["class_name", "group", "train_frequency", "test_positive_patients"]
        table = frequencies[known].merge(
            band.rename(columns={"relative_ap_change": "relative_change"}), on="class_name"
        )
        keyed = table["class_name"].map
        table["n_positive"] = keyed(here.groupby("class_name")["n_positive"].max()).astype(int)
        table["dense"] = keyed(dense.groupby("class_name")[self.metric].median())
        table["pruned"] = keyed(here.groupby("class_name")[self.metric].median())
        table["chance_change"] = keyed(chance) / table["dense"].where(table["dense"] != 0) - 1
        table["n_positive_patients"] = table["test_positive_patients"]
        table["unstable"] = table["n_positive_patients"] < FEW_PATIENTS
        return table.sort_values("relative_change", kind="stable", ignore_index=True)[LOSSES.names]


def with_intervals(
    losses: pd.DataFrame, forgettability: pd.DataFrame, sparsity: float
) -> pd.DataFrame:
    """`Losses`' table with the mean changes of `Forgettability` and their 95 % intervals in place
    of the medians and quartiles, and what the intervals are over (corrected)."""
    here = forgettability[forgettability["sparsity"] == sparsity].set_index("class_name")
    names = losses["class_name"]
    table = losses.assign(
        relative_change=names.map(here["mean_change"]),
        lower=names.map(here["ci_low"]),
        upper=names.map(here["ci_high"]),
        interval_over=names.map(here["interval_over"]),
    )
    return table.sort_values("relative_change", kind="stable", ignore_index=True)


def changes_at(
    forgettability: pd.DataFrame, summary: pd.DataFrame, sparsity: float
) -> pd.DataFrame:
    """CHANGES, one row per class with a change at `sparsity`, in the order of the summary.

    Takes `Forgettability`'s table of one metric and `ClassSummary`'s. judged as there, or where
    nothing is known over patients: whether enough patients have the class.
    """
    here = forgettability[forgettability["sparsity"] == sparsity]
    names = {"mean_change": "change", "ci_low": "lower", "ci_high": "upper"}
    judged = summary["judged"] if summary["judged"].any() else ~summary["unstable"]
    table = summary[["class_name", "group", "n_positive_patients"]].assign(judged=judged)
    return table.merge(here.rename(columns=names), on="class_name")[list(CHANGES)]


def class_curves(class_metrics: pd.DataFrame, metric: str, relative: bool) -> pd.DataFrame:
    """class_name, sparsity, median, lower, upper, n_runs of a metric or of its relative change."""
    value = "relative_change" if relative else metric
    table = RelativeChange(metric)(class_metrics) if relative else class_metrics
    return band_over_runs(table, value, ["class_name", "sparsity"])


def banded(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """`table`, its `value` and 95 % interval named as of a band: median, lower, upper."""
    return table.rename(columns={value: "median", "ci_low": "lower", "ci_high": "upper"})


def most_lost(losses: pd.DataFrame, n: int = 3) -> list[str]:
    """The n classes that lost most, leaving out unstable ones while there are others."""
    known = losses[losses["relative_change"].notna()].sort_values("unstable", kind="stable")
    names = known["class_name"] if len(known) else losses["class_name"]
    return list(names[:n])
