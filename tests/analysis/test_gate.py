"""The gate of what may be claimed: studies of known truth through the real commands. No corrected
verdict where nothing differs, none of the wrong sign where frequent classes lose more, and a strong
relation is found. `python -m tests.gate` prints the rates.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from tests.gate import DECIDED, all_claims, most, rates
from tests.simulated_studies import DENSE_D_PRIME, KINDS, Design, Kind, somers_d

# How many studies, and how many false verdicts are too many: what a product that is wrong in
# 5 % of studies would exceed in one of some thousand runs of these tests.
FEW = pytest.param(10, id="few")
MANY = pytest.param(40, id="many", marks=pytest.mark.slow)
sizes = pytest.mark.parametrize("n", [FEW, MANY])
ACCEPTED = 0.07
CHANCE = 1e-4  # per claim, of which there are under ten
# What would be wrong to say where frequent classes lose more, and sooner.
WRONG = {
    "frequency~first_drop": "as claimed",
    "frequency~change_at_95": "as claimed",
    "frequency~fcd": "opposite",
    "cooccurrence~fcd": "as claimed",
    "tail_loses_more_than_head": "as claimed",
}


@cache
def rates_of(kind: Kind, n: int, seed: int) -> pd.DataFrame:
    return rates(all_claims(Design(kind=kind), range(seed, seed + n))).set_index(
        ["claim", "reading", "verdict"]
    )


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.index.get_level_values("reading") == "corrected"]


@sizes
def test_nothing_is_found_where_all_classes_are_forgotten_alike(n):
    table = corrected(rates_of("null", n, 0))
    decided = table[table.index.get_level_values("verdict").isin(DECIDED)]
    false = decided["n"].groupby("claim", sort=False).sum()
    assert len(false) == 9
    assert (false <= most(ACCEPTED, n, CHANCE)).all(), false


@sizes
def test_nothing_of_the_wrong_sign_where_frequent_classes_lose_more(n):
    table = corrected(rates_of("frequent-first", n, 1000))
    wrong = pd.Series(
        {claim: table.loc[(claim, "corrected", verdict), "n"] for claim, verdict in WRONG.items()}
    )
    assert (wrong <= most(ACCEPTED / 2, n, CHANCE)).all(), wrong


@pytest.mark.slow
def test_a_true_correlation_of_077_between_frequency_and_onset_is_found():
    table = rates_of("onset", 100, 2000)
    assert table.loc[("frequency~first_drop", "corrected", "as claimed"), "rate"] >= 0.75
    assert table.loc[("frequency~first_drop", "corrected", "opposite"), "n"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_studies_have_the_truth_that_they_say(kind):
    design = Design(kind, n_test=40_000, n_train=2000, n_runs=4, sparsities=(0.0, 0.7, 0.95))
    study = design.draw(1)
    true = somers_d(DENSE_D_PRIME, design.run_spread) * study.retained
    for column in (0, 7, 14):
        label = study.truth[:, column]
        areas = [
            [sklearn.metrics.roc_auc_score(label, of_run[at, :, column]) for at in range(3)]
            for of_run in study.probabilities
        ]
        found = np.mean(areas, axis=0)
        assert 2 * found - 1 == pytest.approx(true[column], abs=0.09)


def test_no_patient_of_a_simulated_study_has_images_in_two_splits():
    labels = Design(images_per_patient=1.5).draw(0).labels
    assert (labels.groupby("patient_id")["split"].nunique() == 1).all()
    assert labels.groupby("patient_id").size().mean() == pytest.approx(1.5, abs=0.05)


def test_onsets_correlate_with_frequency_as_designed():
    study = Design("onset").draw(3)
    logs = np.log10(study.design.frequencies)
    assert np.corrcoef(logs, study.onsets)[0, 1] == pytest.approx(0.77, abs=0.005)
