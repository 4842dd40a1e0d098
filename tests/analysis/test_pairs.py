"""Pairs of classes: distances of curves, and co-occurrence."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.pairs import clustered_order, cooccurrence_iou, fcd_matrix


def curves_of(values: dict[str, list[float]], sparsities=(0.0, 0.5, 0.9)) -> pd.DataFrame:
    rows = [(n, s, v) for n, line in values.items() for s, v in zip(sparsities, line, strict=True)]
    return pd.DataFrame(rows, columns=["class_name", "sparsity", "relative_ap_change"])


def test_fcd_is_euclidean_over_the_pruned_points_only():
    fcd = fcd_matrix(curves_of({"A": [9, 0.0, 0.0], "B": [0, -0.3, -0.4]}))
    assert fcd.loc["A", "B"] == pytest.approx(0.5)


@settings(max_examples=50, deadline=None)
@given(arrays(float, (4, 3), elements=st.floats(-1, 1)))
def test_fcd_is_a_metric(values):
    fcd = fcd_matrix(
        curves_of({name: list(line) for name, line in zip("ABCD", values, strict=True)})
    )
    matrix = fcd.to_numpy()
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 0).all()
    assert (matrix[:, :, None] <= matrix[:, None, :] + matrix.T[None] + 1e-12).all()


def test_a_class_without_a_curve_has_no_fcd():
    fcd = fcd_matrix(curves_of({"A": [0, -0.1, -0.2], "B": [0, np.nan, -0.2]}))
    assert np.isnan(fcd.loc["A", "B"])
    assert fcd.loc["A", "A"] == 0


def test_iou_of_identical_disjoint_and_half_shared_classes():
    labels = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0]], float)
    iou = cooccurrence_iou(labels, ["A", "Same", "Apart", "Half"])
    assert iou.loc["A", "Same"] == 1
    assert iou.loc["A", "Apart"] == 0
    assert iou.loc["A", "Half"] == 0.5


def test_iou_counts_only_images_where_both_labels_are_certain():
    labels = np.array([[1, 1], [1, np.nan], [0, 0]])
    assert cooccurrence_iou(labels, ["A", "B"]).loc["A", "B"] == 1


def test_classes_that_never_occur_have_no_iou():
    assert np.isnan(cooccurrence_iou(np.zeros((3, 2)), ["A", "B"]).loc["A", "B"])


def test_clustering_puts_alike_classes_side_by_side_and_keeps_every_class():
    fcd = fcd_matrix(
        curves_of(
            {
                "early1": [0, -0.8, -0.9],
                "late1": [0, 0, -0.1],
                "early2": [0, -0.81, -0.9],
                "nothing": [0, np.nan, np.nan],
                "late2": [0, 0, -0.12],
            }
        )
    )
    order = clustered_order(fcd)
    assert sorted(order) == sorted(fcd.index)
    assert order[-1] == "nothing"
    assert abs(order.index("early1") - order.index("early2")) == 1
    assert abs(order.index("late1") - order.index("late2")) == 1
