"""The meta-regression against statsmodels, a grid over tau^2, and a toy on paper."""

import numpy as np
import pytest
import scipy

from core.analysis.trend import trend


def drawn(seed: int, tau: float, n: int = 18, slope: float = 0.1):
    rng = np.random.default_rng(seed)
    x = np.linspace(-2.5, -0.3, n)
    v = np.geomspace(0.04, 0.0004, n)
    y = -0.5 + slope * x + tau * rng.normal(size=n) + np.sqrt(v) * rng.normal(size=n)
    return x, y, v, [f"c{i}" for i in range(n)]


def restricted_loss(tau2: float, x, y, v) -> float:
    """-2 log restricted likelihood, from the whole covariance matrix."""
    design = np.column_stack([np.ones_like(x), x])
    covariance = np.diag(v + tau2)
    inverse = np.linalg.inv(covariance)
    hat = np.linalg.inv(design.T @ inverse @ design)
    projection = inverse - inverse @ design @ hat @ design.T @ inverse
    return float(
        np.linalg.slogdet(covariance)[1]
        + np.linalg.slogdet(design.T @ inverse @ design)[1]
        + y @ projection @ y
    )


@pytest.mark.parametrize("tau", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_tau_maximises_the_restricted_likelihood(tau, seed):
    x, y, v, names = drawn(seed, tau)
    found = trend(x, y, v, names)
    grid = np.concatenate([[0.0], np.geomspace(1e-7, 2, 1500)])
    losses = [restricted_loss(tau2, x, y, v) for tau2 in grid]
    assert restricted_loss(found.tau**2, x, y, v) <= min(losses) + 1e-5


@pytest.mark.parametrize("tau", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_slope_interval_and_p_are_weighted_least_squares_with_knapp_and_hartung(tau, seed):
    sm = pytest.importorskip("statsmodels.api")
    x, y, v, names = drawn(seed, tau)
    found = trend(x, y, v, names)
    weights = 1 / (v + found.tau**2)
    fit = sm.WLS(y, sm.add_constant(x), weights=weights).fit()
    assert [found.intercept, found.slope] == pytest.approx(fit.params)
    # statsmodels scales the errors by q = sum w r^2 / (n - 2); Knapp-Hartung's, but never below 1.
    factor = np.sqrt(max(fit.scale, 1.0) / fit.scale)
    half = scipy.stats.t.ppf(0.975, len(x) - 2) * fit.bse[1] * factor
    assert [found.ci_low, found.ci_high] == pytest.approx([found.slope - half, found.slope + half])
    p = 2 * scipy.stats.t.sf(abs(found.slope) / (fit.bse[1] * factor), len(x) - 2)
    assert found.p_value == pytest.approx(p)


@pytest.mark.parametrize("seed", range(3))
def test_a_second_regressor_gives_the_slope_among_classes_that_are_equal_in_it(seed):
    sm = pytest.importorskip("statsmodels.api")
    x, y, v, names = drawn(seed, 0.05)
    other = np.random.default_rng(seed).normal(size=len(x)) + x
    y = y + 0.7 * other
    found = trend(x, y, v, names, beside=other)
    design = sm.add_constant(np.column_stack([x, other]))
    fit = sm.WLS(y, design, weights=1 / (v + found.tau**2)).fit()
    assert found.slope == pytest.approx(fit.params[1])
    half = scipy.stats.t.ppf(0.975, len(x) - 3) * fit.bse[1] * np.sqrt(max(1, 1 / fit.scale))
    assert found.ci_high - found.slope == pytest.approx(half)
    assert not trend(x, y, v, names, beside=2 * x).known


def test_points_on_a_line_are_found_and_their_errors_decide_the_interval():
    """y = 1 + 2 x exactly at x = -2 .. 2, each with the error 0.1: q = 0 is taken as 1, so
    se(b1) = 0.1 / sqrt(sum x^2) = 0.1 / sqrt(10), and the interval is t(3) = 3.182 times it."""
    x = np.arange(-2.0, 3.0)
    found = trend(x, 1 + 2 * x, np.full(5, 0.01), list("abcde"))
    assert (found.slope, found.intercept, found.tau) == pytest.approx((2, 1, 0))
    half = 3.182446 * 0.1 / np.sqrt(10)
    assert (found.ci_low, found.ci_high) == pytest.approx((2 - half, 2 + half), abs=1e-6)
    assert found.effects["shrunken"].to_numpy() == pytest.approx(1 + 2 * x)
    assert found.n == 5


def test_a_class_that_is_hardly_known_is_drawn_to_the_line_and_a_well_known_one_is_not():
    x, y, v, names = drawn(1, 0.3)
    v[0], v[-1] = 100.0, 1e-6
    table = trend(x, y, v, names).effects.set_index("class_name")
    first, last = table.loc["c0"], table.loc[names[-1]]
    assert first["shrunken"] == pytest.approx(first["fitted"], abs=0.01)
    assert last["shrunken"] == pytest.approx(last["y"], abs=0.001)


def test_too_few_classes_or_one_frequency_have_no_trend():
    x, y, v, names = drawn(0, 0.1)
    y = y.copy()
    y[4:] = np.nan
    assert not trend(x, y, v, names).known
    assert trend(x, y, v, names).n == 4
    x, y, v, names = drawn(0, 0.1)
    assert not trend(np.zeros_like(x), y, v, names).known
