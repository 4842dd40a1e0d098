"""Which images the dense model predicts most alike."""

from __future__ import annotations

import numpy as np
import pandas as pd

# A probability closer to 0 or 1 is taken for this one: float32 knows no log-odds beyond.
LEAST = 1e-6


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)) of (images, classes) probabilities, float32: where rare classes lie as far
    apart as frequent ones."""
    kept = np.clip(probabilities.astype(float), LEAST, 1 - LEAST)
    return np.log(kept / (1 - kept)).astype(np.float32)


def most_alike(odds: np.ndarray, patients: np.ndarray, row: int, n: int) -> pd.DataFrame:
    """test_order and distance of the n images of other patients nearest to the one in this row.

    odds: (images, classes) `log_odds`. patients: (images,) ids. distance: Euclidean, over all
    classes; 0 where every class has the same probability. Nearest first, ties in test-set order.
    """
    distance = np.sqrt(((odds - odds[row]).astype(float) ** 2).sum(axis=1))
    others = np.flatnonzero(patients != patients[row])
    nearest = others[np.argsort(distance[others], kind="stable")][:n]
    return pd.DataFrame({"test_order": nearest, "distance": distance[nearest]})
