"""Metrics of a slice from stored ranks are those of its probabilities."""

import numpy as np
import pytest

from core.analysis.metrics import metrics_table
from core.analysis.slice_metrics import even_ranks, slice_metrics, slice_truth

NAMES = list("abcdef")


def predictions(n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes of every prevalence, none, all, and uncertain labels; probabilities of some kind."""
    rng = np.random.default_rng(n)
    labels = (rng.random((n, 6)) < [0.5, 0.1, 0.02, 0, 1, 0.3]).astype(float)
    labels[rng.random(n) < 0.1, 5] = np.nan
    probabilities = rng.random((n, 6)).astype(np.float32)
    if kind == "tied":
        probabilities = np.round(probabilities, 1)
    if kind == "constant":
        probabilities[:] = 0.5
    return labels, probabilities


@pytest.mark.parametrize("kind", ["distinct", "tied", "constant"])
@pytest.mark.parametrize("n", [1, 7, 400])
def test_metrics_of_a_slice_are_those_of_its_probabilities(kind, n):
    labels, probabilities = predictions(n, kind)
    chosen = np.random.default_rng(1).random(n) < 0.6
    chosen[0] = True
    expected = metrics_table(labels[chosen], probabilities[chosen], NAMES)
    found = slice_metrics(slice_truth(labels[chosen].T), even_ranks(probabilities)[:, chosen])
    for name, column in found.items():
        wanted = expected[name].to_numpy(float, na_value=np.nan)
        np.testing.assert_allclose(column, wanted, atol=1e-12, err_msg=name)


def test_ranks_are_small_where_they_fit_and_whole_where_they_do_not():
    assert even_ranks(np.random.default_rng(0).random((32_000, 1))).dtype == np.uint16
    large = even_ranks(np.random.default_rng(0).random((40_000, 1)))
    assert large.dtype == np.uint32
    assert large.max() == 80_000
