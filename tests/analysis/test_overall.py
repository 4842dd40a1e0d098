"""mAP against dense: from where on it is below, how often that errs, and over what its intervals
are."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from core.analysis.bootstrap import combined_half_width
from core.analysis.overall import Overall
from core.analysis.paired_moments import paired_moments
from core.reporting.readings import first_drop
from core.wording.statistic_sentences import first_significant, overall_interval
from tests.analysis.test_coverage import GRID, one_study
from tests.simulations import metrics_frame, metrics_of

SHORT = (0.0, 0.5, 0.7, 0.85, 0.95)


def falling(n_runs: int, losses, noise: float = 0.002, seed: int = 0) -> pd.DataFrame:
    """mAP of one class, 0.33 dense, that falls by `losses` over SHORT."""
    rng = np.random.default_rng(seed)
    values = 0.33 - np.asarray(losses) + noise * rng.normal(size=(n_runs, 1, len(SHORT)))
    return metrics_frame(values, SHORT)


def test_three_runs_are_enough_where_each_sparsity_by_itself_shows_it():
    """Holm over the grid called 95 % the first; 85 % is significant, and so is all above it."""
    metrics = falling(3, [0, 0.0, 0.0, 0.08, 0.26], noise=0.008, seed=1)
    table = Overall()(metrics).set_index("sparsity")
    wide = metrics.pivot(index="run", columns="sparsity", values="ap")
    raw = [ttest_1samp(wide[s] - wide[0.0], 0).pvalue for s in SHORT[1:]]
    assert table["paired_p_raw"].iloc[1:].to_numpy() == pytest.approx(raw)
    assert list(table.index[table["first_significant_corrected"]]) == [0.85]
    assert (table["paired_p"].iloc[1:].diff().dropna() <= 0).all()


def test_a_gap_or_a_rise_ends_the_sequence():
    gap = Overall()(falling(4, [0, 0.1, 0.0, 0.1, 0.2])).set_index("sparsity")
    assert gap.loc[0.5, "paired_p_raw"] < 0.05 < gap.loc[0.5, "paired_p"]
    assert list(gap.index[gap["first_significant_corrected"]]) == [0.85]
    rise = Overall()(falling(4, [0, 0.1, 0.1, -0.1, 0.2])).set_index("sparsity")
    assert rise.loc[0.85, "paired_p_raw"] < 0.05
    assert (rise.loc[[0.5, 0.7, 0.85], "paired_p"] == 1).all()
    above = Overall()(falling(4, [0, 0.1, 0.1, 0.1, -0.1]))
    assert not above["first_significant_corrected"].any()


@pytest.mark.parametrize(
    ("repetitions", "most"),
    [
        pytest.param(100, 0.12, id="few"),
        pytest.param(1000, 0.064, id="many", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("n_true", [0, 1, 2])
def test_too_low_a_sparsity_is_named_in_one_study_of_twenty(repetitions, most, n_true):
    """mAP is truly below dense at the `n_true` highest sparsities only."""
    losses = np.array([0.0] * (len(SHORT) - n_true) + [0.1] * n_true)
    wrong = []
    for seed in range(repetitions):
        table = Overall()(falling(3, losses, 0.01, seed))
        first = table.loc[table["first_significant_corrected"], "sparsity"]
        wrong.append(bool((first < SHORT[len(SHORT) - n_true] if n_true else first >= 0).any()))
    assert np.mean(wrong) <= most


def test_intervals_over_runs_and_patients_are_those_of_the_moments():
    labels, dense, pruned, patients = one_study(np.random.default_rng(5), 200, 3)
    both = np.stack([dense, pruned], axis=1)
    cells = [(s, run[0], run[at]) for run in both for at, s in enumerate(GRID)]
    known = paired_moments(labels, ["A", "B"], patients, cells, draws=1).of_mean
    metrics = metrics_of(labels, both, ["A", "B"], GRID)
    table, alone = Overall()(metrics, known), Overall()(metrics)
    assert (table["interval_over"] == "runs and patients").all()
    assert (alone["interval_over"] == "runs").all()
    ap = known[known["metric"] == "ap"].iloc[0]
    means = metrics.groupby(["run", "sparsity"])["ap"].mean().unstack()
    variance = ap["patients_var_dense"] + ap["patients_var_pruned"] - 2 * ap["patients_cov"]
    of_patients = {
        ("ci", 0): np.sqrt(ap["patients_var_dense"]),
        ("ci", 1): np.sqrt(ap["patients_var_pruned"]),
        ("difference_ci", 1): np.sqrt(variance),
    }
    for (name, row), se in of_patients.items():
        values = means[GRID[row]] - (means[0.0] if name == "difference_ci" else 0)
        half = combined_half_width(values.sem(), 3, se, ap["n_positive_patients"])
        interval = table.loc[row, [f"{name}_low", f"{name}_high"]].to_numpy(float)
        assert interval == pytest.approx([values.mean() - half, values.mean() + half])
    for name in ("ci", "difference_ci"):
        assert (table[f"{name}_low"] <= alone[f"{name}_low"] + 1e-12).all()
        assert (table[f"{name}_high"] >= alone[f"{name}_high"] - 1e-12).all()
    same = ["mean_ap", "median_ap", "welch_p", "paired_p", "first_significant_paper"]
    pd.testing.assert_frame_equal(table[same], alone[same])


def test_one_run_cannot_tell():
    table = Overall()(falling(1, [0, 0, 0.02, 0.1, 0.26]))
    for corrected in (True, False):
        assert "cannot tell, this needs two runs" in first_significant(table, corrected)
    reading = first_drop(table)
    assert "Cannot tell: this needs two runs" in reading.paper[0] + reading.corrected[0]
    assert overall_interval(table) == "One run: no interval and no test."


def test_the_sentences_say_what_is_tested_and_over_what():
    table = Overall()(falling(4, [0, 0, 0, 0.1, 0.2]))
    assert "highest sparsity down): from 85 % sparsity on, p" in first_significant(table, True)
    assert "not for other patients" in overall_interval(table)
    nothing = Overall()(falling(4, np.zeros(len(SHORT))))
    assert "not shown to be below dense" in first_significant(nothing, True)
