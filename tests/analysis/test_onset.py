"""Where curves of Somers' D are said to have lost a fifth."""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.onset import Curves, Onsets, crossing, falling, onsets

GRID = np.array([0.0, 0.5, 0.8, 0.9])
FINE = np.array([0.0, 0.1, 0.2, 0.3])
VALUES = st.floats(-2, 2, allow_nan=False, width=32)


@settings(max_examples=100, deadline=None)
@given(arrays(float, st.integers(1, 12), elements=VALUES))
def test_falling_is_isotonic_regression(curve):
    expected = scipy.optimize.isotonic_regression(curve, increasing=False).x
    assert falling(curve) == pytest.approx(expected, abs=1e-9)
    assert falling(np.stack([curve, curve[::-1]]))[0] == pytest.approx(expected, abs=1e-9)


def test_the_crossing_lies_on_the_line_between_two_grid_points():
    """-0.1 at 0.5 and -0.3 at 0.8: -0.2 is half way, at 0.65."""
    curves = np.array([[0, -0.1, -0.3, -0.9], [0, 0, -0.2, -0.2], [-0.3, -0.4, -0.5, -0.6]])
    found = crossing(curves, GRID)
    assert found[0] == pytest.approx(0.65)
    assert np.isinf(found[1]), "it reaches 20 % but does not fall below"
    assert found[2] == 0
    assert np.isnan(crossing(np.array([[0, np.nan, -0.5, -0.9]]), GRID)[0])


def test_beyond_a_grid_that_ends_near_one_the_curve_ends_at_nothing():
    """Still whole at 0.9 and 0 at 1: a fifth is gone at 0.92. A grid to 0.8 says only: later."""
    whole = np.ones((1, 4))
    assert onsets(whole, GRID)[0] == pytest.approx(0.92)
    assert np.isinf(onsets(whole[:, :3], GRID[:3])[0])
    assert np.isnan(onsets(np.array([[0.0, 0.5, 0.4, 0.3]]), GRID)[0]), "dense finds nothing"


def curves_of(means, se_runs=0.0, se_patients=0.0, draws=2000, n_runs=3, grid=FINE):
    """Classes with the given mean curves; patients move all of a class's curve alike."""
    rng = np.random.default_rng(0)
    means = np.asarray(means, float)
    shape = (draws, len(means), 1)
    spread = np.ones((1, 1, means.shape[1]))
    return Curves(
        [f"c{i}" for i in range(len(means))],
        grid[: means.shape[1]],
        np.repeat(means[None], n_runs, axis=0),
        (se_runs * rng.normal(size=shape) * spread).astype(np.float32),
        (se_patients * rng.normal(size=shape) * spread).astype(np.float32),
        np.full(len(means), 200),
    )


def test_classes_far_apart_are_ordered_for_sure_and_equal_ones_by_chance():
    early = [[0.8, 0.4, 0.2, 0.1]] * 3
    late = [[0.8, 0.79, 0.78, 0.5]] * 3
    table = Onsets()(curves_of(early + late, se_patients=0.005), np.arange(6))
    assert table["p_among_first"].tolist() == [1, 1, 1, 0, 0, 0]
    assert (table["onset_ci_low"] <= table["onset"]).all()
    assert (table["onset_ci_high"] >= table["onset"]).all()
    equal = Onsets()(curves_of(early * 2, se_patients=0.005), np.arange(6))
    assert equal["p_among_first"].to_numpy() == pytest.approx(0.5, abs=0.05)


def test_classes_that_are_not_judged_have_no_probability():
    table = Onsets()(curves_of([[0.8, 0.4, 0.2, 0.1]] * 5, se_patients=0.01), np.array([0, 2, 3]))
    assert table["p_among_first"].notna().tolist() == [True, False, True, True, False]


def test_an_onset_beyond_the_grid_is_censored():
    table = Onsets()(curves_of([[0.8, 0.79, 0.78]] * 4, se_patients=0.001), np.arange(4))
    assert table["onset_censored"].all()
    assert table["onset"].isna().all()
    assert (table["p_among_first"] == 0).all(), "what does not drop on the grid is not first"


def test_across_a_wide_gap_no_onset_is_read_and_the_order_within_it_is_not_known():
    """A line from 0 to 50 % would put a class at 20 % that has lost its fifth at 5 %."""
    early, late = [[0.8, 0.4, 0.2, 0.1]], [[0.8, 0.79, 0.78, 0.3]]
    table = Onsets()(curves_of(early * 3 + late, se_patients=0.005, grid=GRID), np.arange(4))
    assert table["onset"].isna().tolist() == [True, True, True, False]
    assert table["onset_by"].tolist() == [0.5, 0.5, 0.5, 0.9]
    assert table["onset_ci_low"].tolist()[:3] == [0, 0, 0]
    assert table["onset_ci_high"].tolist()[:3] == [0.5, 0.5, 0.5]
    assert not table["onset_censored"].any()
    assert table["p_among_first"].tolist() == [1, 1, 1, 0], "three classes are gone by 50 %"
    many = Onsets()(curves_of(early * 4, se_patients=0.005, grid=GRID), np.arange(4))
    assert (many["p_among_first"] == 0).all(), "which three of these four were first is not known"


def test_what_is_read_on_the_grid_of_the_paper_is_as_it_was():
    grid = np.arange(0, 1, 0.05)
    curve = 0.8 * (1 - grid**3)
    table = Onsets()(curves_of([curve], se_patients=0.001, grid=grid), np.arange(1))
    assert table["onset"][0] == pytest.approx(0.2 ** (1 / 3), abs=0.002)
    assert table["onset_by"][0] == pytest.approx(0.6)
