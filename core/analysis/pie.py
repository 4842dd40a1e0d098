"""Pruning-identified exemplars: images on which the pruned model departs from the dense one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.study.columns import SHARED, Column, Columns


def agreement(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Spearman correlation over classes, within each image, of two (images, classes) matrices.

    Average ranks for ties; NaN where either image's vector is constant. Shape (images,).
    Raises ValueError where the shapes differ.
    """
    if dense.shape != pruned.shape or dense.ndim != 2:
        raise ValueError(f"dense {dense.shape} and pruned {pruned.shape} differ")
    a, b = (average_ranks(matrix) - (dense.shape[1] + 1) / 2 for matrix in (dense, pruned))
    both, of_a, of_b = (np.einsum("ij,ij->i", *pair) for pair in ((a, b), (a, a), (b, b)))
    with np.errstate(invalid="ignore"):
        return np.clip(both / np.sqrt(of_a * of_b), -1, 1)


def average_ranks(matrix: np.ndarray) -> np.ndarray:
    """Ranks 1, 2, ... within each row, ties averaged; NaN throughout a row that holds a NaN."""
    matrix = np.ascontiguousarray(matrix)
    order = np.argsort(matrix, axis=1)
    ranks = np.empty(matrix.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, matrix.shape[1] + 1)[None, :], axis=1)
    ordered = np.take_along_axis(matrix, order, axis=1)
    # Few images have ties; the general way takes ten times as long.
    plain = (ordered[:, 1:] > ordered[:, :-1]).all(axis=1)
    if not plain.all():
        ranks[~plain] = scipy.stats.rankdata(matrix[~plain], axis=1)
    return ranks


PAPER_PIES = Columns(
    SHARED["image_id"],
    Column("agreement", "Spearman correlation over classes of the dense and the pruned ensemble's "
           "probabilities."),
    Column("is_pie", "Among the 5 % of lowest agreement (paper)."),
)  # fmt: skip


@dataclass(frozen=True)
class Pies:
    """The int(share * n) images of lowest agreement (paper); ties by test-set order.

    Takes image_ids in test-set order and the run-averaged (images, classes) probabilities.
    Returns image_id, agreement, is_pie in that order. An image without an agreement is kept,
    counted in n, and never a PIE.
    """

    share: float = 0.05

    def __call__(self, image_ids: pd.Series, dense: np.ndarray, pruned: np.ndarray) -> pd.DataFrame:
        return self.of_agreement(image_ids, agreement(dense, pruned))

    def of_agreement(self, image_ids: pd.Series, values: np.ndarray) -> pd.DataFrame:
        """The same of an `agreement` that is known."""
        n_pies = int(self.share * len(values))
        lowest = np.argsort(values, kind="stable")[:n_pies]  # NaN sorts last
        is_pie = np.zeros(len(values), bool)
        is_pie[lowest[~np.isnan(values[lowest])]] = True
        return pd.DataFrame(
            {"image_id": image_ids.to_numpy(), "agreement": values, "is_pie": is_pie}
        )
