"""Every pair of classes: how differently they are forgotten, with its uncertainty, beside how
differently frequent they are and how often they occur together.

Formulas of Holste et al., MICCAI 2023, section 2; columns ending in `_paper` follow their
published analysis code, which takes column sums of the co-occurrence matrix, diagonal included,
for class counts. A class that shares images with others is then counted once per label.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from core.analysis.bootstrap import (
    CONFIDENCE,
    DRAWS,
    SEED,
    percentile_interval,
    permutations_of,
    resampled_medians,
)
from core.analysis.decay import ForgettabilityCurves
from core.analysis.forgettability import ChangeCube, change_cube, curve_draws
from core.analysis.pairs import cooccurrence_iou, fcd_matrix

PAIR_STATISTICS = (
    "class_a",
    "class_b",
    "fcd",
    "fcd_rms",
    "cooccurrence_iou",
    "cooccurrence_iou_paper",
    "log_frequency_difference",
    "log_frequency_difference_paper",
)
DRAWS_AT_ONCE = 16  # as many as a processor's cache holds
CLASS_PAIRS = (*PAIR_STATISTICS[:4], "ci_low", "ci_high", "noise_floor", *PAIR_STATISTICS[4:])


def cooccurrence_iou_paper(label_matrix: np.ndarray, class_names: list[str]) -> pd.DataFrame:
    """n_ab / (s_a + s_b - n_ab), s the column sums of the co-occurrence matrix (paper).

    label_matrix: (images, classes) of 1, 0, NaN; an uncertain label counts as absent. Two
    identical classes alone: s_a = n_aa + n_ab = 2n, so n / (2n + 2n - n) = 1/3.
    """
    positive = np.nan_to_num(label_matrix).astype(float)
    both = positive.T @ positive
    sums = both.sum(axis=0)
    either = sums[:, None] + sums[None, :] - both
    with np.errstate(invalid="ignore"):
        iou = np.where(either > 0, both / either, np.nan)
    return pd.DataFrame(iou, index=class_names, columns=class_names)


def log_frequency_differences(counts: np.ndarray) -> np.ndarray:
    """|ln n_a - ln n_b| (classes, classes); NaN where a class never occurs."""
    counts = np.asarray(counts, float)
    logs = np.full(len(counts), np.nan)
    np.log(counts, out=logs, where=counts > 0)
    return np.abs(logs[:, None] - logs[None, :])


def pair_matrices(
    curves: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str]
) -> dict[str, np.ndarray]:
    """The columns of PAIR_STATISTICS as symmetric (classes, classes) matrices.

    curves: forgettability curves; label_matrix: the test split, columns as in `class_names`.
    fcd is over sparsities > 0 (paper); fcd_rms = fcd / sqrt(number of them) (corrected).
    log_frequency_difference counts images (corrected), its `_paper` form column sums.
    """
    fcd = fcd_matrix(curves).reindex(index=class_names, columns=class_names).to_numpy(float)
    n_pruned = curves.loc[curves["sparsity"] > 0, "sparsity"].nunique()
    positive = np.nan_to_num(label_matrix).astype(float)
    column_sums = (positive.T @ positive).sum(axis=0)
    return {
        "fcd": fcd if n_pruned else np.full_like(fcd, np.nan),
        "fcd_rms": fcd / np.sqrt(n_pruned) if n_pruned else np.full_like(fcd, np.nan),
        "cooccurrence_iou": cooccurrence_iou(label_matrix, class_names).to_numpy(),
        "cooccurrence_iou_paper": cooccurrence_iou_paper(label_matrix, class_names).to_numpy(),
        "log_frequency_difference": log_frequency_differences(positive.sum(axis=0)),
        "log_frequency_difference_paper": log_frequency_differences(column_sums),
    }


def noise_floors(cube: ChangeCube, splits: int, seed: int) -> np.ndarray:
    """(classes,) RMS distance of a class's own curve between two random halves of the runs.

    Each split draws two disjoint sets of floor(runs / 2) runs; the distance is the root mean
    square over sparsities > 0 of the difference of the halves' medians; the floor is its mean
    over the splits that have both. NaN below two runs. Halves are noisier than all runs together:
    a pair of equally forgotten classes is expected near floor / sqrt(2), so the floor errs on
    the careful side.
    """
    n_runs, n_classes = len(cube.runs), len(cube.class_names)
    half = n_runs // 2
    if half == 0 or cube.pruned.shape[2] == 0:
        return np.full(n_classes, np.nan)
    orders = permutations_of(n_runs, splits, seed)
    rows = np.arange(splits)[:, None]
    medians = []
    for members in (orders[:, :half], orders[:, half : 2 * half]):
        in_half = np.zeros((splits, n_runs), int)
        in_half[rows, members] = 1
        medians.append(resampled_medians(cube.pruned.reshape(n_runs, -1), in_half))
    squares = ((medians[0] - medians[1]) ** 2).reshape(splits, n_classes, -1)
    distances = np.sqrt(squares.mean(axis=2))
    n_defined = (~np.isnan(distances)).sum(axis=0)
    return np.nansum(distances, axis=0) / np.where(n_defined > 0, n_defined, np.nan)


def fcd_rms_draws(draws: np.ndarray) -> np.ndarray:
    """(draws, pairs): RMS distance of every two curves of (draws, classes, sparsities > 0)."""
    first, second = np.triu_indices(draws.shape[1], k=1)
    distances = np.empty((len(draws), len(first)))
    for begin in range(0, len(draws), DRAWS_AT_ONCE):
        some = slice(begin, begin + DRAWS_AT_ONCE)
        apart = draws[some].take(first, axis=1) - draws[some].take(second, axis=1)
        distances[some] = np.sqrt(np.square(apart, out=apart).mean(axis=2))
    return distances


@dataclass(frozen=True)
class ClassPairs:
    """CLASS_PAIRS, one row per unordered pair, in the order of `class_names`.

    Takes the class metrics table, the test split's label matrix and its class names. See
    `pair_matrices` for the statistics. ci_low and ci_high: percentile bootstrap of fcd_rms, the
    runs of both classes resampled together; a distance cannot be negative, so compare it with
    noise_floor (mean of `noise_floors` of the two classes), not with 0. Missing below two runs.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE
    draws: int = DRAWS
    splits: int = 100
    seed: int = SEED

    def __call__(
        self, class_metrics: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str]
    ) -> pd.DataFrame:
        names = list(class_names)
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        table = pair_table(pair_matrices(curves, label_matrix, names), names)
        cube = change_cube(class_metrics, self.metric, names)
        draws = curve_draws(cube, self.draws, self.seed)[:, :, cube.sparsities > 0]
        table["ci_low"] = table["ci_high"] = np.nan
        if len(cube.runs) > 1 and draws.shape[2]:
            low, high = percentile_interval(fcd_rms_draws(draws), self.confidence)
            table["ci_low"], table["ci_high"] = low, high
        floors = noise_floors(cube, self.splits, self.seed)
        first, second = np.triu_indices(len(names), k=1)
        table["noise_floor"] = (floors[first] + floors[second]) / 2
        return table[list(CLASS_PAIRS)]


def pair_table(matrices: dict[str, np.ndarray], class_names: list[str]) -> pd.DataFrame:
    """PAIR_STATISTICS from symmetric matrices: the upper triangle, row by row."""
    table = pd.DataFrame(combinations(class_names, 2), columns=["class_a", "class_b"])
    upper = np.triu_indices(len(class_names), k=1)
    return table.assign(**{name: matrix[upper] for name, matrix in matrices.items()})


@dataclass(frozen=True)
class AboveFloor:
    """How many of the pairs that have an interval lie wholly above their noise floor."""

    n_above: int
    n_pairs: int


def above_floor(class_pairs: pd.DataFrame) -> AboveFloor:
    known = class_pairs.dropna(subset=["ci_low", "noise_floor"])
    return AboveFloor(int((known["ci_low"] > known["noise_floor"]).sum()), len(known))


def pair_row(class_pairs: pd.DataFrame, pair: tuple[str, str]) -> dict[str, float]:
    """The row of two classes, in either order."""
    first, second = class_pairs["class_a"], class_pairs["class_b"]
    here = (first == pair[0]) & (second == pair[1]) | (first == pair[1]) & (second == pair[0])
    return class_pairs[here].iloc[0].to_dict()
