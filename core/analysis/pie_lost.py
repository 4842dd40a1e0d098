"""How many labels pruning takes from a model, and how many training again would have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelsLost:
    """Of the labels that a dense model finds, by rank, how many another model does not find.

    n_labels: findings labelled in the test images. found: the mean over dense models of how many
    of them they find. lost_pruned, lost_dense: the mean, over ordered pairs of different runs, of
    the share of what dense r finds that pruned r', or dense r', does not. NaN below two runs.
    """

    n_labels: int
    found: float
    lost_pruned: float
    lost_dense: float


def labels_lost(
    truth: np.ndarray, dense: np.ndarray, pruned: np.ndarray, specificity: float
) -> LabelsLost:
    """truth (images, classes); dense, pruned (runs, images, classes) `ranks`; a label is found
    where the image's rank is at least `specificity` (`analysis.lost` by rank)."""
    labels = truth == 1
    dense_finds, pruned_finds = (models[:, labels] >= specificity for models in (dense, pruned))
    found = dense_finds.sum(axis=1)
    shares = []
    for others in (pruned_finds, dense_finds):
        both = dense_finds.astype(float) @ others.T.astype(float)
        apart = ~np.eye(len(found), dtype=bool) & (found > 0)[:, None]
        lost = (found[:, None] - both)[apart] / np.broadcast_to(found[:, None], both.shape)[apart]
        shares.append(float(lost.mean()) if lost.size else np.nan)
    return LabelsLost(int(labels.sum()), float(found.mean()), *shares)
