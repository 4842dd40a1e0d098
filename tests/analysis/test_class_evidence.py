"""A trend that carries no verdict says why, and the true reason."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from core.analysis import class_evidence as evidence
from core.analysis.claims import CHANGE, FIRST_DROP, TAIL, class_claims
from core.analysis.class_evidence import class_evidence as of_study
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations
from core.analysis.metrics import with_somers_d
from core.analysis.onset import Curves
from core.analysis.paired_moments import paired_moments
from core.study.labels import Labels, class_frequencies
from core.study.settings import GroupSettings
from tests.simulations import metrics_of

NAMES = tuple("ABCDEFGH")


def known(sparsities, n_runs=3, d_primes=(1.7, 1.6, 0.9), prevalences=None):
    """Evidence, and the tables of a study of 8 well measured classes, 3 sparsities."""
    rng = np.random.default_rng(0)
    prevalences = np.geomspace(0.3, 0.02, 8) if prevalences is None else prevalences
    truth = (rng.random((1600, 8)) < prevalences).astype(float)
    shared = rng.normal(size=truth.shape)
    scores = np.stack(
        [
            [d * truth + 0.8 * shared + 0.6 * rng.normal(size=truth.shape) for d in d_primes]
            for _ in range(n_runs)
        ]
    )
    ids = [f"i{i}" for i in range(1600)]
    table = pd.DataFrame(truth, columns=list(NAMES)).assign(image_id=ids, patient_id=ids, path=ids)
    table["split"] = "test"
    labels = Labels(table, NAMES)
    metrics = with_somers_d(metrics_of(truth, scores, list(NAMES), sparsities))
    cells = ((s, run[0], run[at]) for run in scores for at, s in enumerate(sparsities))
    moments = paired_moments(truth, list(NAMES), np.arange(1600), cells, draws=50)
    frequencies = class_frequencies(labels, GroupSettings())
    found = of_study(metrics, moments.by_class, moments.patient_draws, frequencies)
    summary = ClassSummary()(metrics, frequencies)
    paper = Correlations(("ap",), 20)(metrics, frequencies, truth, list(NAMES))
    return found, class_claims(found, paper, summary)


def reasons(claims, reading="corrected"):
    return {one.claim: one.reason for one in claims if one.reading == reading}


def test_a_grid_without_95_is_the_reason_and_not_the_classes():
    found, claims = known((0.0, 0.3, 0.5))
    assert found.judged.all()
    assert reasons(claims)[CHANGE] == evidence.NO_EXTREME
    assert reasons(claims)[TAIL] == evidence.NO_EXTREME
    assert reasons(claims, "paper")[CHANGE] == evidence.NO_EXTREME
    assert reasons(claims, "paper")[TAIL] == evidence.NO_EXTREME


def test_a_grid_that_ends_before_classes_drop_has_no_trend_of_onsets():
    _, claims = known((0.0, 0.3, 0.5), d_primes=(1.7, 1.7, 1.65))
    assert reasons(claims)[FIRST_DROP] == evidence.NO_ONSETS


@pytest.mark.parametrize(("n_runs", "reason"), [(1, evidence.ONE_RUN), (3, "")])
def test_one_run_carries_no_verdict(n_runs, reason):
    found, claims = known((0.0, 0.5, 0.95), n_runs)
    assert reasons(claims)[CHANGE] == reason
    told = found.trends().set_index("name")["reason"]
    assert told["change_at_95"] == reason
    assert told["onset"] == (reason or evidence.IN_GAPS), "nothing between 50 and 95 % was measured"


def test_without_tail_classes_there_is_no_difference_of_groups():
    _, claims = known((0.0, 0.5, 0.95))
    assert reasons(claims)[TAIL] == evidence.NO_GROUPS


def test_a_class_without_a_training_image_is_neither_judged_nor_among_the_first():
    found, _ = known((0.0, 0.5, 0.95))
    first = found.onsets.set_index("class_name")["p_among_first"].idxmax()
    trained = np.where(found.frequencies["class_name"] == first, 0.0, 0.1)
    without = dataclasses.replace(
        found, frequencies=found.frequencies.assign(train_frequency=trained)
    )
    assert without.judged.sum() == found.judged.sum() - 1
    assert np.isnan(without.onsets.set_index("class_name").loc[first, "p_among_first"])


def in_a_study(onset_of, n: int = 16) -> evidence.ClassEvidence:
    """Classes whose D falls in a straight line, from a dense D to 0 at twice the onset; dense D
    and frequency have nothing to do with each other."""
    rng, names = np.random.default_rng(1), [f"c{i}" for i in range(n)]
    dense, frequency = rng.permutation(np.linspace(0.3, 0.95, n)), np.geomspace(0.003, 0.3, n)
    grid = np.arange(0, 0.95, 0.1)
    onset = onset_of(dense, np.log10(frequency))
    mean = dense[:, None] * (1 - 0.2 * grid / onset[:, None])
    noise = 0.004 * rng.standard_normal((2, 400, n, len(grid))).astype(np.float32)
    runs = mean + 0.004 * rng.standard_normal((4, n, len(grid)))
    curves = Curves(names, grid, runs, *noise, np.full(n, 60))
    frequencies = pd.DataFrame(
        {"class_name": names, "train_frequency": frequency, "group": "medium"}
    )
    changes = pd.DataFrame({"class_name": names, "sparsity": 0.9, "found": True, "unstable": False})
    return evidence.ClassEvidence(frequencies, changes, curves)


def test_difficulty_is_told_from_rarity():
    found = in_a_study(lambda dense, log_frequency: 0.3 + 0.5 * dense)
    assert found.onset_by_difficulty.slope == pytest.approx(0.5, abs=0.05)
    assert found.onset_by_difficulty.ci_low > 0
    assert found.onset_by_rarity.slope == pytest.approx(0, abs=0.03)
    found = in_a_study(lambda dense, log_frequency: 0.8 + 0.15 * log_frequency)
    assert found.onset_by_rarity.slope == pytest.approx(0.15, abs=0.03)
    assert abs(found.onset_by_difficulty.slope) < 0.05
