"""PIEs: agreement is scipy's Spearman within an image; 5 % of images are PIEs by definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from core.analysis.pie import Pies, agreement

FEW_VALUES = st.integers(0, 4).map(float)


@settings(max_examples=200, deadline=None)
@given(arrays(float, (2, 5), elements=FEW_VALUES))
def test_agreement_is_spearman_with_average_ranks(pair):
    ours = agreement(pair[:1], pair[1:])[0]
    if np.ptp(pair[0]) == 0 or np.ptp(pair[1]) == 0:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(spearmanr(pair[0], pair[1]).statistic, abs=1e-12)


def test_identical_models_agree_fully_and_still_have_five_percent_pies():
    probabilities = np.random.default_rng(0).random((100, 6))
    ids = pd.Series([f"image-{i}" for i in range(100)])
    table = Pies()(ids, probabilities, probabilities)
    assert table["agreement"].tolist() == pytest.approx([1.0] * 100)
    assert table["is_pie"].sum() == 5


def test_pies_are_the_images_of_lowest_agreement_and_ties_go_by_test_set_order():
    dense = np.tile([0.1, 0.2, 0.3], (40, 1))
    pruned = dense.copy()
    pruned[[7, 30]] = [0.3, 0.2, 0.1]
    pruned[[3, 9]] = [0.1, 0.3, 0.2]
    ids = pd.Series([str(i) for i in range(40)])
    assert set(Pies(share=0.05)(ids, dense, pruned).query("is_pie")["image_id"]) == {"7", "30"}
    assert set(Pies(share=0.08)(ids, dense, pruned).query("is_pie")["image_id"]) == {"7", "30", "3"}


def test_an_image_without_agreement_is_counted_and_never_a_pie():
    dense = np.array([[0.1, 0.2, 0.3]] * 20)
    pruned = dense.copy()
    pruned[4] = 0.5
    table = Pies(share=1.0)(pd.Series(range(20)), dense, pruned)
    assert len(table) == 20
    assert np.isnan(table.loc[4, "agreement"])
    assert not table.loc[4, "is_pie"]


def test_matrices_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="differ"):
        agreement(np.zeros((2, 3)), np.zeros((3, 3)))
