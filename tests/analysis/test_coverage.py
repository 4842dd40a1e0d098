"""95 % intervals cover a known effect 95 % of the time: 92 to 98 % over 300 repetitions in the
slow tests, within a wider band over 40 in every run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from core.analysis.forgettability import Forgettability
from core.analysis.overall import Overall
from core.analysis.paired_moments import paired_moments
from core.analysis.pie_composition import PieClassRatio
from tests.interval_coverage import COVERAGE_DESIGN, coverage_table, events
from tests.simulations import metrics_of, noisy_metrics

FEW = pytest.param(40, 0.85, 1.0, id="few")
MANY = pytest.param(300, 0.92, 0.98, id="many", marks=pytest.mark.slow)
bands = pytest.mark.parametrize(("repetitions", "least", "most"), [FEW, MANY])
GRID = (0.0, 0.9)
LOSS = np.array([0.0, 0.3])


@bands
@pytest.mark.parametrize("n_runs", [4, 30])
def test_difference_of_mean_ap_over_runs(repetitions, least, most, n_runs):
    covered = []
    for seed in range(repetitions):
        table = Overall()(noisy_metrics(n_runs, 5, LOSS, 0.03, seed, GRID)).iloc[1]
        covered.append(table["difference_ci_low"] <= -0.18 <= table["difference_ci_high"])
    assert least <= np.mean(covered) <= most


@bands
@pytest.mark.parametrize("n_runs", [3, 10, 30])
def test_mean_relative_change_over_runs(repetitions, least, most, n_runs):
    """Dense and pruned vary alike; the ratio of their means is the loss itself."""
    covered = []
    for seed in range(repetitions):
        table = Forgettability()(noisy_metrics(n_runs, 4, LOSS, 0.03, seed, GRID))
        at = table[table["sparsity"] == 0.9]
        covered += list((at["ci_low"] <= -0.3) & (at["ci_high"] >= -0.3))
    assert least <= np.mean(covered) <= most


@bands
def test_ratio_in_pie_class_ratio(repetitions, least, most):
    """Images of one patient share their label and PIE-ness more often than not; the ratio is 2."""
    covered = []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        n_patients = 500
        images = np.repeat(np.arange(n_patients), 3)
        pie_patient = rng.random(n_patients) < 0.15
        level = rng.random(n_patients)[images]
        is_pie = pie_patient[images]
        positive = level < np.where(is_pie, 0.4, 0.2)
        ids = [f"i{i}" for i in range(len(images))]
        test = pd.DataFrame({"image_id": ids, "patient_id": images, "Mass": positive.astype(int)})
        pies = pd.DataFrame({"image_id": ids, "is_pie": is_pie})
        row = PieClassRatio(draws=400)(pies, test, ("Mass",)).iloc[0]
        covered.append(row["ci_low"] <= 2 <= row["ci_high"])
    assert least <= np.mean(covered) <= most


def one_study(rng, n_patients, n_runs, effects=(1.5, 0.8)):
    """(labels, dense, pruned, patients): two classes of prevalence 0.3, two images a patient,
    noise shared by the images of a patient and by all runs."""
    patients = np.repeat(np.arange(n_patients), 2)
    labels = (rng.random((n_patients, 2)) < 0.3).astype(float)[patients]
    shared = rng.normal(size=(n_patients, 2))[patients] + 0.5 * rng.normal(size=labels.shape)
    models = []
    for effect in effects:
        noise = 0.5 * rng.normal(size=(n_runs, *labels.shape))
        models.append((effect + 0.1 * rng.normal(size=(n_runs, 1, 1))) * labels + shared + noise)
    return labels, *models, patients


@pytest.fixture(scope="module")
def true_difference():
    rng = np.random.default_rng(99)
    labels, dense, pruned, _ = one_study(rng, 20_000, 10)
    metrics = metrics_of(labels, np.stack([dense, pruned], axis=1), ["A", "B"], GRID)
    means = metrics.groupby("sparsity")["ap"].mean()
    return means[GRID[1]] - means[GRID[0]]


@bands
@pytest.mark.parametrize("n_runs", [2, 3, 10])
def test_overall_with_patients(repetitions, least, most, n_runs, true_difference):
    covered = []
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        labels, dense, pruned, patients = one_study(rng, 200, n_runs)
        both = np.stack([dense, pruned], axis=1)
        cells = ((s, run[0], run[at]) for run in both for at, s in enumerate(GRID))
        known = paired_moments(labels, ["A", "B"], patients, cells, draws=1).of_mean
        row = Overall()(metrics_of(labels, both, ["A", "B"], GRID), known).iloc[1]
        covered.append(row["difference_ci_low"] <= true_difference <= row["difference_ci_high"])
    assert least <= np.mean(covered) <= most


# n_runs, studies, whether those are many enough to look at each number of patients.
FEW_STUDIES = pytest.param(3, 3, False, id="few")
MANY_STUDIES = [
    pytest.param(*given, True, id=f"{given[0]} runs", marks=pytest.mark.slow)
    for given in ((3, 60), (10, 30), (30, 15))
]
studies = pytest.mark.parametrize(("n_runs", "n", "many"), [FEW_STUDIES, *MANY_STUDIES])
OF_CLASSES = ("class_changes", "onset", "pairs")


def hold_what_they_promise(found: pd.DataFrame, many: bool) -> None:
    """In many studies 92 % or more at each number of patients, as far as their number can tell. A
    little more than promised is allowed: the noise of a run's images counts both as its patients'
    and as its own."""
    table = coverage_table(found) if many else coverage_table(found, bins=())
    print(table.to_string(index=False))
    chance = 3 * np.sqrt(0.08 * 0.92 / table["n"])
    least = 0.92 - chance if many else 0.85
    assert (table["coverage"] >= least).all(), table
    pooled = coverage_table(found, bins=())
    enough = pooled["n"] >= 200
    assert (pooled.loc[enough, "coverage"] <= 0.995).all(), pooled


@studies
def test_intervals_of_each_class_and_pair(n_runs, n, many):
    design = replace(COVERAGE_DESIGN, n_runs=n_runs)
    hold_what_they_promise(events(design, range(n), OF_CLASSES), many)


@pytest.mark.slow
@pytest.mark.parametrize(("n_runs", "n"), [(3, 100), (10, 40), (30, 20)])
def test_intervals_of_ap_and_of_trends(n_runs, n):
    short = replace(
        COVERAGE_DESIGN, n_runs=n_runs, kind="frequent-first", sparsities=(0, 0.7, 0.95)
    )
    found = events(short, range(n), ("class_changes_of_ap", "trend", "mean_ap"))
    onset = events(replace(COVERAGE_DESIGN, n_runs=n_runs), range(n), ("trend",))
    hold_what_they_promise(pd.concat([found, onset]), many=True)
