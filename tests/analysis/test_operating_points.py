"""Operating points, on toys one can work out on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.operating_points import (
    OperatingPoints,
    no_operating_points,
    operating_point,
)

TENTHS = np.arange(1, 11, dtype=np.float32) / 10
SHARES = st.floats(0.01, 0.99)
SCORES = arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1, width=32))


def test_nine_of_ten_negatives_lie_below_the_point_of_specificity_09():
    point = operating_point(TENTHS, 0.9)
    assert (point > TENTHS).sum() == 9
    assert point == np.nextafter(np.float32(0.9), np.float32(np.inf))


def test_a_specificity_between_two_shares_is_reached_not_missed():
    assert (operating_point(TENTHS, 0.85) > TENTHS).mean() == pytest.approx(0.9)
    assert (operating_point(TENTHS, 0.7) > TENTHS).mean() == pytest.approx(0.7)


def test_negatives_tied_with_the_point_lie_below_it_together():
    tied = np.array([0.1, 0.2, 0.2, 0.2, 0.5], np.float32)
    assert (tied < operating_point(tied, 0.4)).sum() == 4


@given(SCORES, SHARES)
def test_no_smaller_value_has_the_specificity(negatives, specificity):
    point = np.float32(operating_point(negatives, specificity))
    wanted = round(specificity * len(negatives), 9)
    assert (negatives < point).sum() >= wanted
    assert (negatives < np.nextafter(point, np.float32(-np.inf))).sum() < wanted


def test_only_certain_negatives_decide_and_without_any_there_is_no_point():
    labels = np.array([[0, 1], [0, np.nan], [1, 1], [np.nan, 1]])
    probabilities = np.array([[0.1, 0.9], [0.3, 0.2], [0.8, 0.7], [0.9, 0.1]], np.float32)
    table = OperatingPoints(0.5)(labels, probabilities, ("Mass", "Hernia"))
    mass, hernia = (table.iloc[row] for row in range(2))
    assert mass["operating_point"] == pytest.approx(0.1)
    assert (mass["n_negatives"], mass["n_positives"]) == (2, 1)
    assert (mass["validation_specificity"], mass["validation_sensitivity"]) == (0.5, 1)
    assert np.isnan(hernia["operating_point"])
    assert np.isnan(hernia["validation_specificity"])
    assert np.isnan(hernia["validation_sensitivity"])


def test_a_study_without_validation_has_no_points():
    table = no_operating_points(("Mass", "Hernia"))
    assert table["operating_point"].isna().all()
    assert list(table["n_negatives"]) == [0, 0]
