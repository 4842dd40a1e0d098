"""The ratio of pruned to dense of one metric, and how well it is known.

Delta method: the variance of pruned / dense is that of pruned - r dense, at the ratio r that was
found, over dense squared. So a pruned model equal to the dense one in every run and patient has
the ratio 1 and the variance 0.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def ratio_variances(moments: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """pruned / dense, its variance over patients and over runs, by row of PAIRED_MOMENTS.

    Missing where dense is not above 0; the variance over runs is 0 where there is one run.
    """
    dense, pruned = (moments[name].to_numpy(float) for name in ("dense", "pruned"))
    known = np.where(dense > 0, dense, np.nan)
    ratio = pruned / known
    patients, runs = (variance_at(moments, over, ratio) / known**2 for over in ("patients", "runs"))
    return ratio, patients, runs


def variance_at(moments: pd.DataFrame, over: str, ratio: np.ndarray | float) -> np.ndarray:
    """Of pruned - ratio dense, over "patients" or "runs"; 0 where that is not known."""
    dense, pruned, covariance = (
        moments[f"{over}_{part}"].fillna(0).to_numpy(float)
        for part in ("var_dense", "var_pruned", "cov")
    )
    # Rounding, where pruned and dense are nearly the same, must not make it negative.
    return np.maximum(pruned - 2 * ratio * covariance + ratio**2 * dense, 0)
