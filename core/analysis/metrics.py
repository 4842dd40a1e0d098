"""Class metrics of one set of predictions: arrays in, numbers out.

Definitions in the words of scikit-learn's `average_precision_score` and `roc_auc_score`, and of
Siblini et al., "Master your metrics with calibration", IDA 2020. All three need to know no more
than how many images lie below the probability of each positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.study.columns import CLASS_METRICS, Column, Columns

# Precision is restated at this prevalence, so that rare and frequent classes share a chance level
# where both have many positives; with few it lies higher: see `core.analysis.chance`.
REFERENCE_PREVALENCE = 0.05
# The columns of the class metrics table, with `with_somers_d`, that an analysis may be asked for.
METRICS = ("ap", "calibrated_ap", "auroc", "somers_d")
WITH_SOMERS_D = Columns(
    CLASS_METRICS,
    Column(
        "somers_d",
        "Somers' D, 2 AUROC - 1: 0 for a model that knows nothing, 1 for one that ranks perfectly.",
    ),
    what="How well each run recognises each class at each sparsity.",
    row="a run, sparsity and class",
)
BUCKET_BITS = 14


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class; None where undefined (no positives; for the last two no negatives)."""

    n_positive: int
    n: int
    ap: float | None
    auroc: float | None
    calibrated_ap: float | None


@dataclass(frozen=True)
class ClassLabels:
    """One class's labels, checked once, to hold against any number of predictions.

    `certain` are the rows whose label is known, None where all are; `positive` those labelled 1.
    """

    n_images: int
    certain: np.ndarray | None
    positive: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> list[ClassLabels]:
        """Of each column of (images, classes) 1, 0 and NaN = uncertain. Raises ValueError for any
        other label."""
        columns = np.ascontiguousarray(labels.T)
        uncertain, positive = np.isnan(columns), columns == 1
        if not (uncertain | positive | (columns == 0)).all():
            raise ValueError("labels must be 1, 0 or NaN")
        return [
            cls(
                len(labels),
                np.flatnonzero(~uncertain[c]) if uncertain[c].any() else None,
                np.flatnonzero(positive[c]),
            )
            for c in range(len(columns))
        ]

    def measure(self, probabilities: np.ndarray) -> ClassMetrics:
        """AP, AUROC and calibrated AP of (images,) probabilities, any real numbers of which larger
        means more likely. Raises ValueError where shapes differ or one is not finite."""
        probabilities = np.asarray(probabilities)
        if probabilities.shape != (self.n_images,):
            raise ValueError(
                f"labels {(self.n_images,)} and probabilities {probabilities.shape} differ"
            )
        known = probabilities if self.certain is None else probabilities[self.certain]
        if not np.isfinite(known).all():
            raise ValueError("probabilities must be finite")
        return _metrics(known, np.sort(probabilities[self.positive]))


def metrics_table(
    labels: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...] | list[str]
) -> pd.DataFrame:
    """class_name, n_positive, ap, auroc, calibrated_ap for (images, classes) matrices.

    Undefined metrics are missing values, never 0.
    """
    if labels.shape != probabilities.shape or labels.shape[1:] != (len(class_names),):
        raise ValueError(
            f"labels {labels.shape}, probabilities {probabilities.shape} and "
            f"{len(class_names)} class names do not belong together"
        )
    found = [
        of_class.measure(probabilities[:, column])
        for column, of_class in enumerate(ClassLabels.of(labels))
    ]
    metrics = {
        name: np.array([getattr(one, name) for one in found], float)
        for name in ("ap", "auroc", "calibrated_ap")
    }
    counts = np.array([one.n_positive for one in found], int)
    return pd.DataFrame({"class_name": list(class_names), "n_positive": counts, **metrics})


def with_somers_d(table: pd.DataFrame) -> pd.DataFrame:
    """The class metrics table with Somers' D = 2 AUROC - 1 beside AUROC: 1 for a perfect ranking,
    0 for one that knows nothing, whatever the prevalence and however few the positives (Somers,
    *American Sociological Review* 1962)."""
    return table.assign(somers_d=2 * table["auroc"].astype(float) - 1)


def _metrics(known: np.ndarray, positives: np.ndarray) -> ClassMetrics:
    """Of one class's probabilities, and of those of its positives, the latter rising."""
    n, n_positive = len(known), len(positives)
    n_negative = n - n_positive
    if n_positive == 0:
        return ClassMetrics(0, n, None, None, None)
    # Recall only changes at the scores of positives, so only these thresholds carry weight.
    first = np.flatnonzero(np.append(True, positives[1:] != positives[:-1]))
    thresholds, tied = positives[first], np.diff(first, append=n_positive)
    true_positives = n_positive - first
    below, up_to = _places(known, thresholds)
    predicted_positive = n - below
    recall_step = tied / n_positive
    ap = float(np.sum(recall_step * (true_positives / predicted_positive)))
    if n_negative == 0:
        return ClassMetrics(n_positive, n, ap, None, None)

    negatives_below = below - first
    negatives_tied = up_to - below - tied
    auroc = float(np.sum(tied * (negatives_below + 0.5 * negatives_tied)))
    auroc /= n_positive * n_negative
    true_rate = REFERENCE_PREVALENCE * true_positives / n_positive
    false_rate = (1 - REFERENCE_PREVALENCE) * (predicted_positive - true_positives) / n_negative
    calibrated = float(np.sum(recall_step * (true_rate / (true_rate + false_rate))))
    return ClassMetrics(n_positive, n, ap, auroc, calibrated)


def _places(values: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of (n,) finite values lie below, and at or below, each of the rising thresholds.

    A sort answers that. Where thresholds are few, counting in buckets does in a quarter of the
    time, and only what shares a bucket with a threshold is sorted. The bits of a float32 that is
    not negative rise with it, so their upper ones number the buckets.
    """
    bits = np.ascontiguousarray(values).view(np.int32) if values.dtype == np.float32 else None
    if bits is None or 4 * len(thresholds) > len(values) or (lowest := int(bits.min())) < 0:
        ordered = np.sort(values)
        return ordered.searchsorted(thresholds), ordered.searchsorted(thresholds, side="right")
    shift = max(0, (int(bits.max()) - lowest).bit_length() - BUCKET_BITS)
    bucket, own = (bits - lowest) >> shift, (thresholds.view(np.int32) - lowest) >> shift
    counts = np.bincount(bucket)
    shared = np.zeros(len(counts), bool)
    shared[own] = True
    near = np.sort(values[shared.take(bucket)])
    further = np.where(shared, 0, counts).cumsum().take(own)
    return (
        further + near.searchsorted(thresholds),
        further + near.searchsorted(thresholds, side="right"),
    )
