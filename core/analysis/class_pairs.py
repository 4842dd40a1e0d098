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

from core.analysis.decay import ForgettabilityCurves
from core.analysis.pair_evidence import PAIR, PAIR_EVIDENCE
from core.analysis.pairs import cooccurrence_iou, fcd_matrix
from core.study.columns import Column, Columns, Unit

CLASS_PAIRS = Columns(
    PAIR,
    Column("fcd", "Euclidean distance of the two curves over sparsities above 0 (paper)."),
    Column("fcd_rms", "Root mean square distance: it does not grow with the grid, but with noise."),
    PAIR_EVIDENCE.but(*PAIR),
    Column("cooccurrence_iou", "Test images with both over images with either.", Unit.SHARE),
    Column("cooccurrence_iou_paper", "The same from column sums, as the paper's code has it.",
           Unit.SHARE),
    Column("log_frequency_difference", "Difference of the log test counts."),
    Column("log_frequency_difference_paper", "The same from column sums (paper)."),
    what="How differently two classes are forgotten, and how differently frequent they are.",
    row="a pair of classes",
)  # fmt: skip


def cooccurrence_iou_paper(label_matrix: np.ndarray, class_names: list[str]) -> pd.DataFrame:
    """n_ab / (s_a + s_b - n_ab), s the column sums of the co-occurrence matrix (paper).

    label_matrix: (images, classes) of 1, 0, NaN; an uncertain label counts as absent. Two
    only identical classes: s_a = n_aa + n_ab = 2n, so n / (2n + 2n - n) = 1/3.
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


@dataclass(frozen=True)
class ClassPairs:
    """CLASS_PAIRS, one row per unordered pair, in the order of `class_names`.

    Takes the class metrics table, the test split's label matrix and its class names; see
    `pair_matrices` for the statistics, which are of `metric`. `evidence` is `DifferentPairs`'
    table of Somers' D (corrected): missing for pairs with a class that is not judged, and
    everywhere without it, as in a subgroup.
    """

    metric: str = "ap"

    def __call__(
        self,
        class_metrics: pd.DataFrame,
        label_matrix: np.ndarray,
        class_names: list[str],
        evidence: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        names = list(class_names)
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        table = pair_table(pair_matrices(curves, label_matrix, names), names)
        known = pd.DataFrame(columns=PAIR_EVIDENCE.names) if evidence is None else evidence
        both = pd.concat([known, _other_way_round(known)])
        table = table.merge(both, on=["class_a", "class_b"], how="left")
        return table[CLASS_PAIRS.names]


def _other_way_round(evidence: pd.DataFrame) -> pd.DataFrame:
    """The same pairs with class_b first."""
    names = {"class_a": "class_b", "class_b": "class_a"}
    ends = {"difference_ci_low": "difference_ci_high", "difference_ci_high": "difference_ci_low"}
    turned = evidence.rename(columns=names | ends)
    signed = ["difference", *ends]
    turned[signed] = -turned[signed]
    return turned


def pair_table(matrices: dict[str, np.ndarray], class_names: list[str]) -> pd.DataFrame:
    """class_a, class_b and the statistics of symmetric matrices: the upper triangle, row by row."""
    table = pd.DataFrame(combinations(class_names, 2), columns=["class_a", "class_b"])
    upper = np.triu_indices(len(class_names), k=1)
    return table.assign(**{name: matrix[upper] for name, matrix in matrices.items()})


def pair_row(class_pairs: pd.DataFrame, pair: tuple[str, str]) -> dict[str, float]:
    """The row of two classes, in either order."""
    first, second = class_pairs["class_a"], class_pairs["class_b"]
    here = (first == pair[0]) & (second == pair[1]) | (first == pair[1]) & (second == pair[0])
    return class_pairs[here].iloc[0].to_dict()
