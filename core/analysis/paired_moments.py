"""How well the mean metric of dense and of pruned models is known, both on the same patients and
from the same runs: all that any margin, confidence or least number of patients asks for."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import DRAWS, SEED
from core.analysis.influence import METRICS, influences

PAIRED_MOMENTS = (
    "metric",
    "class_name",
    "sparsity",
    "n_runs",
    "n_positive",
    "n_positive_patients",
    "dense",
    "pruned",
    "patients_var_dense",
    "patients_var_pruned",
    "patients_cov",
    "runs_var_dense",
    "runs_var_pruned",
    "runs_cov",
)
MEAN_MOMENTS = tuple(name for name in PAIRED_MOMENTS if name not in ("class_name", "n_positive"))
DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class Moments:
    """What one reading of all predictions tells.

    by_class: PAIRED_MOMENTS, one row per metric, class with a positive, and sparsity above 0.
    of_mean: MEAN_MOMENTS, the same of the unweighted mean over the classes that have the metric;
    n_positive_patients are those with any class.
    patient_draws: draw, sparsity (0 too) and a float32 `draw_column` per class: what each of DRAWS
    other draws of patients adds to the mean over runs of Somers' D. Linear in them (multiplier
    bootstrap of the influences), so of the variance that by_class gives, and the same patients
    for every class and sparsity; NaN where there is no Somers' D.
    """

    by_class: pd.DataFrame
    of_mean: pd.DataFrame
    patient_draws: pd.DataFrame


def draw_column(class_name: str) -> str:
    """The column of a class in `Moments.patient_draws`; a class may be called "draw"."""
    return f"class={class_name}"


def paired_moments(
    labels: np.ndarray,
    class_names: list[str],
    patient_ids: pd.Series | np.ndarray,
    cells: Iterable[tuple[float, np.ndarray, np.ndarray]],
    draws: int = DRAWS,
    seed: int = SEED,
) -> Moments:
    """`Moments` of ap, calibrated_ap, auroc and somers_d.

    labels (images, classes) of 1, 0, NaN; cells yields (sparsity, dense, pruned) of one run each,
    both (images, classes), and is read once. `dense` and `pruned` are means over the runs that
    have both. The variances and the covariance are of these means: over patients by the
    infinitesimal jackknife of the run means (`influence`), which the bootstrap tends to, times
    n / (n - 1) for n patients with the class; over runs the sample ones divided by the number
    of runs, missing for one run.
    """
    codes, patients = pd.factorize(np.asarray(patient_ids))
    sums = _Sums(labels, codes, len(patients))
    dense_seen: tuple[np.ndarray | None, np.ndarray, np.ndarray] = (None, *sums.empty())
    with ThreadPoolExecutor() as pool:
        for sparsity, dense, pruned in cells:
            if dense_seen[0] is not dense:
                dense_seen = (dense, *sums.of_cell(dense, pool))
            if sparsity > 0:
                sums.add(sparsity, dense_seen[1:], sums.of_cell(pruned, pool))
    return sums.moments(class_names, draws, seed)


class _Sums:
    """Values (runs, metrics, classes) and influences (metrics, classes, patients), by sparsity."""

    def __init__(self, labels: np.ndarray, codes: np.ndarray, n_patients: int) -> None:
        self._labels, self._codes, self._n_patients = labels, codes, n_patients
        self._values: dict[float, list[np.ndarray]] = {}
        self._influence: dict[float, np.ndarray] = {}

    def empty(self) -> tuple[np.ndarray, np.ndarray]:
        shape = (len(METRICS), self._labels.shape[1])
        # Single precision: a squared sum of thousands still has six digits.
        return np.full(shape, np.nan), np.zeros((*shape, self._n_patients), np.float32)

    def of_cell(
        self, probabilities: np.ndarray, pool: ThreadPoolExecutor
    ) -> tuple[np.ndarray, np.ndarray]:
        values, of_patients = self.empty()

        def one_class(column: int) -> None:
            found = influences(self._labels[:, column], probabilities[:, column])
            for at, metric in enumerate(METRICS):
                if metric in found:
                    values[at, column] = found[metric].value
                    of_patients[at, column] = np.bincount(
                        self._codes, found[metric].of_images, self._n_patients
                    )

        list(pool.map(one_class, range(self._labels.shape[1])))
        return values, of_patients

    def add(
        self,
        sparsity: float,
        dense: tuple[np.ndarray, np.ndarray],
        pruned: tuple[np.ndarray, np.ndarray],
    ) -> None:
        self._values.setdefault(sparsity, []).append(np.stack([dense[0], pruned[0]]))
        if sparsity not in self._influence:
            self._influence[sparsity] = np.stack([dense[1], pruned[1]])
        else:
            self._influence[sparsity][0] += dense[1]
            self._influence[sparsity][1] += pruned[1]

    def moments(self, class_names: list[str], draws: int, seed: int) -> Moments:
        by_class, of_mean = [], []
        for sparsity, given in sorted(self._values.items()):
            values, influence = np.stack(given), self._influence[sparsity] / len(given)
            for at, metric in enumerate(METRICS):
                there = ~np.isnan(values[:, :, at]).any(axis=(0, 1))
                for column in map(int, np.flatnonzero(there)):
                    positive = self._labels[:, column] == 1
                    pair, over_patients = values[:, :, at, column], influence[:, at, column]
                    n_runs, *rest = _spreads(pair, over_patients, self._n_patients_with(positive))
                    counts = n_runs, int(positive.sum())
                    by_class.append((metric, class_names[column], sparsity, *counts, *rest))
                if there.any():
                    mean = values[:, :, at, there].mean(axis=2)
                    over_patients = influence[:, at, there].mean(axis=1)
                    known = self._labels[:, there] == 1
                    row = _spreads(mean, over_patients, self._n_patients_with(known.any(axis=1)))
                    of_mean.append((metric, sparsity, *row))
        return Moments(
            _with_somers_d(pd.DataFrame(by_class, columns=list(PAIRED_MOMENTS))),
            _with_somers_d(pd.DataFrame(of_mean, columns=list(MEAN_MOMENTS))),
            self._patient_draws(class_names, draws, seed),
        )

    def _n_patients_with(self, positive: np.ndarray) -> int:
        return len(np.unique(self._codes[positive]))

    def _patient_draws(self, class_names: list[str], draws: int, seed: int) -> pd.DataFrame:
        area = METRICS.index("auroc")
        sparsities = sorted(self._influence)
        # Dense is compared with every sparsity over the runs of that one; the last has it too.
        parts = [self._influence[s][1, area] / len(self._values[s]) for s in sparsities]
        if parts:
            last = self._influence[sparsities[-1]][0, area] / len(self._values[sparsities[-1]])
            parts, sparsities = [last, *parts], [0.0, *sparsities]
        names = list(class_names)
        found = np.empty((draws, len(sparsities), len(names)), np.float32)
        scale = np.full(len(names), np.nan)
        for column in range(len(names)):
            n = self._n_patients_with(self._labels[:, column] == 1)
            if n > 1 and (self._labels[:, column] == 0).any():
                scale[column] = 2 * np.sqrt(n / (n - 1))
        rng = np.random.default_rng(seed)
        for begin in range(0, draws, DRAWS_AT_ONCE):
            some = slice(begin, min(begin + DRAWS_AT_ONCE, draws))
            size = (some.stop - begin, self._n_patients)
            weights = rng.standard_normal(size, dtype=np.float32)
            for at, part in enumerate(parts):
                found[some, at] = (weights @ part.T) * scale
        columns = [draw_column(name) for name in names]
        table = pd.DataFrame(found.reshape(-1, len(names)), columns=columns)
        table.insert(0, "draw", np.repeat(np.arange(draws), len(sparsities)))
        table.insert(1, "sparsity", np.tile(sparsities, draws))
        return table


def _spreads(pair: np.ndarray, over_patients: np.ndarray, n_patients: int) -> tuple:
    """MEAN_MOMENTS from n_runs on, of (runs, 2) values and (2, patients) influences."""
    influence = over_patients.astype(float)
    patients = influence @ influence.T * (n_patients / max(n_patients - 1, 1))
    runs = np.full((2, 2), np.nan)
    if len(pair) > 1:
        runs = np.cov(pair, rowvar=False) / len(pair)
    spreads = [part for c in (patients, runs) for part in (c[0, 0], c[1, 1], c[0, 1])]
    return len(pair), n_patients, *pair.mean(axis=0), *spreads


def _with_somers_d(table: pd.DataFrame) -> pd.DataFrame:
    """Somers' D = 2 AUROC - 1: its variances are four times those of AUROC."""
    rows = table[table["metric"] == "auroc"].copy()
    rows["metric"] = "somers_d"
    rows[["dense", "pruned"]] = 2 * rows[["dense", "pruned"]] - 1
    spreads = [name for name in table.columns if name.endswith(("_cov", "_dense", "_pruned"))]
    rows[spreads] *= 4
    return pd.concat([table, rows], ignore_index=True) if len(rows) else table
