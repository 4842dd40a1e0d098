"""How often findings occur and co-occur in NIH-CXR-LT: the shipped figures, and how they were made.

Counts of the 14 labels of NIH ChestX-ray14 are measured over all 112,120 images; the five findings
that NIH-CXR-LT adds are estimates (the file says so for each). Only figures are shipped, no row of
the data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

FIGURES_FILE = Path(__file__).resolve().parents[3] / "data" / "phantoms" / "nih-cxr14-figures.json"
NO_FINDING = "No Finding"


@dataclass(frozen=True)
class Figures:
    """Counts over `n_images` images, and the latent correlations that reproduce the pair counts."""

    n_images: int
    class_names: tuple[str, ...]  # "No Finding" last
    measured: tuple[str, ...]  # the classes whose counts are measured, not estimated
    counts: dict[str, int]
    pairs: dict[frozenset[str], int]
    patient_share: float  # share of a finding's latent variance that stays with the patient
    latent_correlation: np.ndarray  # (19, 19), in the order of class_names without "No Finding"

    @property
    def findings(self) -> tuple[str, ...]:
        return self.class_names[:-1]

    def frequency(self, class_name: str) -> float:
        """Share of images with this class, 0 to 1."""
        return self.counts[class_name] / self.n_images

    def cooccurrence_iou(self, a: str, b: str) -> float:
        """n_ab / (n_a + n_b - n_ab)."""
        both = self.pairs[frozenset((a, b))]
        return both / (self.counts[a] + self.counts[b] - both)


@cache
def figures() -> Figures:
    """The shipped figures, read once."""
    raw = json.loads(FIGURES_FILE.read_text(encoding="utf-8"))
    return Figures(
        n_images=raw["n_images"],
        class_names=tuple(raw["counts"]),
        measured=tuple(raw["measured"]),
        counts=raw["counts"],
        pairs={frozenset(pair.split("|")): count for pair, count in raw["pairs"].items()},
        patient_share=raw["patient_share"],
        latent_correlation=np.array(raw["latent_correlation"], dtype=np.float64),
    )


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
    from scipy.optimize import brentq
    from scipy.stats import multivariate_normal, norm

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
