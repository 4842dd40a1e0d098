"""Pruning-identified exemplars: images on which the pruned model departs from the dense one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts


def agreement(dense: np.ndarray, pruned: np.ndarray) -> np.ndarray:
    """Spearman correlation over classes, within each image, of two (images, classes) matrices.

    Average ranks for ties; NaN where either image's vector is constant. Shape (images,).
    Raises ValueError where the shapes differ.
    """
    if dense.shape != pruned.shape or dense.ndim != 2:
        raise ValueError(f"dense {dense.shape} and pruned {pruned.shape} differ")
    ranks = [scipy.stats.rankdata(matrix, axis=1) for matrix in (dense, pruned)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        rho = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.clip(rho, -1, 1)


@dataclass(frozen=True)
class Pies:
    """The int(share * n) images of lowest agreement (paper); ties by test-set order.

    Takes image_ids in test-set order and the run-averaged (images, classes) probabilities.
    Returns image_id, agreement, is_pie in that order. An image without an agreement is kept,
    counted in n, and never a PIE.
    """

    share: float = 0.05

    def __call__(self, image_ids: pd.Series, dense: np.ndarray, pruned: np.ndarray) -> pd.DataFrame:
        values = agreement(dense, pruned)
        n_pies = int(self.share * len(values))
        lowest = np.argsort(values, kind="stable")[:n_pies]  # NaN sorts last
        is_pie = np.zeros(len(values), bool)
        is_pie[lowest[~np.isnan(values[lowest])]] = True
        return pd.DataFrame(
            {"image_id": image_ids.to_numpy(), "agreement": values, "is_pie": is_pie}
        )
