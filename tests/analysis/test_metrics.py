"""Class metrics are scikit-learn's, to 1e-12, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from core.analysis.metrics import REFERENCE_PREVALENCE, metrics_table
from tests.toys import class_metrics

# Few distinct scores, so that ties are the rule.
TIED = st.integers(0, 6).map(lambda value: value / 7)
ANY = st.floats(0, 1, width=32)
IMAGES = st.lists(st.tuples(st.booleans(), TIED | ANY), min_size=1, max_size=200)


def labels_and_scores(images):
    return np.array([i[0] for i in images], float), np.array([i[1] for i in images])


@settings(max_examples=500, deadline=None)
@given(IMAGES)
def test_ap_and_auroc_equal_scikit_learn(images):
    labels, scores = labels_and_scores(images)
    ours = class_metrics(labels, scores)
    if labels.any():
        assert ours.ap == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    if 0 < labels.sum() < len(labels):
        assert ours.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(IMAGES)
def test_calibrated_ap_is_ap_with_precision_at_the_reference_prevalence(images):
    labels, scores = labels_and_scores(images)
    if not 0 < labels.sum() < len(labels):
        return
    false_rate, true_rate, _ = roc_curve(labels, scores, drop_intermediate=False)
    p0 = REFERENCE_PREVALENCE
    steps = np.diff(true_rate)
    precision = p0 * true_rate[1:] / (p0 * true_rate[1:] + (1 - p0) * false_rate[1:] + 1e-300)
    expected = float(np.sum(steps * precision))
    assert class_metrics(labels, scores).calibrated_ap == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(IMAGES, st.integers(2, 5))
def test_calibrated_ap_and_auroc_do_not_depend_on_prevalence(images, times):
    labels, scores = labels_and_scores(images)
    if not 0 < labels.sum() < len(labels):
        return
    once = class_metrics(labels, scores)
    repeat = np.where(labels == 0, times, 1)
    more_negatives = class_metrics(np.repeat(labels, repeat), np.repeat(scores, repeat))
    assert more_negatives.auroc == pytest.approx(once.auroc, abs=1e-12)
    assert more_negatives.calibrated_ap == pytest.approx(once.calibrated_ap, abs=1e-12)


def test_four_images_by_hand():
    # Ranked: positive, negative, positive, negative -> precision 1 and 2/3, each half the recall.
    metrics = class_metrics(np.array([1, 0, 1, 0.0]), np.array([0.9, 0.8, 0.7, 0.1]))
    assert metrics.ap == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.auroc == pytest.approx(3 / 4)
    assert (metrics.n_positive, metrics.n) == (2, 4)


def test_a_class_with_no_positives_has_no_metrics():
    metrics = class_metrics(np.zeros(5), np.linspace(0, 1, 5))
    assert (metrics.ap, metrics.auroc, metrics.calibrated_ap) == (None, None, None)
    table = metrics_table(np.zeros((5, 1)), np.full((5, 1), 0.5), ["Hernia"])
    assert table.loc[0, ["ap", "auroc", "calibrated_ap"]].isna().all()


def test_a_class_with_no_negatives_has_an_ap_of_one_and_no_auroc():
    metrics = class_metrics(np.ones(3), np.array([0.1, 0.5, 0.2]))
    assert (metrics.ap, metrics.auroc, metrics.calibrated_ap) == (1.0, None, None)


def test_uncertain_labels_are_left_out_of_their_class_only():
    labels = np.array([[1, 1], [0, np.nan], [1, 0], [np.nan, 1]])
    scores = np.array([[0.9, 0.2], [0.8, 0.9], [0.1, 0.4], [0.99, 0.8]])
    table = metrics_table(labels, scores, ["Effusion", "Nodule"]).set_index("class_name")
    assert table.loc["Effusion", "ap"] == pytest.approx(
        average_precision_score([1, 0, 1], [0.9, 0.8, 0.1])
    )
    assert table.loc["Nodule", "ap"] == pytest.approx(
        average_precision_score([1, 0, 1], [0.2, 0.4, 0.8])
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY | TIED | st.floats(-(2.0**100), 2.0**100, width=32), min_size=40, max_size=200))
def test_counting_in_buckets_is_counting_in_a_sorted_list(scores):
    scores = np.array(scores, np.float32)
    labels = np.zeros(len(scores))
    labels[:7] = 1  # few enough for buckets
    ours = class_metrics(labels, scores)
    expected = class_metrics(labels, scores.astype(float))  # which are always sorted
    assert ours == expected
    assert ours.ap == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_table_is_that_of_its_columns_whatever_their_layout(order, dtype):
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 6)) < [0.5, 0.1, 0.02, 0.0, 1.0, 0.3]).astype(float)
    labels[::7, 5] = np.nan
    scores = np.asarray(rng.random((300, 6)).round(2), dtype, order=order)
    table = metrics_table(labels, scores, list("abcdef"))
    for column, row in table.iterrows():
        known = ~np.isnan(labels[:, column])
        label, score = labels[known, column], scores[known, column]
        assert row["n_positive"] == label.sum()
        if label.any():
            expected = average_precision_score(label, score)
            assert row["ap"] == pytest.approx(expected, abs=1e-12)
        if 0 < label.sum() < len(label):
            assert row["auroc"] == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert table["auroc"].isna().tolist() == [False, False, False, True, True, False]


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 1], [0.1]), ([0, 2], [0.1, 0.2]), ([0, 1], [0.1, np.nan]), ([0, 1], [0.1, np.inf])],
)
def test_what_cannot_be_measured_is_refused(labels, scores):
    with pytest.raises(ValueError, match=r"differ|must be"):
        class_metrics(np.array(labels, float), np.array(scores))
