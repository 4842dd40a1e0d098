"""How well the mean metric of dense and of pruned models is known, both on the same patients and
from the same runs: all that any margin, confidence or least number of positives asks for."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

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


def paired_moments(
    labels: np.ndarray,
    class_names: list[str],
    patient_ids: pd.Series | np.ndarray,
    cells: Iterable[tuple[float, np.ndarray, np.ndarray]],
) -> pd.DataFrame:
    """PAIRED_MOMENTS, one row per metric, class with a positive, and sparsity above 0.

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
    return sums.table(class_names)


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

    def table(self, class_names: list[str]) -> pd.DataFrame:
        rows = []
        for sparsity, given in sorted(self._values.items()):
            values, influence = np.stack(given), self._influence[sparsity] / len(given)
            for at, metric in enumerate(METRICS):
                for column, name in enumerate(class_names):
                    pair = values[:, :, at, column]
                    if not np.isnan(pair).any():
                        row = self._row(column, pair, influence[:, at, column].astype(float))
                        rows.append((metric, name, sparsity, *row))
        return pd.DataFrame(rows, columns=list(PAIRED_MOMENTS))

    def _row(self, column: int, pair: np.ndarray, over_patients: np.ndarray) -> tuple:
        """PAIRED_MOMENTS from n_runs on, of (runs, 2) values and (2, patients) influences."""
        positive = self._labels[:, column] == 1
        n_patients = len(np.unique(self._codes[positive]))
        patients = over_patients @ over_patients.T * (n_patients / max(n_patients - 1, 1))
        runs = np.full((2, 2), np.nan)
        if len(pair) > 1:
            runs = np.cov(pair, rowvar=False) / len(pair)
        spreads = [part for c in (patients, runs) for part in (c[0, 0], c[1, 1], c[0, 1])]
        return len(pair), int(positive.sum()), n_patients, *pair.mean(axis=0), *spreads
