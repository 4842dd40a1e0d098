"""Moments of one reading of all predictions, against plain loops."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from core.analysis.influence import influences
from core.analysis.paired_moments import draw_column, paired_moments

GRID = (0.0, 0.5, 0.9)
NAMES = ["A", "B", "C"]


@pytest.fixture(scope="module")
def given():
    """labels, patients and models (runs, sparsities, images, classes)."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(150), 2)
    labels = (rng.random((150, 3)) < [0.4, 0.2, 0.1]).astype(float)[patients]
    labels[rng.random(labels.shape) < 0.02] = np.nan
    shared = rng.normal(size=(1, 1, 300, 3))
    own = 0.5 * rng.normal(size=(3, 3, 300, 3))
    signal = np.array([1.5, 1.0, 0.5])[None, :, None, None] * np.nan_to_num(labels)
    return labels, patients, signal + shared + own


@pytest.fixture(scope="module")
def found(given):
    labels, patients, models = given
    cells = ((s, run[0], run[at]) for run in models for at, s in enumerate(GRID))
    return paired_moments(labels, NAMES, patients, cells, draws=4000, seed=1)


def test_by_class_is_a_plain_loop(given, found):
    labels, patients, models = given
    table = found.by_class.set_index(["metric", "class_name", "sparsity"])
    for column, name in enumerate(NAMES):
        truth = labels[:, column]
        certain = ~np.isnan(truth)
        for at, sparsity in enumerate(GRID[1:], start=1):
            pairs = np.array([
                [roc_auc_score(truth[certain], run[i][certain, column]) for i in (0, at)]
                for run in models
            ])  # fmt: skip
            row = table.loc[("somers_d", name, sparsity)]
            assert [row["dense"], row["pruned"]] == pytest.approx(list(2 * pairs.mean(axis=0) - 1))
            runs = 4 * np.cov(pairs, rowvar=False) / 3
            kept = [row[f"runs_{part}"] for part in ("var_dense", "cov", "var_pruned")]
            assert kept == pytest.approx([runs[0, 0], runs[0, 1], runs[1, 1]])
            n = len(np.unique(patients[truth == 1]))
            assert (row["n_positive_patients"], row["n_positive"]) == (n, (truth == 1).sum())
            per_patient = np.zeros((2, 150))
            for run in models:
                for which, i in enumerate((0, at)):
                    of_images = influences(truth, run[i][:, column])["auroc"].of_images
                    np.add.at(per_patient[which], patients, 2 * of_images / 3)
            expected = per_patient @ per_patient.T * n / (n - 1)
            kept = [row[f"patients_{part}"] for part in ("var_dense", "cov", "var_pruned")]
            assert kept == pytest.approx([expected[0, 0], expected[0, 1], expected[1, 1]], rel=1e-4)


def test_of_mean_is_that_of_map(given, found):
    """The mean over classes, whose variance knows that classes share patients."""
    labels, patients, models = given
    row = found.of_mean.set_index(["metric", "sparsity"]).loc[("ap", 0.9)]
    maps = np.array([
        [
            np.mean([
                average_precision_score(
                    labels[:, c][~np.isnan(labels[:, c])], run[at][~np.isnan(labels[:, c]), c]
                )
                for c in range(3)
            ])
            for at in (0, 2)
        ]
        for run in models
    ])  # fmt: skip
    assert [row["dense"], row["pruned"]] == pytest.approx(list(maps.mean(axis=0)))
    assert row["runs_cov"] == pytest.approx(np.cov(maps, rowvar=False)[0, 1] / 3)
    per_patient = np.zeros(150)
    for run in models:
        for c in range(3):
            of_images = influences(labels[:, c], run[2][:, c])["ap"].of_images
            np.add.at(per_patient, patients, of_images / 9)
    n = len(np.unique(patients[(labels == 1).any(axis=1)]))
    expected = (per_patient**2).sum() * n / (n - 1)
    assert row["patients_var_pruned"] == pytest.approx(expected, rel=1e-4)


def test_draws_of_patients_have_the_variance_of_by_class(found):
    table = found.by_class[found.by_class["metric"] == "somers_d"]
    draws = found.patient_draws.set_index("sparsity")
    for row in table.itertuples():
        drawn = draws.loc[row.sparsity, draw_column(row.class_name)].to_numpy(float)
        assert drawn.mean() == pytest.approx(0, abs=4 * drawn.std() / np.sqrt(len(drawn)))
        assert drawn.var() == pytest.approx(row.patients_var_pruned, rel=0.1)
        dense = draws.loc[0.0, draw_column(row.class_name)].to_numpy(float)
        assert dense.var() == pytest.approx(row.patients_var_dense, rel=0.1)
        both = np.cov(dense, drawn)[0, 1]
        scale = np.sqrt(row.patients_var_dense * row.patients_var_pruned)
        assert both == pytest.approx(row.patients_cov, abs=0.1 * scale)


def test_draws_are_the_influences_times_one_weight_per_patient(given):
    """The same weights for every class and sparsity."""
    labels, patients, models = given
    cells = [(s, models[0][0], models[0][at]) for at, s in enumerate(GRID)]
    draws = paired_moments(labels, NAMES, patients, cells, draws=300, seed=2).patient_draws
    influence = {}
    for at, sparsity in enumerate(GRID):
        for column, name in enumerate(NAMES):
            sums = np.zeros(150)
            of_images = influences(labels[:, column], models[0][at][:, column])["auroc"].of_images
            np.add.at(sums, patients, of_images)
            n = len(np.unique(patients[labels[:, column] == 1]))
            influence[sparsity, name] = 2 * np.sqrt(n / (n - 1)) * sums
    columns = {draw_column(name): name for name in NAMES}
    wide = draws.rename(columns=columns).pivot(index="draw", columns="sparsity", values=NAMES)
    weights = np.random.default_rng(2)
    rows = [weights.standard_normal((100, 150), dtype=np.float32) for _ in range(3)]
    drawn = np.concatenate(rows)
    for (sparsity, name), sums in influence.items():
        np.testing.assert_allclose(wide[name, sparsity], drawn @ sums, rtol=1e-3, atol=1e-4)
