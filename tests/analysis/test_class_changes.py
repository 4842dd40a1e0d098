"""The change of each class with its errors, against plain numpy and pandas."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.class_changes import OVER_PATIENTS, OVER_RUNS, ClassChanges, run_moments
from core.analysis.paired_moments import PAIRED_MOMENTS
from core.analysis.ratio import ratio_variances
from tests.simulations import metrics_frame


def moments(**columns) -> pd.DataFrame:
    row = {
        "metric": "somers_d", "class_name": "Mass", "sparsity": 0.9, "n_runs": 3,
        "n_positive": 60, "n_positive_patients": 40, "dense": 0.8, "pruned": 0.4,
        "patients_var_dense": 0.0004, "patients_var_pruned": 0.0009, "patients_cov": 0.0002,
        "runs_var_dense": 0.0001, "runs_var_pruned": 0.0002, "runs_cov": 0.00005,
    }  # fmt: skip
    return pd.DataFrame([row | columns])[list(PAIRED_MOMENTS)]


def test_the_delta_method_on_paper():
    """r = 0.5; over patients (0.0009 - 2 r 0.0002 + r^2 0.0004) / 0.8^2 = 0.0008 / 0.64."""
    ratio, patients, runs = ratio_variances(moments())
    assert ratio[0] == pytest.approx(0.5)
    assert patients[0] == pytest.approx(0.0008 / 0.64)
    assert runs[0] == pytest.approx((0.0002 - 0.00005 + 0.25 * 0.0001) / 0.64)
    row = ClassChanges()(moments()).iloc[0]
    assert row["change"] == pytest.approx(-0.5)
    assert row["se_patients"] == pytest.approx(np.sqrt(0.0008 / 0.64))
    assert row["ci_low"] < -0.5 < row["ci_high"]
    assert row["found"]
    assert not row["unstable"]


def test_the_delta_method_is_the_spread_of_the_ratio_by_simulation():
    rng = np.random.default_rng(0)
    covariance = [[0.0004, 0.0002], [0.0002, 0.0009]]
    dense, pruned = rng.multivariate_normal([0.8, 0.4], covariance, 200_000).T
    _, patients, _ = ratio_variances(moments())
    assert np.var(pruned / dense) == pytest.approx(patients[0], rel=0.02)


def test_equal_models_have_no_change_and_no_error():
    same = moments(
        pruned=0.8, patients_var_pruned=0.0004, patients_cov=0.0004,
        runs_var_pruned=0.0001, runs_cov=0.0001,
    )  # fmt: skip
    row = ClassChanges()(same).iloc[0]
    assert [row["change"], row["ci_low"], row["ci_high"]] == pytest.approx([0, 0, 0])


def test_a_class_that_the_dense_model_does_not_find_is_not_found():
    """Its own D lies above 0 by less than 1.96 errors of sqrt(0.0004 + 0.0001) = 0.0224."""
    assert not ClassChanges()(moments(dense=0.043)).iloc[0]["found"]
    assert ClassChanges()(moments(dense=0.045)).iloc[0]["found"]
    of_area = moments(metric="auroc", dense=0.53)
    assert not ClassChanges("auroc")(of_area).iloc[0]["found"], "chance is one half of AUROC"
    assert np.isnan(ClassChanges()(moments(dense=-0.1)).iloc[0]["change"])


def test_few_patients_have_no_interval_and_one_run_has_that_of_patients():
    few = ClassChanges()(moments(n_positive_patients=4)).iloc[0]
    assert np.isnan(few["ci_low"])
    assert few["unstable"]
    one = moments(n_runs=1, runs_var_dense=np.nan, runs_var_pruned=np.nan, runs_cov=np.nan)
    row = ClassChanges()(one).iloc[0]
    assert np.isfinite(row["ci_low"])
    assert row["interval_over"] == OVER_PATIENTS
    assert np.isnan(row["se_runs"])


def test_moments_of_runs_are_those_of_pandas():
    rng = np.random.default_rng(0)
    grid = (0.0, 0.5, 0.9)
    metrics = metrics_frame(rng.uniform(0.3, 0.9, (4, 3, 3)), grid)
    metrics.loc[(metrics["run"] == 3) & (metrics["sparsity"] == 0.9), "ap"] = np.nan
    table = run_moments(metrics, ("ap",)).set_index(["class_name", "sparsity"])
    wide = metrics.pivot(index="run", columns=["class_name", "sparsity"], values="ap").astype(float)
    for name in metrics["class_name"].unique():
        for sparsity in grid[1:]:
            pair = wide[name][[0.0, sparsity]].dropna()
            row, n = table.loc[(name, sparsity)], len(pair)
            assert row["n_runs"] == n == (3 if sparsity == 0.9 else 4)
            assert [row["dense"], row["pruned"]] == pytest.approx(pair.mean().tolist())
            expected = pair.cov().to_numpy() / n
            found = [row[f"runs_{part}"] for part in ("var_dense", "cov", "var_pruned")]
            assert found == pytest.approx([expected[0, 0], expected[0, 1], expected[1, 1]])
    assert table[["patients_var_dense", "patients_cov"]].isna().all(axis=None)
    changes = ClassChanges("ap")(table.reset_index())
    assert (changes["interval_over"] == OVER_RUNS).all()
    assert changes["se_patients"].isna().all()
