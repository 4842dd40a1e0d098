"""Forgettability with its uncertainty: the change of every class's metric over sparsity, for other
runs and other patients, and first drops between grid points. The paper's own numbers are in
`decay`; Holste et al., MICCAI 2023, section 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis import gaps
from core.analysis.bootstrap import CONFIDENCE
from core.analysis.class_changes import OVER_RUNS, ClassChanges, run_moments
from core.analysis.decay import ForgettabilityCurves, RelativeChange
from core.study.columns import SHARED, Column, Columns, Unit, interval

FORGETTABILITY = Columns(
    SHARED.only("class_name", "sparsity"),
    Column("relative_ap_change", "Median over runs of (metric pruned - dense) / dense (paper).",
           Unit.CHANGE),
    Column("lowest", "Lowest of these over the runs.", Unit.CHANGE),
    Column("highest", "Highest of them.", Unit.CHANGE),
    Column("mean_change", "Mean pruned over mean dense, minus 1, over the runs (corrected).",
           Unit.CHANGE),
    interval(of="its 95 % interval; missing below 5 patients with the class", unit=Unit.CHANGE),
    Column("interval_over", "What the interval is over: `runs and patients`; `patients` of one "
           "run; `runs` on a page that shows a subgroup, whose predictions are not read again."),
    SHARED["n_runs"],
    what="The forgettability curves.", row="a class and sparsity",
)  # fmt: skip


@dataclass(frozen=True)
class Forgettability:
    """FORGETTABILITY, one row per class and sparsity; all changes are fractions, -0.2 a fifth lost.

    Takes the class metrics table and `Moments.by_class`; without moments, as in a subgroup, the
    interval is over runs only. mean_change and its interval are those of `ClassChanges`; see there
    where they are missing. At sparsity 0 all changes are 0.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE

    def __call__(
        self, class_metrics: pd.DataFrame, moments: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        if len(curves) == 0:
            return pd.DataFrame(columns=FORGETTABILITY.names)
        keys = ["class_name", "sparsity"]
        each = RelativeChange(self.metric)(class_metrics).groupby(keys)["relative_change"]
        spread = each.agg(lowest="min", highest="max")
        known = run_moments(class_metrics, (self.metric,)) if moments is None else moments
        changes = ClassChanges(self.metric, self.confidence)(known).set_index(keys)
        columns = ["change", "ci_low", "ci_high", "interval_over"]
        table = curves[[*keys, "relative_ap_change", "n_runs"]].join(spread, on=keys)
        table = table.join(changes[columns], on=keys).rename(columns={"change": "mean_change"})
        dense = (table["sparsity"] == 0) & table["relative_ap_change"].notna()
        table.loc[dense, ["mean_change", "ci_low", "ci_high"]] = 0.0
        over = changes["interval_over"].iloc[0] if len(changes) else OVER_RUNS
        table["interval_over"] = table["interval_over"].fillna(over)
        return table[FORGETTABILITY.names]


@dataclass(frozen=True)
class InterpolatedFirstDrop:
    """Where a forgettability curve falls to `-drop`, by linear interpolation.

    Takes forgettability curves. Returns class_name, first_drop_sparsity (paper: the smallest grid
    sparsity at which the curve lies below `-drop`; else missing), first_drop_interpolated and
    first_drop_censored. The interpolated one lies between the paper's grid point and the defined
    point before it, and is missing where those are far apart (`gaps`). A class whose curve is
    known but never lies below `-drop` is right-censored: flagged, and without a first drop.
    """

    drop: float = 0.20

    def __call__(self, curves: pd.DataFrame) -> pd.DataFrame:
        by_class = curves.groupby("class_name", sort=False)
        rows = [(name, *self._drop(curve)) for name, curve in by_class]
        names = ("first_drop_sparsity", "first_drop_interpolated", "first_drop_censored")
        return pd.DataFrame(rows, columns=["class_name", *names])

    def _drop(self, curve: pd.DataFrame) -> tuple[float, float, bool]:
        known = curve.dropna(subset="relative_ap_change").sort_values("sparsity")
        sparsity = known["sparsity"].to_numpy(float)
        change = known["relative_ap_change"].to_numpy(float)
        below = np.flatnonzero(change < -self.drop)
        if len(below) == 0:
            return np.nan, np.nan, bool((sparsity > 0).any())
        at = below[0]
        if at == 0:
            return float(sparsity[0]), float(sparsity[0]), False
        if gaps.is_wide(sparsity[at - 1], sparsity[at]):
            return float(sparsity[at]), np.nan, False
        share = (-self.drop - change[at - 1]) / (change[at] - change[at - 1])
        between = sparsity[at - 1] + share * (sparsity[at] - sparsity[at - 1])
        return float(sparsity[at]), float(between), False


def change_at(curves: pd.DataFrame, sparsity: float) -> pd.Series:
    """class_name to relative_ap_change at one sparsity; empty where it is not on the grid."""
    here = curves[np.isclose(curves["sparsity"].astype(float), sparsity)]
    return here.set_index("class_name")["relative_ap_change"]
