"""Krippendorff's alpha: his own example, what must hold, and the package of that name."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.alpha import krippendorff_alpha

X = np.nan
# Krippendorff 2011, example C: four observers, twelve units, five values, some missing.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, X, X, X],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, X, 3],
        [X, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, X],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, X],
    ]
)


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_the_published_example(level, alpha):
    assert krippendorff_alpha(PUBLISHED, level) == pytest.approx(alpha, abs=0.0005)


def test_full_agreement_is_one_and_two_who_always_differ_are_below_chance():
    same = np.tile([1.0, 2, 3, 3], (3, 1))
    assert krippendorff_alpha(same, "ordinal") == krippendorff_alpha(same, "nominal") == 1
    # Coincidences o(0,1) = o(1,0) = 4, n = 8: 1 - 8 / (2 * 4 * 4 / 7) = -0.75.
    assert krippendorff_alpha(np.array([[0.0, 1, 0, 1], [1, 0, 1, 0]]), "nominal") == -0.75


@pytest.mark.parametrize("ratings", [np.ones((2, 3)), np.array([[1.0, X], [X, 2.0]])])
def test_one_value_or_no_shared_unit_has_no_alpha(ratings):
    assert np.isnan(krippendorff_alpha(ratings, "nominal"))


RATINGS = arrays(float, (4, 6), elements=st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]))


@given(RATINGS, st.sampled_from(["nominal", "ordinal"]))
def test_it_equals_the_package(ratings, level):
    ours = krippendorff_alpha(ratings, level)
    if np.isfinite(ours):
        theirs = krippendorff.alpha(reliability_data=ratings, level_of_measurement=level)
        assert ours == pytest.approx(theirs, abs=1e-12)
