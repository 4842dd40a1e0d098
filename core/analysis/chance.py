"""What a classifier that knows nothing is expected to reach, for any metric and so many positives.

With few positives a metric of precision lies above its limit even by chance: a random order of 3
positives gives a calibrated AP of 0.10 on average, not 0.05. AUROC and Somers' D do not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.metrics import REFERENCE_PREVALENCE
from core.study.labels import Labels

QUANTILES = 64  # nodes of the mean over where a positive may stand
MOST_POSITIVES = 256  # of more, as many evenly spread ones stand for all


def chance_levels(labels: Labels, metric: str) -> pd.Series:
    """The expected metric, per class, of an order of the certain test images that is random: see
    `expected_ap` and `expected_calibrated_ap`; one half of auroc, 0 of somers_d. NaN for a class
    without a positive."""
    names = pd.Index(labels.class_names, name="class_name")
    if metric in ("auroc", "somers_d"):
        return pd.Series({"auroc": 0.5, "somers_d": 0.0}[metric], names, name="chance")
    test = labels.split("test")
    expected = expected_ap if metric == "ap" else expected_calibrated_ap
    levels = [expected(int(test[n].eq(1).sum()), int(test[n].notna().sum())) for n in names]
    return pd.Series(levels, names, dtype=float, name="chance")


def expected_ap(n_positive: int, n: int) -> float:
    """Mean AP of a random order of n images of which n_positive carry the class.

    At place k stands a positive with precision (1 + (k - 1)(n_positive - 1) / (n - 1)) / k on
    average (Bestgen, *Exact expected average precision of the random baseline*, 2015). It tends to
    the prevalence. NaN without a positive.
    """
    if n_positive < 1:
        return np.nan
    if n == 1:
        return 1.0
    harmonic = float(scipy.special.digamma(n + 1) + np.euler_gamma)
    return (harmonic + (n_positive - 1) / (n - 1) * (n - harmonic)) / n


def expected_calibrated_ap(n_positive: int, n: int) -> float:
    """Mean calibrated AP of a random order, for many negatives: the share of negatives above the
    i-th of n_positive positives is then Beta(i, n_positive + 1 - i). NaN without a positive or a
    negative."""
    if n_positive < 1 or n <= n_positive:
        return np.nan
    steps = min(n_positive, MOST_POSITIVES)
    place = np.arange(steps) if steps == n_positive else np.linspace(0, n_positive - 1, steps)
    place = (place + 1)[:, None]
    nodes, weights = np.polynomial.legendre.leggauss(QUANTILES)
    # The integrand falls steeply from 1 near 0; squared, the nodes crowd there.
    share = ((nodes + 1) / 2) ** 2
    weight = weights * (nodes + 1) / 2
    above = scipy.special.betaincinv(place, n_positive + 1 - place, share)
    true = REFERENCE_PREVALENCE * place / n_positive
    precision = true / (true + (1 - REFERENCE_PREVALENCE) * above)
    return float((precision @ weight).mean())
