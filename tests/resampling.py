"""AP under resampled patients, the long way: what the product's influence functions stand for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.bootstrap import resample_counts


def image_counts(patient_ids: pd.Series | np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(draws, images): how often each image occurs when whole patients are drawn."""
    codes, patients = pd.factorize(np.asarray(patient_ids))
    return resample_counts(len(patients), draws, seed)[:, codes]


def weighted_ap(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AP of one class under many image weights, as scikit-learn's with `sample_weight`.

    labels (images,) of 1, 0, NaN = left out; weights (draws, images). Returns (draws,), NaN where
    a draw has no positive.
    """
    certain = ~np.isnan(labels)
    order = np.flatnonzero(certain)[np.argsort(-probabilities[certain], kind="stable")]
    scores, positive = probabilities[order], labels[order] == 1
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    drawn = weights[:, order].astype(float)
    predicted = drawn.cumsum(axis=1)[:, last_of_tie]
    true = (drawn * positive).cumsum(axis=1)[:, last_of_tie]
    step = np.diff(true, axis=1, prepend=0)
    with np.errstate(invalid="ignore"):
        precision = np.where(predicted > 0, true / predicted, 0)
        return (step * precision).sum(axis=1) / true[:, -1]
