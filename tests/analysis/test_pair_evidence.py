"""FCD without noise is 0 on average for classes that are forgotten alike; its test keeps 5 %."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy

from core.analysis.class_pairs import ClassPairs
from core.analysis.onset import Curves
from core.analysis.pair_evidence import (
    DifferentPairs,
    FrequencyAndDistance,
    PairEvidence,
    exchanged_distances,
    most_apart,
    n_different,
    pair_evidence,
    together,
)
from tests.simulations import metrics_frame

CURVE = np.array([-0.1, -0.3, -0.6])
# Rare classes are measured worse.
NOISE = np.geomspace(0.01, 0.08, 8)


def simulated(seed: int, curves: np.ndarray | None = None, n_runs: int = 4) -> PairEvidence:
    """Eight classes whose curves are measured with their own noise, which runs and patients add:
    each moves a whole curve."""
    rng = np.random.default_rng(seed)
    n = len(NOISE)
    truth = np.repeat(CURVE[None], n, axis=0) if curves is None else curves
    runs = NOISE[None] * np.sqrt(n_runs / 2) * rng.normal(size=(n_runs, n))
    of_patients = NOISE / np.sqrt(2) * rng.normal(size=n)
    change = truth + (runs.mean(axis=0) + of_patients)[:, None]
    of_runs = runs - runs.mean(axis=0)
    variance = (of_runs**2).sum(axis=0) / (n_runs * (n_runs - 1)) + NOISE**2 / 2
    return PairEvidence(
        [f"c{i}" for i in range(n)],
        np.linspace(-0.5, -2.5, n),
        change,
        np.repeat(variance[:, None], 3, axis=1),
        change.mean(axis=1),
        of_runs,
        (NOISE / np.sqrt(2) * rng.normal(size=(400, n))),
        np.full(n, 300),
    )


def test_the_distance_of_two_curves_on_paper():
    """Differences 0.1, 0.2, 0.2 and own variances 0.01 each at every sparsity: mean square 0.03,
    less 0.02 of noise, is 0.01, and its root 0.1."""
    one = PairEvidence(
        ["a", "b"], np.array([-1.0, -2.0]), np.array([[-0.1, -0.3, -0.5], [-0.2, -0.5, -0.7]]),
        np.full((2, 3), 0.01), np.array([-0.3, -1.4 / 3]), np.zeros((1, 2)),
        np.array([[0.1, 0.0], [-0.1, 0.0]]), np.array([50, 50]),
    )  # fmt: skip
    row = DifferentPairs()(one).iloc[0]
    assert row["fcd_squared_debiased"] == pytest.approx(0.01)
    assert row["fcd_corrected"] == pytest.approx(0.1)
    assert row["difference"] == pytest.approx(0.5 / 3)
    assert row["log10_frequency_difference"] == pytest.approx(1)
    t = (0.5 / 3) / 0.1  # one run: patients alone, whose draws have the root mean square 0.1
    assert row["p_value"] == pytest.approx(2 * scipy.stats.t.sf(t, 49))


def test_classes_that_are_forgotten_alike_have_a_squared_distance_of_0_on_average():
    squared = np.array([
        DifferentPairs()(simulated(seed))["fcd_squared_debiased"] for seed in range(400)
    ])  # fmt: skip
    assert (squared < 0).any()
    error = squared.mean(axis=1).std() / np.sqrt(len(squared))
    assert abs(squared.mean()) < 3 * error
    raw = np.mean([(simulated(s).squared + simulated(s).noise).mean() for s in range(50)])
    assert raw > 20 * error, "with the noise left in it is far from 0"


def test_p_is_about_uniform_where_classes_are_forgotten_alike():
    p = np.concatenate([DifferentPairs()(simulated(seed))["p_value"] for seed in range(300)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.05)


def test_classes_that_differ_are_told_apart_and_only_they():
    curves = np.repeat(CURVE[None], 8, axis=0)
    curves[0] -= 0.4
    found, false = 0, []
    for seed in range(30):
        table = DifferentPairs()(simulated(seed, curves, n_runs=10))
        apart = table[table["q_value"] < 0.05]
        assert n_different(table) == len(apart)
        assert "c0" in most_apart(table)
        found += (apart["class_a"] == "c0").sum()
        false.append((apart["class_a"] != "c0").mean())
    assert found > 0.9 * 30 * 7
    assert np.mean(false) < 0.1, "the false discovery rate"
    assert most_apart(table.assign(p_value=np.nan)) is None


def test_a_map_begins_with_the_largest_distance_of_those_told_apart():
    table = pd.DataFrame(
        [("A", "B", 0.2, 1e-9), ("A", "C", 0.6, 1e-4), ("B", "C", 0.9, 0.2)],
        columns=["class_a", "class_b", "fcd_corrected", "p_value"],
    ).assign(q_value=lambda rows: rows["p_value"])
    assert most_apart(table) == ("A", "C")
    assert most_apart(table.assign(q_value=0.5)) == ("A", "B"), "none is: the surest"


def test_equal_runs_without_any_spread_are_no_evidence():
    one = simulated(0)
    still = replace(one, of_runs=0 * one.of_runs, of_patients=0 * one.of_patients)
    assert DifferentPairs()(still)["p_value"].isna().all()


def test_frequency_is_regressed_beside_the_noise_of_the_pair():
    sm = pytest.importorskip("statsmodels.api")
    evidence = simulated(3)
    first, second = np.triu_indices(8, k=1)
    logs, outcome = evidence.log_frequency, evidence.squared[first, second]
    terms = np.abs(logs[first] - logs[second]), evidence.noise[first, second]
    design = sm.add_constant(np.column_stack(terms))
    fit = sm.OLS(outcome, design).fit()
    found = FrequencyAndDistance(draws=400)(evidence)
    assert found.coefficient == pytest.approx(fit.params[1])
    assert found.n_pairs == 28
    drawn = exchanged_distances(evidence, 400, 0)
    t = np.array([sm.OLS(one, design).fit().tvalues[1] for one in drawn])
    half = np.quantile(np.abs(t), FrequencyAndDistance().confidence) * fit.bse[1]
    assert (found.ci_low, found.ci_high) == pytest.approx(
        (found.coefficient - half, found.coefficient + half)
    )
    at_least = (np.abs(t) >= abs(fit.tvalues[1]) - 1e-9).sum()
    assert found.p_value == pytest.approx((1 + at_least) / 401)


def test_exchanged_distances_are_0_on_average_where_classes_are_alike():
    drawn = exchanged_distances(simulated(0), 4000, 0)
    assert drawn.shape == (4000, 28)
    assert abs(drawn.mean()) < 0.1 * simulated(0).noise.mean()


@pytest.mark.parametrize(
    ("repetitions", "most"),
    [(40, 0.2), pytest.param(400, 0.08, marks=pytest.mark.slow)],
)
def test_frequency_is_seldom_found_where_classes_are_forgotten_alike(repetitions, most):
    found = [FrequencyAndDistance(draws=200)(simulated(s)) for s in range(repetitions)]
    assert np.mean([one.ci_low > 0 or one.ci_high < 0 for one in found]) <= most


def test_where_no_class_is_judged_nothing_is_claimed():
    """Three patients have the one class: tables are empty or missing, nothing fails."""
    row = {
        "metric": "somers_d", "class_name": "a", "sparsity": 0.5, "n_runs": 2, "n_positive": 3,
        "n_positive_patients": 3, "dense": 0.5, "pruned": 0.4, "patients_var_dense": 0.1,
        "patients_var_pruned": 0.1, "patients_cov": 0.0, "runs_var_dense": 0.1,
        "runs_var_pruned": 0.1, "runs_cov": 0.0,
    }  # fmt: skip
    curves = Curves(
        ["a"], np.array([0.0, 0.5]), np.full((2, 1, 2), 0.5), np.zeros((5, 1, 2), np.float32),
        np.zeros((5, 1, 2), np.float32), np.array([3]),
    )  # fmt: skip
    nothing = pair_evidence(pd.DataFrame([row]), curves, pd.Series([-1.0], ["a"]))
    assert nothing.class_names == []
    assert DifferentPairs()(nothing).empty
    assert np.isnan(FrequencyAndDistance()(nothing).coefficient)
    assert np.isnan(together(nothing, np.empty((0, 0))).r)


def test_co_occurrence_has_a_range_and_no_test():
    rng = np.random.default_rng(0)
    iou = rng.uniform(0, 0.2, (8, 8))
    found = together(simulated(0), (iou + iou.T) / 2, draws=100)
    assert found.null_low < 0 < found.null_high
    assert found.n_pairs == 28
    assert np.isnan(together(simulated(0), np.full((8, 8), 0.1)).r)


def test_pairs_are_found_in_either_order_of_their_classes():
    evidence = DifferentPairs()(simulated(0))
    metrics = metrics_frame(np.random.default_rng(0).uniform(0.3, 0.9, (3, 8, 3)), (0, 0.5, 0.9))
    names = [f"c{i}" for i in reversed(range(8))]
    metrics["class_name"] = metrics["class_name"].str.replace("Finding 0", "c")
    labels = (np.random.default_rng(1).random((100, 8)) < 0.3).astype(float)
    table = ClassPairs()(metrics, labels, names, evidence)
    assert table["fcd_corrected"].notna().all()
    first = evidence.iloc[0]  # c0, c1: there c1, c0
    row = table[(table["class_a"] == first["class_b"]) & (table["class_b"] == first["class_a"])]
    row = row.iloc[0]
    assert row["difference"] == pytest.approx(-first["difference"])
    assert row["difference_ci_low"] == pytest.approx(-first["difference_ci_high"])
    assert row["q_value"] == pytest.approx(first["q_value"])
