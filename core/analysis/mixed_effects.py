"""A linear mixed model with crossed random effects, by restricted maximum likelihood.

Bates et al., *Fitting linear mixed-effects models using lme4*, 2015: the residual variance and the
fixed effects are profiled out, and what is left are the variances of the random effects over that
of the residual: not their roots, as there, for along a root the likelihood is flat at 0, where a
search would stay. Tests compare it with statsmodels' MixedLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy  # its submodules load when first used, not while the dashboard starts

LARGEST = 1e6  # times the variance of the residual
START = 0.2
NOTHING = 1e-9  # of the sum of squares: rounding, not a residual


@dataclass(frozen=True)
class Fitted:
    """effects, (p,) of the fixed effects, and their (p, p) covariance. variances: of each random
    effect and of the "residual". parts: what each of them adds to the variance of the last fixed
    effect; together they are that variance."""

    effects: np.ndarray
    covariance: np.ndarray
    variances: dict[str, float]
    parts: dict[str, float]


def fit(values: np.ndarray, fixed: np.ndarray, random: Mapping[str, np.ndarray]) -> Fitted:
    """values = fixed @ effects + sum of random effects + residual.

    values (n,); fixed (n, p); random: for each name an (n, levels) matrix whose columns have
    independent effects of one variance. Raises numpy.linalg.LinAlgError where the fixed effects
    cannot be told apart, or where nothing is left for the residual.
    """
    every = np.hstack([fixed, *random.values()])
    rest = values - every @ np.linalg.lstsq(every, values)[0]
    if rest @ rest <= NOTHING * ((values - values.mean()) ** 2).sum():
        raise np.linalg.LinAlgError("no residual is left")
    model = _Model(values, fixed, random)
    start = np.full(len(random), START)
    found = scipy.optimize.minimize(
        model.deviance,
        start,
        method="L-BFGS-B",
        bounds=[(0.0, LARGEST)] * len(random),
        options={"ftol": 1e-12, "gtol": 1e-7},
    )
    return model.fitted(found.x)


class _Model:
    """Cross products of the data, so that one look at the deviance costs a Cholesky factor of a
    matrix with a row for each random effect, however many values there are."""

    def __init__(
        self, values: np.ndarray, fixed: np.ndarray, random: Mapping[str, np.ndarray]
    ) -> None:
        self.names = list(random)
        self.levels = [matrix.shape[1] for matrix in random.values()]
        self.z = np.hstack(list(random.values()))
        self.n, self.p = fixed.shape
        self.x = fixed
        # Without their mean, values lose no digits where it is large; the constant takes it back.
        self.mean = float(values.mean()) if len(values) else 0.0
        known = np.column_stack([fixed, values - self.mean])
        self.zz, self.zw, self.ww = self.z.T @ self.z, self.z.T @ known, known.T @ known

    def _solved(self, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The Cholesky factor, and the cross products of fixed effects and values under it."""
        scale = np.repeat(np.sqrt(ratios), self.levels)
        inner = scale[:, None] * self.zz * scale + np.eye(len(scale))
        factor = np.linalg.cholesky(inner)
        half = scipy.linalg.solve_triangular(factor, scale[:, None] * self.zw, lower=True)
        return factor, self.ww - half.T @ half

    def deviance(self, ratios: np.ndarray) -> float:
        """-2 log restricted likelihood, but for a constant."""
        factor, cross = self._solved(ratios)
        of_fixed = np.linalg.cholesky(cross[: self.p, : self.p])
        rest = np.linalg.solve(of_fixed, cross[: self.p, self.p])
        residual = max(cross[self.p, self.p] - rest @ rest, 1e-12 * self.ww[-1, -1])
        return float(
            2 * np.log(np.diag(factor)).sum()
            + 2 * np.log(np.diag(of_fixed)).sum()
            + (self.n - self.p) * np.log(residual)
        )

    def fitted(self, ratios: np.ndarray) -> Fitted:
        factor, cross = self._solved(ratios)
        inverse = np.linalg.inv(cross[: self.p, : self.p])
        effects = inverse @ cross[: self.p, self.p]
        sum_of_squares = cross[self.p, self.p] - cross[: self.p, self.p] @ effects
        residual = float(sum_of_squares / (self.n - self.p))
        scale = np.repeat(np.sqrt(ratios), self.levels)
        inner = scipy.linalg.cho_solve((factor, True), scale[:, None] * self.zw[:, : self.p])
        weights = (self.x - self.z @ (scale[:, None] * inner)) @ inverse[:, -1]
        variances = dict(zip(self.names, residual * ratios, strict=True))
        starts = np.cumsum([0, *self.levels[:-1]])
        squares = np.add.reduceat((self.z.T @ weights) ** 2, starts)
        parts = {
            name: float(variances[name] * square)
            for name, square in zip(self.names, squares, strict=True)
        }
        parts["residual"] = float(residual * (weights @ weights))
        effects[0] += self.mean
        return Fitted(effects, residual * inverse, variances | {"residual": residual}, parts)
