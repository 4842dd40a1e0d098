"""Class frequency against what a class loses: the paper's headline statistic, for any metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.labels import Labels
from core.metrics import REFERENCE_PREVALENCE

# A correlation of two points is always 1 or -1.
LEAST_CLASSES = 3


@dataclass(frozen=True)
class Correlation:
    """Pearson r with its p-value over n classes; both None where r is not defined."""

    r: float | None
    p: float | None
    n: int


def frequency_correlation(changes: pd.DataFrame, frequencies: pd.DataFrame) -> Correlation:
    """Pearson r of log10 train frequency with relative change (Holste et al., section 3.1).

    changes: class_name and relative_change at one sparsity; frequencies: class_name and
    train_frequency. Classes without a change, or without a positive in training, are left out.
    """
    table = changes[["class_name", "relative_change"]].merge(
        frequencies[["class_name", "train_frequency"]], on="class_name"
    )
    table = table[table["relative_change"].notna() & (table["train_frequency"] > 0)]
    logs = np.log10(table["train_frequency"].to_numpy(float))
    values = table["relative_change"].to_numpy(float)
    n = len(table)
    if n < LEAST_CLASSES or np.ptp(logs) == 0 or np.ptp(values) == 0:
        return Correlation(None, None, n)
    r, p = scipy.stats.pearsonr(logs, values)
    return Correlation(float(r), float(p), n)


def chance_levels(labels: Labels, metric: str) -> pd.Series:
    """What a classifier that knows nothing reaches, per class: for ap the prevalence among the
    certain test labels, for calibrated_ap the reference prevalence, for auroc one half."""
    names = pd.Index(labels.class_names, name="class_name")
    if metric == "ap":
        prevalence = labels.split("test")[list(names)].astype("Float64").mean()
        return pd.Series(prevalence.to_numpy(float, na_value=np.nan), names, name="chance")
    level = {"calibrated_ap": REFERENCE_PREVALENCE, "auroc": 0.5}[metric]
    return pd.Series(level, names, name="chance")
