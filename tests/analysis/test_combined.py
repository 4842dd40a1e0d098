"""One rule for everything that has an interval over runs and patients: what it covers, and that
taking patients in never makes an interval narrower."""

import numpy as np
import pytest
import scipy.stats

from core.analysis.bootstrap import combined_half_width, t_interval

FEW = pytest.param(300, 0.90, 1.0, id="few")
MANY = pytest.param(4000, 0.92, 0.98, id="many", marks=pytest.mark.slow)
bands = pytest.mark.parametrize(("repetitions", "least", "most"), [FEW, MANY])
# Standard deviation of the mean over runs, that over patients being 1.
RUNS = {"runs dominate": 10.0, "runs three times": 3.0, "equal": 1.0, "runs half": 0.5}
RUNS |= {"runs a third": 0.33, "runs negligible": 0.01}


@bands
@pytest.mark.parametrize("spread", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("n_runs", [2, 3, 10, 30])
@pytest.mark.parametrize("n_patients", [20, 500])
def test_it_covers_92_to_98_percent(repetitions, least, most, n_runs, spread, n_patients):
    """Of (repetitions, units) values that are really drawn, with the standard errors they show."""
    rng = np.random.default_rng([n_runs, n_patients, round(100 * spread)])
    runs = spread * np.sqrt(n_runs) * rng.normal(size=(repetitions, n_runs))
    patients = np.sqrt(n_patients) * rng.normal(size=(repetitions, n_patients))
    off = runs.mean(axis=1) + patients.mean(axis=1)
    se_runs, se_patients = (scipy.stats.sem(drawn, axis=1) for drawn in (runs, patients))
    half = combined_half_width(se_runs, n_runs, se_patients, n_patients)
    assert least <= np.mean(np.abs(off) <= half) <= most
    low, high = t_interval(runs[0] + patients[0].mean(), 0.95, se_patients[0], n_patients)
    assert (low, high) == pytest.approx((off[0] - half[0], off[0] + half[0]))


def test_never_narrower_than_runs_or_patients_by_themselves():
    rng = np.random.default_rng(0)
    se_runs, se_patients = np.exp(rng.normal(size=(2, 500)))
    n_runs, n_patients = rng.integers(2, 31, 500), rng.integers(2, 1000, 500)
    both = combined_half_width(se_runs, n_runs, se_patients, n_patients)
    for se, n in ((se_runs, n_runs), (se_patients, n_patients)):
        assert (both >= scipy.stats.t.ppf(0.975, n - 1) * se - 1e-12).all()
    # Three runs whose interval Satterthwaite's degrees of freedom once made narrower.
    runs = np.array([0.62, 0.66, 0.69])
    over_runs, over_both = t_interval(runs), t_interval(runs, 0.95, 0.03, 1000)
    assert over_both[0] <= over_runs[0] < over_runs[1] <= over_both[1]


def test_one_source_of_variance_gives_students_interval():
    values = np.array([0.1, 0.4, 0.3, 0.25])
    expected = scipy.stats.t.interval(0.9, 3, values.mean(), scipy.stats.sem(values))
    assert t_interval(values, 0.9) == pytest.approx(expected)
    assert combined_half_width(0.0, 3, 0.2, 50, 0.9) == pytest.approx(
        0.2 * scipy.stats.t.ppf(0.95, 49)
    )
    assert t_interval(np.array([0.5, 0.5, 0.5])) == (0.5, 0.5)


def test_what_is_missing_is_left_out():
    patients_only = 0.2 * scipy.stats.t.ppf(0.975, 49)
    assert combined_half_width(np.nan, 1, 0.2, 50) == pytest.approx(patients_only)
    assert combined_half_width(0.3, 1, 0.2, 50) == pytest.approx(patients_only)
    assert np.isnan(combined_half_width(np.nan, 1, np.nan, 0))
    assert np.isnan(t_interval(np.array([0.4]), 0.95, 0.1, 50)).all()
