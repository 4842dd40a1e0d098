"""Do rare classes lose more? A regression over classes that knows how well each class is measured.

Meta-regression (van Houwelingen, Arends and Stijnen, *Statistics in Medicine* 2002):
y_c = b0 + b1 x_c + u_c + e_c, with the classes' own scatter u ~ N(0, tau^2) by restricted maximum
likelihood and each class's own error e_c ~ N(0, v_c). The interval of b1 is Student's with C - 2
degrees of freedom after Knapp and Hartung (ibid. 2003), their factor never below 1. A plain
correlation takes all classes as equally well measured; since a rare class is measured worse, noise
then looks like rarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE
from core.study.columns import SHARED, Column, Columns, interval

LEAST_CLASSES = 5
EFFECTS = Columns(
    SHARED["class_name"],
    Column("x", "log10 of the train frequency."),
    Column("y", "Onset, or change of Somers' D at 95 %, as measured."),
    Column("se", "Its standard error over runs and patients."),
    Column("fitted", "The value of the line at x."),
    Column("shrunken", "`y` drawn towards the line by as much as it is noise."),
    interval("shrunken"),
)


@dataclass(frozen=True)
class Trend:
    """b1 with its interval and two-sided p, tau, the intercept, and n classes; all NaN where fewer
    than at_least are known or all have one x. effects: EFFECTS, one row per class; shrunken
    is the class's own value drawn towards the line by as much as it is noise (BLUP)."""

    slope: float
    ci_low: float
    ci_high: float
    p_value: float
    intercept: float
    tau: float
    n: int
    effects: pd.DataFrame

    @property
    def known(self) -> bool:
        return not np.isnan(self.slope)


def trend(
    x: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    names: list[str],
    confidence: float = CONFIDENCE,
    at_least: int = LEAST_CLASSES,
    beside: np.ndarray | None = None,
) -> Trend:
    """The meta-regression of y on x over the classes in which all is known; `beside`: a second
    regressor, so that the slope of x is that among classes of equal `beside`."""
    others = [] if beside is None else [np.asarray(beside, float)]
    there = np.isfinite(np.column_stack([x, y, variance, *others])).all(axis=1)
    x, y, v = (np.asarray(part, float)[there] for part in (x, y, variance))
    kept = [name for name, one in zip(names, there, strict=True) if one]
    n = len(x)
    if n < at_least or np.ptp(x) == 0 or not v.max() > 0:
        return nothing_known(kept, x, y, v)
    v = np.maximum(v, 1e-6 * v.max())  # a class without any spread must not decide by itself
    design = np.column_stack([np.ones(n), x, *(other[there] for other in others)])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return nothing_known(kept, x, y, v)
    freedom = n - design.shape[1]
    tau2 = _restricted_likelihood(design, y, v)
    coefficients, covariance, fitted = _weighted(design, y, v + tau2)
    q = float((((y - fitted) ** 2) / (v + tau2)).sum()) / freedom
    covariance = covariance * max(1.0, q)
    half = scipy.stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(covariance[1, 1])
    share = tau2 / (tau2 + v)
    shrunken = fitted + share * (y - fitted)
    apart = scipy.stats.norm.ppf((1 + confidence) / 2) * np.sqrt(share * v)
    effects = kept, x, y, np.sqrt(v), fitted, shrunken, shrunken - apart, shrunken + apart
    t = coefficients[1] / np.sqrt(covariance[1, 1])
    return Trend(
        float(coefficients[1]),
        float(coefficients[1] - half),
        float(coefficients[1] + half),
        float(2 * scipy.stats.t.sf(abs(t), freedom)),
        float(coefficients[0]),
        float(np.sqrt(tau2)),
        n,
        pd.DataFrame(dict(zip(EFFECTS, effects, strict=True))),
    )


def nothing_known(names: list[str], x: np.ndarray, y: np.ndarray, variance: np.ndarray) -> Trend:
    """Classes without a line through them."""
    kept = pd.Series(names, dtype=str)  # also where there are none
    rows = pd.DataFrame({"class_name": kept, "x": x, "y": y, "se": np.sqrt(variance)})
    nan = np.nan
    return Trend(nan, nan, nan, nan, nan, nan, len(x), rows.reindex(columns=EFFECTS.names))


def _weighted(
    design: np.ndarray, y: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients of weighted least squares, their covariance, and the fitted values."""
    weighted = design / variance[:, None]
    covariance = np.linalg.inv(design.T @ weighted)
    coefficients = covariance @ (weighted.T @ y)
    return coefficients, covariance, design @ coefficients


def _restricted_likelihood(design: np.ndarray, y: np.ndarray, v: np.ndarray) -> float:
    """tau^2 of highest restricted likelihood, 0 included."""

    def loss(tau2: float) -> float:
        total = v + tau2
        _, covariance, fitted = _weighted(design, y, total)
        logdet = -np.linalg.slogdet(covariance)[1]
        return float(np.log(total).sum() + logdet + (((y - fitted) ** 2) / total).sum())

    most = max(10 * float(np.var(y)), 1e-12)
    found = scipy.optimize.minimize_scalar(loss, bounds=(0, most), method="bounded",
                                           options={"xatol": 1e-9 * most})  # fmt: skip
    return float(found.x) if loss(found.x) < loss(0.0) else 0.0
