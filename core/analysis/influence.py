"""How much each image moves a class's AP, calibrated AP and AUROC: the infinitesimal jackknife.

The influence of an image is the derivative of the metric with respect to that image's weight, at
weights 1 (Efron, *The Jackknife, the Bootstrap and Other Resampling Plans*, 1982, chapter 6). Of
AUROC these are DeLong's placements (Biometrics 1988). The sum of squares over patients is the
variance that the bootstrap over patients tends to, for one sort instead of hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.analysis.metrics import REFERENCE_PREVALENCE

METRICS = ("ap", "calibrated_ap", "auroc")


@dataclass(frozen=True)
class Influence:
    """A metric's value, and its (images,) derivatives: 0 for an uncertain image, 0 in sum."""

    value: float
    of_images: np.ndarray


def influences(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Influence]:
    """Each of METRICS of one class; without a positive none, without a negative only AP.

    labels (images,) of 1, 0 and NaN = left out; probabilities (images,), finite.

    AP = sum over thresholds k of t_k T_k / (P N_k), with t_k positives at k, T_k positives and N_k
    images at or above k, P positives in all. Calibrated AP is the same with N_k = T_k + c F_k, F_k
    negatives at or above k and c = P (1 - p0) / (Q p0), Q negatives in all: negatives count c.
    """
    certain = np.flatnonzero(~np.isnan(labels))
    order = certain[np.argsort(-probabilities[certain], kind="stable")]
    positive = labels[order] == 1
    n_positive = int(positive.sum())
    n_negative = len(order) - n_positive
    if n_positive == 0:
        return {}
    scores = probabilities[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tie = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))
    true = positive.cumsum()[last].astype(float)
    false = last + 1.0 - true
    found = {"ap": _average_precision(positive, tie, true, false, 1.0, weight_moves=False)}
    if n_negative:
        weight = (1 - REFERENCE_PREVALENCE) * n_positive / (REFERENCE_PREVALENCE * n_negative)
        found["calibrated_ap"] = _average_precision(
            positive, tie, true, false, weight, weight_moves=True
        )
        found["auroc"] = _area(positive, tie, true, false)
    spread = {}
    for name, (value, shares) in found.items():
        of_images = np.zeros(len(labels))
        of_images[order] = shares
        spread[name] = Influence(value, of_images)
    return spread


def _average_precision(
    positive: np.ndarray,
    tie: np.ndarray,
    true: np.ndarray,
    false: np.ndarray,
    weight: float,
    *,
    weight_moves: bool,
) -> tuple[float, np.ndarray]:
    """AP with negatives that count `weight`, and its derivatives in sorted order; `weight_moves`:
    the weight itself is proportional to positives over negatives."""
    n_positive = true[-1]
    above = true + weight * false
    at = np.diff(true, prepend=0)
    precision = true / above
    ap = (at * precision).sum() / n_positive
    gained = np.cumsum((at / above)[::-1])[::-1]
    lost = np.cumsum((at * precision / above)[::-1])[::-1]
    share = np.where(positive, (precision + gained - lost)[tie] - ap, -weight * lost[tie])
    if weight_moves:
        slope = -(at * precision / above * false).sum() * weight
        share += np.where(positive, slope / n_positive, -slope / false[-1])
    return float(ap), share / n_positive


def _area(
    positive: np.ndarray, tie: np.ndarray, true: np.ndarray, false: np.ndarray
) -> tuple[float, np.ndarray]:
    """AUROC and its derivatives in sorted order; a tie counts one half."""
    n_positive, n_negative = true[-1], false[-1]
    tied_true, tied_false = np.diff(true, prepend=0), np.diff(false, prepend=0)
    beaten = (n_negative - false + tied_false / 2) / n_negative  # negatives below a positive
    beating = (true - tied_true / 2) / n_positive  # positives above a negative
    area = float((tied_true * beaten).sum() / n_positive)
    share = np.where(
        positive, (beaten[tie] - area) / n_positive, (beating[tie] - area) / n_negative
    )
    return area, share
