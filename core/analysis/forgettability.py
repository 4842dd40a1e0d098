"""Forgettability with its uncertainty: curves with intervals over runs, and first drops between
grid points. The paper's own numbers are in `decay`; Holste et al., MICCAI 2023, section 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import (
    CONFIDENCE,
    DRAWS,
    SEED,
    percentile_interval,
    resample_counts,
    resampled_medians,
)
from core.analysis.decay import FirstDrop, ForgettabilityCurves, RelativeChange

FORGETTABILITY = ("class_name", "sparsity", "relative_ap_change", "ci_low", "ci_high", "n_runs")


@dataclass(frozen=True)
class ChangeCube:
    """Relative changes as (runs, classes, sparsities), NaN where missing, with their names."""

    runs: list[int]
    class_names: list[str]
    sparsities: np.ndarray
    values: np.ndarray

    @property
    def pruned(self) -> np.ndarray:
        """The values at sparsities above 0."""
        return self.values[:, :, self.sparsities > 0]


def change_cube(
    class_metrics: pd.DataFrame, metric: str = "ap", class_names: list[str] | None = None
) -> ChangeCube:
    """Relative change of every run, class (in order of appearance, or as named) and sparsity."""
    changes = RelativeChange(metric)(class_metrics)
    names = list(changes["class_name"].unique()) if class_names is None else list(class_names)
    runs = sorted(int(run) for run in changes["run"].unique())
    sparsities = np.sort(changes["sparsity"].unique().astype(float))
    wide = changes.pivot(index="run", columns=["class_name", "sparsity"], values="relative_change")
    columns = pd.MultiIndex.from_product([names, sparsities])
    values = wide.reindex(index=runs, columns=columns).to_numpy(float)
    return ChangeCube(
        runs, names, sparsities, values.reshape(len(runs), len(names), len(sparsities))
    )


def curve_draws(cube: ChangeCube, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """(draws, classes, sparsities): the forgettability curves of resampled runs."""
    n_runs, *shape = cube.values.shape
    counts = resample_counts(n_runs, draws, seed)
    return resampled_medians(cube.values.reshape(n_runs, -1), counts).reshape(draws, *shape)


@dataclass(frozen=True)
class Forgettability:
    """The forgettability curves of `metric` with percentile bootstrap intervals over runs.

    Takes the class metrics table. Returns FORGETTABILITY: relative_ap_change is the median over
    runs (paper), the interval is that of the median; all are fractions, -0.2 is a fifth lost.
    The interval is missing below two runs. Runs are resampled, patients are not: it speaks for
    other trainings on this test set. The median of 4 runs cannot be covered with more than
    87.5 %; from about 10 runs on the interval keeps what it promises.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE
    draws: int = DRAWS
    seed: int = SEED

    def __call__(self, class_metrics: pd.DataFrame) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        if len(curves) == 0:
            return pd.DataFrame(columns=list(FORGETTABILITY))
        cube = change_cube(class_metrics, self.metric)
        low, high = percentile_interval(curve_draws(cube, self.draws, self.seed), self.confidence)
        index = pd.MultiIndex.from_product([cube.class_names, cube.sparsities])
        intervals = pd.DataFrame({"ci_low": low.ravel(), "ci_high": high.ravel()}, index=index)
        table = curves.join(intervals, on=["class_name", "sparsity"])
        alone = table["n_runs"] < 2
        table.loc[alone, ["ci_low", "ci_high"]] = np.nan
        return table[list(FORGETTABILITY)]


@dataclass(frozen=True)
class InterpolatedFirstDrop:
    """Where a forgettability curve falls to `-drop`, by linear interpolation (corrected).

    Takes forgettability curves. Returns class_name, first_drop_sparsity (paper),
    first_drop_interpolated and first_drop_censored. The interpolated one lies between the
    paper's grid point and the defined point before it. A class whose curve is known but never
    lies below `-drop` is right-censored: flagged, and without a first drop.
    """

    drop: float = 0.20

    def __call__(self, curves: pd.DataFrame) -> pd.DataFrame:
        table = FirstDrop(self.drop)(curves)
        by_class = dict(list(curves.dropna(subset="relative_ap_change").groupby("class_name")))
        table["first_drop_interpolated"] = [
            self._crossing(by_class.get(name)) for name in table["class_name"]
        ]
        pruned = {name for name, curve in by_class.items() if (curve["sparsity"] > 0).any()}
        known = table["class_name"].isin(pruned)
        table["first_drop_censored"] = known & table["first_drop_sparsity"].isna()
        return table

    def _crossing(self, curve: pd.DataFrame | None) -> float:
        if curve is None:
            return np.nan
        ordered = curve.sort_values("sparsity")
        sparsity = ordered["sparsity"].to_numpy(float)
        change = ordered["relative_ap_change"].to_numpy(float)
        below = np.flatnonzero(change < -self.drop)
        if len(below) == 0:
            return np.nan
        at = below[0]
        if at == 0:
            return float(sparsity[0])
        share = (-self.drop - change[at - 1]) / (change[at] - change[at - 1])
        return float(sparsity[at - 1] + share * (sparsity[at] - sparsity[at - 1]))


def change_at(curves: pd.DataFrame, sparsity: float) -> pd.Series:
    """class_name to relative_ap_change at one sparsity; empty where it is not on the grid."""
    here = curves[np.isclose(curves["sparsity"].astype(float), sparsity)]
    return here.set_index("class_name")["relative_ap_change"]
