"""Krippendorff's alpha: how far raters agree beyond chance.

Krippendorff, *Computing Krippendorff's Alpha-Reliability*, 2011, with its coincidence matrix. Not
the package of that name, whose licence (GPL) cannot come along with ours; a test compares the two.
"""

from __future__ import annotations

from typing import Literal

import numpy as np


def krippendorff_alpha(ratings: np.ndarray, level: Literal["nominal", "ordinal"]) -> float:
    """1 for perfect agreement, 0 as by chance, below 0 for less.

    ratings (raters, units), NaN where a rater did not judge a unit. Units that fewer than two
    judged are left out. NaN where none is left, or where all ratings are one value.
    """
    ratings = ratings[:, np.isfinite(ratings).sum(axis=0) > 1]
    values = np.unique(ratings[np.isfinite(ratings)])
    if len(values) < 2:
        return float("nan")
    counts = (ratings[:, :, None] == values).sum(axis=0).astype(float)  # (units, values)
    others = counts.sum(axis=1) - 1
    # Pairs of ratings of the same unit, each unit weighing as many as it has ratings.
    pairs = (counts / others[:, None]).T @ counts - np.diag((counts / others[:, None]).sum(axis=0))
    totals = counts.sum(axis=0)
    far = _distances(totals, level)
    observed = (pairs * far).sum()
    expected = (np.outer(totals, totals) * far).sum() / (totals.sum() - 1)
    return float(1 - observed / expected)


def _distances(totals: np.ndarray, level: Literal["nominal", "ordinal"]) -> np.ndarray:
    """Squared distances between values: 1 unless equal, or how many ratings lie between them."""
    if level == "nominal":
        return 1 - np.eye(len(totals))
    middle = np.cumsum(totals) - totals / 2
    return (middle[:, None] - middle[None, :]) ** 2
