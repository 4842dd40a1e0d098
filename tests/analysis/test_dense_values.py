"""How well the dense model recognises each class: values on paper, and intervals that hold."""

import numpy as np
import pytest
import scipy
import sklearn.metrics

from core.analysis.dense_values import DENSE_VALUES, DenseValues
from core.analysis.metrics import METRICS

CLASSES = ["Mass"]


def drawn(rng, n=120, n_positive=30, apart=1.0, runs=1):
    """(n, 1) labels and, of each run, probabilities: normal scores `apart` for positives."""
    labels = np.zeros((n, 1))
    labels[:n_positive] = 1
    shared = rng.normal(size=(n, 1)) + apart * labels
    return labels, [
        scipy.special.expit(shared + 0.3 * rng.normal(size=(n, 1))) for _ in range(runs)
    ]


@pytest.mark.parametrize("metric", METRICS)
def test_the_value_is_the_mean_over_runs_and_lies_in_its_interval(metric):
    labels, runs = drawn(np.random.default_rng(0), runs=3)
    found = DenseValues(metric)(labels, CLASSES, np.arange(len(labels)), runs)
    (row,) = found.itertuples()
    assert list(found) == DENSE_VALUES.names
    assert row.ci_low < row.dense < row.ci_high <= 1
    assert (row.n_runs, row.n_positive, row.n_positive_patients) == (3, 30, 30)
    assert row.interval_over == "runs and patients"
    if metric in ("auroc", "somers_d"):
        mean = np.mean([sklearn.metrics.roc_auc_score(labels, one) for one in runs])
        assert row.dense == pytest.approx(2 * mean - 1 if metric == "somers_d" else mean)


def test_images_of_one_patient_are_no_further_evidence():
    labels, runs = drawn(np.random.default_rng(1))
    alone = DenseValues("auroc")(labels, CLASSES, np.arange(len(labels)), runs)
    doubled = np.repeat(labels, 2, axis=0), [np.repeat(one, 2, axis=0) for one in runs]
    twice = DenseValues("auroc")(
        doubled[0], CLASSES, np.repeat(np.arange(len(labels)), 2), doubled[1]
    )
    for column in ("dense", "ci_low", "ci_high"):
        assert twice[column][0] == pytest.approx(alone[column][0], abs=1e-9)


def test_few_patients_have_a_value_and_no_interval_and_a_class_without_positive_no_row():
    labels = np.zeros((40, 2))
    labels[:4, 0] = 1
    scores = np.random.default_rng(2).random((40, 2))
    found = DenseValues()(labels, ["Hernia", "Mass"], np.arange(40), [scores])
    (row,) = found.itertuples()
    assert row.class_name == "Hernia"
    assert row.unstable
    assert row.dense > 0
    assert np.isnan([row.ci_low, row.ci_high]).all()


def test_the_interval_of_auroc_holds_the_truth_as_often_as_it_says():
    rng, held, studies = np.random.default_rng(3), 0, 400
    true = scipy.stats.norm.cdf(1.5 / np.sqrt(2 * (1 + 0.3**2)))
    for _ in range(studies):
        labels, runs = drawn(rng, n_positive=12, apart=1.5)
        row = DenseValues("auroc")(labels, CLASSES, np.arange(len(labels)), runs).iloc[0]
        held += row["ci_low"] <= true <= row["ci_high"]
    # What 92 % would fall below in one of some thousand runs.
    assert held >= scipy.stats.binom.ppf(0.001, studies, 0.92)
