"""Resampling helpers against numpy, scikit-learn and statsmodels."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from sklearn.metrics import average_precision_score

from core.analysis.bootstrap import (
    benjamini_hochberg,
    fixed_sequence,
    paired_p,
    patient_sums,
    percentile_interval,
    permutation_p,
    resample_counts,
    welch_p,
)
from core.analysis.influence import influences
from tests.resampling import image_counts, weighted_ap


def test_every_draw_has_as_many_units_as_there_are_and_equal_seeds_draw_alike():
    counts = resample_counts(7, draws=30, seed=3)
    assert (counts.sum(axis=1) == 7).all()
    assert np.array_equal(counts, resample_counts(7, draws=30, seed=3))
    assert not np.array_equal(counts, resample_counts(7, draws=30, seed=4))


def test_a_patient_brings_all_images_into_a_draw():
    counts = image_counts(np.array(["a", "b", "a", "c"]), draws=20, seed=0)
    assert np.array_equal(counts[:, 0], counts[:, 2])
    sums = patient_sums(np.array(["a", "b", "a"]), np.array([[1.0], [2.0], [4.0]]))
    assert sums.tolist() == [[5], [2]]


def test_weighted_ap_is_scikit_learns_with_sample_weight_ties_included():
    rng = np.random.default_rng(0)
    labels = (rng.random(80) < 0.3).astype(float)
    labels[5] = np.nan
    probabilities = rng.random(80).round(1)
    weights = resample_counts(80, draws=10, seed=0)
    certain = ~np.isnan(labels)
    expected = [
        average_precision_score(labels[certain], probabilities[certain], sample_weight=w[certain])
        for w in weights
    ]
    assert weighted_ap(labels, probabilities, weights) == pytest.approx(expected, abs=1e-12)


def test_adjusted_p_values_leave_missing_ones_out():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    known = false_discovery_control(p[~np.isnan(p)])
    assert benjamini_hochberg(p)[~np.isnan(p)] == pytest.approx(known)
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_what_does_not_vary_is_no_evidence_of_a_difference():
    same = np.full(4, 0.5)
    assert paired_p(same * 0) == 1
    assert np.isnan(paired_p(same))
    assert (welch_p(same, same), welch_p(same, same + 0.1)) == (1, 0)  # paper
    assert np.isnan(paired_p(same[:1]))
    assert np.isnan(welch_p(same[:1], same))


def test_a_permutation_p_is_never_zero_and_counts_equal_statistics():
    assert permutation_p(0.9, np.array([0.1, -0.2, 0.3])) == 0.25
    assert permutation_p(0.3, np.array([0.1, -0.3, 0.3])) == 0.75


def test_percentiles_leave_out_draws_without_a_value():
    draws = np.array([[0.0, np.nan], [1.0, 5.0], [2.0, np.nan]])
    low, high = percentile_interval(draws, confidence=0.5)
    assert low == pytest.approx([0.5, 5])
    assert high == pytest.approx([1.5, 5])


def test_the_influence_of_an_image_is_the_slope_of_weighted_ap_ties_included():
    rng = np.random.default_rng(2)
    labels = (rng.random(40) < 0.3).astype(float)
    labels[3] = np.nan
    probabilities = rng.random(40).round(1)
    influence = influences(labels, probabilities)["ap"].of_images
    step = 1e-6
    up, down = (
        weighted_ap(labels, probabilities, 1 + sign * step * np.eye(40)) for sign in (1, -1)
    )
    assert influence == pytest.approx((up - down) / (2 * step), abs=1e-7)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


def test_a_fixed_sequence_stops_at_the_first_that_fails_and_passes_over_what_is_missing():
    adjusted = fixed_sequence(np.array([0.01, np.nan, 0.04, 0.2, 0.001]))
    np.testing.assert_array_equal(adjusted, [0.01, np.nan, 0.04, 0.2, 0.2])
    two = fixed_sequence(np.array([[0.5, 0.01], [0.01, 0.02]]))
    np.testing.assert_array_equal(two, [[0.5, 0.5], [0.01, 0.02]])
