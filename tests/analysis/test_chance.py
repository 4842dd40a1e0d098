"""What a random order is expected to reach, counted out over every order."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from core.analysis.chance import expected_ap, expected_calibrated_ap
from tests.toys import class_metrics


@pytest.mark.parametrize(
    ("n_positive", "n"), [(1, 1), (1, 2), (1, 7), (2, 5), (3, 8), (5, 8), (8, 8), (4, 10)]
)
def test_expected_ap_is_the_mean_over_every_order(n_positive, n):
    scores = np.arange(n, 0, -1)
    found = []
    for places in combinations(range(n), n_positive):
        labels = np.zeros(n)
        labels[list(places)] = 1
        found.append(average_precision_score(labels, scores))
    assert expected_ap(n_positive, n) == pytest.approx(np.mean(found), abs=1e-12)


def test_one_positive_of_two_is_first_or_second():
    assert expected_ap(1, 2) == pytest.approx((1 + 1 / 2) / 2)
    assert np.isnan(expected_ap(0, 5))
    assert np.isnan(expected_calibrated_ap(0, 5))
    assert np.isnan(expected_calibrated_ap(5, 5))


@pytest.mark.parametrize(("n_positive", "told"), [(1, 0.16), (3, 0.10), (10, 0.07)])
def test_expected_calibrated_ap_against_simulation(n_positive, told):
    """The levels that the docs give: 0.16, 0.10 and 0.07 with 1, 3 and 10 positives."""
    rng = np.random.default_rng(n_positive)
    labels = np.zeros(3000)
    labels[:n_positive] = 1
    drawn = [class_metrics(labels, rng.random(3000)).calibrated_ap for _ in range(2000)]
    expected = expected_calibrated_ap(n_positive, 3000)
    assert round(expected, 2) == told
    assert expected == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(len(drawn)))


def test_with_many_positives_it_tends_to_the_prevalence_of_reference():
    assert expected_calibrated_ap(5000, 200_000) == pytest.approx(0.05, abs=0.001)
    assert expected_ap(5000, 200_000) == pytest.approx(0.025, abs=0.0005)
