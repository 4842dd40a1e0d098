"""Pairs of classes are not independent: permuting classes holds its level where OLS does not."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from core.analysis.bootstrap import permutations_of
from core.analysis.correlations import censored_kendall, correlate, mantel
from core.analysis.interaction import mrqap

N = 12


def distances(rng) -> np.ndarray:
    """|v_a - v_b| of one random number per class."""
    values = rng.normal(size=N)
    return np.abs(values[:, None] - values[None, :])


def test_a_correlation_needs_three_classes_that_differ():
    logs, change = np.array([-1.0, -2.0, -3.0]), np.array([-0.1, -0.2, -0.3])
    assert correlate(logs, change)["pearson_r"] == pytest.approx(1)
    assert np.isnan(correlate(logs[:2], change[:2])["pearson_r"])
    assert np.isnan(correlate(logs, np.full(3, -0.5))["pearson_r"])


def test_mantel_is_a_loop_over_permuted_matrices():
    rng = np.random.default_rng(0)
    x, y = distances(rng), distances(rng)
    upper = np.triu_indices(N, k=1)
    r = pearsonr(x[upper], y[upper])[0]
    permuted = [
        pearsonr(x[upper], y[np.ix_(order, order)][upper])[0] for order in permutations_of(N, 99, 5)
    ]
    expected = (1 + (np.abs(permuted) >= abs(r)).sum()) / 100
    row = mantel(x, y, permutations=99, seed=5)
    assert row["permutation_p"] == pytest.approx(expected)
    assert row["n"] == 66


def test_mantel_leaves_out_what_is_unknown():
    rng = np.random.default_rng(0)
    x, y = distances(rng), distances(rng)
    y[3] = y[:, 3] = np.nan
    x[0, 1] = x[1, 0] = np.nan
    row = mantel(x, y, permutations=50, seed=0)
    assert row["n"] == 55 - 1
    assert 0 < row["permutation_p"] <= 1


def test_permuting_classes_holds_its_level_and_ols_does_not():
    rng = np.random.default_rng(7)
    ols, permuted = [], []
    for _ in range(150):
        terms = {"a": distances(rng), "b": distances(rng)}
        row = mrqap(distances(rng), terms, permutations=99, seed=0).set_index("term").loc["a"]
        ols.append(row["ols_p"] < 0.05)
        permuted.append(row["permutation_p"] <= 0.05)
    assert np.mean(permuted) < 0.1
    assert np.mean(ols) > np.mean(permuted) + 0.05


def test_a_real_effect_is_found_with_its_coefficient():
    rng = np.random.default_rng(1)
    a, b = distances(rng), distances(rng)
    noise = np.triu(0.05 * rng.normal(size=(N, N)), k=1)
    table = mrqap(0.3 + 2 * a - b + noise + noise.T, {"a": a, "b": b}, 199, 0).set_index("term")
    assert table.loc["a", "coefficient"] == pytest.approx(2, abs=0.1)
    assert table.loc["b", "permutation_p"] < 0.02
    assert np.isnan(table.loc["intercept", "permutation_p"])


def test_linearly_dependent_terms_have_no_answer():
    a = distances(np.random.default_rng(1))
    table = mrqap(a, {"a": a, "twice": 2 * a}, 19, 0)
    assert table["coefficient"].isna().all()


def test_censored_classes_are_tied_above_all_others():
    x = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    y = np.array([0.5, 0.9, np.nan, np.nan, 0.1])
    row = censored_kendall(x, y, np.array([False, False, True, True, False]))
    assert row["n_kendall"] == 4
    assert row["kendall_tau_b"] == pytest.approx(5 / np.sqrt(6 * 5))
