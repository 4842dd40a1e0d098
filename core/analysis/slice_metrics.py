"""Class metrics of a slice of the test images, recomputed from stored ranks.

AP, calibrated AP and AUROC depend only on the order of the probabilities, so a slice needs only
their ranks: one sort of small integers per (run, sparsity, class) serves all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.metrics import REFERENCE_PREVALENCE

MOST_STEPS = 4


def even_ranks(probabilities: np.ndarray) -> np.ndarray:
    """(classes, images) ranks of (images, classes) probabilities: 2, 4, 6, ...; ties share one.

    Even, so that the last bit is free for the label; the smallest type that holds them.
    """
    ranks = np.empty(probabilities.T.shape, np.uint32)
    for row, column in enumerate(probabilities.T):
        _, place = np.unique(column, return_inverse=True)
        ranks[row] = 2 * (place + 1)
    return ranks.astype(ranks_type(probabilities.shape[0]))


def ranks_type(n_images: int) -> np.dtype:
    """The smallest type that holds the ranks of so many images."""
    return np.dtype(np.uint16 if 2 * n_images + 1 < 2**16 else np.uint32)


@dataclass(frozen=True, eq=False)
class SliceTruth:
    """What the labels of a slice say, once for all cells: see `slice_truth`.

    bits and unknown are (classes, images), counts (classes,); row and place tell of each positive,
    class by class, its class and its number among that class's positives.
    """

    bits: np.ndarray
    unknown: np.ndarray | None
    n_positive: np.ndarray
    n_unknown: np.ndarray
    row: np.ndarray
    place: np.ndarray


def slice_truth(labels: np.ndarray) -> SliceTruth:
    """labels: (classes, images) of 1, 0, NaN."""
    positive, unknown = labels == 1, np.isnan(labels)
    n_positive, n_unknown = positive.sum(axis=1), unknown.sum(axis=1)
    row = np.repeat(np.arange(len(labels)), n_positive)
    before = np.cumsum(n_positive) - n_positive
    return SliceTruth(
        positive.astype(np.uint16),
        unknown if n_unknown.any() else None,
        n_positive,
        n_unknown,
        row,
        np.arange(len(row)) - before[row],
    )


def slice_metrics(truth: SliceTruth, ranks: np.ndarray) -> dict[str, np.ndarray]:
    """n_positive, ap, auroc, calibrated_ap, each (classes,), NaN where undefined.

    ranks as `even_ranks` gives them, of the images of `truth`. Equal to `ClassLabels.measure`
    of the probabilities to rounding.
    """
    keys = ranks | truth.bits
    if truth.unknown is not None:
        keys[truth.unknown] = 0  # below all others, where it is above nobody
    # Equal keys are alike, so any sort will do: of small types numpy's stable one goes by digits,
    # and is the faster; of larger ones its default takes two fifths of the time.
    keys.sort(axis=1, kind="stable" if keys.dtype == np.uint16 else "quicksort")
    return _from_sorted(keys, truth)


def _from_sorted(keys: np.ndarray, truth: SliceTruth) -> dict[str, np.ndarray]:
    """Of each positive: how many lie at or above its score, and how many of them are positive."""
    n_classes, n = keys.shape
    n_positive, n_unknown, row, place = truth.n_positive, truth.n_unknown, truth.row, truth.place
    flat = keys.ravel()
    at = np.flatnonzero((flat.astype(np.uint8) & 1).view(bool))
    column = at - row * n
    start = _starts(flat, at, row * n) - row * n
    first = place
    if (start < column).any():
        # The first positive of a tie is the one whose predecessor is none of it.
        begins = np.flatnonzero(np.diff(start + row * n, prepend=-1))
        first = place[np.repeat(begins, np.diff(begins, append=len(at)))]
    true = n_positive[row] - first
    predicted = n - start
    n_negative = n - n_unknown - n_positive
    weight = np.where(n_positive > 0, 1 / np.maximum(n_positive, 1), np.nan)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, n_classes) * weight

    ap = mean(true / predicted)
    with np.errstate(invalid="ignore", divide="ignore"):
        true_rate = REFERENCE_PREVALENCE * true * weight[row]
        false_rate = (1 - REFERENCE_PREVALENCE) * (predicted - true) / n_negative[row]
        calibrated = mean(true_rate / (true_rate + false_rate))
        negatives_below = start - first - n_unknown[row]
        # Negatives of a tie stand before its positives.
        negatives_tied = (column - place) - (start - first)
        auroc = mean(negatives_below + 0.5 * negatives_tied) / n_negative
    undefined = n_negative == 0
    calibrated[undefined] = auroc[undefined] = np.nan
    return {"n_positive": n_positive, "ap": ap, "auroc": auroc, "calibrated_ap": calibrated}


def _starts(flat: np.ndarray, at: np.ndarray, row_start: np.ndarray) -> np.ndarray:
    """Where the tie of each place `at` begins, not before its row does.

    Most places are tied with nobody or with few: one step to the left for all that still are.
    Where more than that is tied, every tie of every row is looked for instead.
    """
    start = at.copy()
    rank = flat[at] >> 1
    still = np.arange(len(at))
    for _ in range(MOST_STEPS):
        left = start[still] - 1
        still = still[(left >= row_start[still]) & (flat[left] >> 1 == rank[still])]
        if len(still) == 0:
            return start
        start[still] -= 1
    new = np.ones(len(flat), bool)
    np.not_equal(flat[1:] >> 1, flat[:-1] >> 1, out=new[1:])
    new[row_start] = True
    return np.maximum.accumulate(np.where(new, np.arange(len(flat)), 0))[at]
