"""How the shipped figures of the phantoms were made from the labels of NIH ChestX-ray14."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from core.datasets.phantom.figures import FIGURES_FILE

RAW = json.loads(FIGURES_FILE.read_text(encoding="utf-8"))
MEASURED: tuple[str, ...] = tuple(RAW["measured"])  # the others' counts are estimated
PAIRS: dict[frozenset[str], int] = {
    frozenset(pair.split("|")): count for pair, count in RAW["pairs"].items()
}


def shipped_iou(a: str, b: str) -> float:
    """n_ab / (n_a + n_b - n_ab)."""
    both = PAIRS[frozenset((a, b))]
    return both / (RAW["counts"][a] + RAW["counts"][b] - both)


def measure(labels: pd.DataFrame) -> tuple[dict[str, int], dict[frozenset[str], int]]:
    """Counts and pair counts of a table whose columns are classes and whose values are 1 or 0."""
    matrix = labels.to_numpy(dtype=np.int64)
    together = matrix.T @ matrix
    names = list(labels.columns)
    counts = {name: int(together[i, i]) for i, name in enumerate(names)}
    pairs = {
        frozenset((names[i], names[j])): int(together[i, j])
        for i, j in combinations(range(len(names)), 2)
    }
    return counts, pairs


def latent_correlation(frequency_a: float, frequency_b: float, frequency_both: float) -> float:
    """Correlation of two standard normals that exceed their thresholds together this often
    (tetrachoric).

    Thresholds are those exceeded with `frequency_a` and `frequency_b`; the answer lies in [-0.95,
    0.95].
    """
    point = [norm.ppf(frequency_a), norm.ppf(frequency_b)]

    def excess(r: float) -> float:
        return float(multivariate_normal.cdf(point, cov=[[1, r], [r, 1]])) - frequency_both

    low, high = -0.95, 0.95
    if excess(low) >= 0:
        return low
    if excess(high) <= 0:
        return high
    return float(brentq(excess, low, high, xtol=1e-5))


def nearest_correlation(matrix: np.ndarray) -> np.ndarray:
    """The matrix with negative eigenvalues lifted to a small positive one and the diagonal set back
    to 1."""
    values, vectors = np.linalg.eigh(matrix)
    lifted = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return lifted / np.outer(scale, scale)
