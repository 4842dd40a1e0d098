"""Class metrics of one set of predictions: arrays in, numbers out.

Definitions in the words of scikit-learn's `average_precision_score` and `roc_auc_score`, and of
Siblini et al., "Master your metrics with calibration", IDA 2020. One sort serves all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Precision is restated at this prevalence, so that rare and frequent classes share a chance level.
REFERENCE_PREVALENCE = 0.05


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class; None where undefined (no positives; for the last two no negatives)."""

    n_positive: int
    n: int
    ap: float | None
    auroc: float | None
    calibrated_ap: float | None


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> ClassMetrics:
    """AP, AUROC and calibrated AP of one class.

    labels: (images,) of 1, 0 and NaN; an uncertain (NaN) image is left out of this class.
    probabilities: (images,), any real numbers of which larger means more likely.
    Raises ValueError where shapes differ, a label is not 1/0/NaN or a probability is not finite.
    """
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities)
    if labels.shape != probabilities.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and probabilities {probabilities.shape} differ")
    certain = ~np.isnan(labels)
    labels, probabilities = labels[certain], probabilities[certain]
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 1, 0 or NaN")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite")

    n, n_positive = len(labels), int(labels.sum())
    n_negative = n - n_positive
    if n_positive == 0:
        return ClassMetrics(0, n, None, None, None)

    ordered = np.sort(probabilities)
    positives = np.sort(probabilities[labels == 1])
    # Recall only changes at the scores of positives, so only these thresholds carry weight.
    thresholds, first, tied = np.unique(positives, return_index=True, return_counts=True)
    true_positives = n_positive - first
    below = np.searchsorted(ordered, thresholds, side="left")
    up_to = np.searchsorted(ordered, thresholds, side="right")
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
    rows = []
    for column, class_name in enumerate(class_names):
        one = class_metrics(labels[:, column], probabilities[:, column])
        rows.append((class_name, one.n_positive, one.ap, one.auroc, one.calibrated_ap))
    names = ["class_name", "n_positive", "ap", "auroc", "calibrated_ap"]
    return pd.DataFrame(rows, columns=names).astype(
        {"ap": "float64", "auroc": "float64", "calibrated_ap": "float64"}
    )
