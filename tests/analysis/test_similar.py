"""Images are alike where the dense model gives every class nearly the same odds."""

import numpy as np
import pytest

from core.analysis.similar import LEAST, log_odds, most_alike


def from_odds(*rows: tuple[float, float]) -> np.ndarray:
    return log_odds(1 / (1 + np.exp(-np.array(rows, float))))


def test_distance_is_that_of_the_log_odds():
    odds = from_odds((0, 0), (3, 4), (0, 1), (-6, 8))
    found = most_alike(odds, np.array(list("abcd")), 0, n=8)
    assert found["test_order"].tolist() == [2, 1, 3], "the nearest first, and not itself"
    np.testing.assert_allclose(found["distance"], [1, 5, 10], rtol=1e-4)


def test_only_other_patients_count_and_only_so_many():
    odds = from_odds((0, 0), (0, 0), (1, 0), (2, 0))
    found = most_alike(odds, np.array(["a", "a", "b", "c"]), 0, n=1)
    assert found["test_order"].tolist() == [2], "1 is as near as can be, but the same patient"


def test_ties_stay_in_test_set_order():
    odds = from_odds((0, 0), (0, 2), (2, 0), (-2, 0))
    assert most_alike(odds, np.array(list("abcd")), 0, n=3)["test_order"].tolist() == [1, 2, 3]


def test_certainty_is_far_but_finite():
    odds = log_odds(np.array([[0.0, 1.0]], np.float32))
    assert odds[0].tolist() == pytest.approx([np.log(LEAST), -np.log(LEAST)], rel=1e-3)
    assert log_odds(np.full((1, 1), 0.5))[0, 0] == 0
