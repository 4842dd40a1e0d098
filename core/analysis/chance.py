"""What a classifier that knows nothing reaches, for any metric."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.labels import Labels
from core.metrics import REFERENCE_PREVALENCE


def chance_levels(labels: Labels, metric: str) -> pd.Series:
    """What a classifier that knows nothing reaches, per class: for ap the prevalence among the
    certain test labels, for calibrated_ap the reference prevalence, for auroc one half."""
    names = pd.Index(labels.class_names, name="class_name")
    if metric == "ap":
        prevalence = labels.split("test")[list(names)].astype("Float64").mean()
        return pd.Series(prevalence.to_numpy(float, na_value=np.nan), names, name="chance")
    level = {"calibrated_ap": REFERENCE_PREVALENCE, "auroc": 0.5}[metric]
    return pd.Series(level, names, name="chance")
