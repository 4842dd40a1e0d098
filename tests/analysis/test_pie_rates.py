"""How often a claim about PIEs is made where all classes are forgotten alike, and how often where
it is true: simulated studies of 20 classes, prevalence 0.3 to 50 %, 2,300 images, 3 runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.analysis.pie_carried import MANY_FINDINGS, RARE, all_carried
from core.analysis.pie_excess import PieExcess
from core.analysis.pie_null import pair_agreements, pairs_of_runs, rank_matrices
from core.analysis.pie_surrogate import exchanged, exchanges

PREVALENCE = np.geomspace(0.003, 0.5, 20)
NAMES = tuple(f"Finding {at:02d}" for at in range(20))
TAIL = [name for name, share in zip(NAMES, PREVALENCE, strict=True) if share < 0.01]
DENSE = 1.7
# d' of the pruned models, and whether probabilities are moved to each class's prevalence.
NULLS = {"nothing lost": (1.7, False), "equally lost": (0.6, False), "and moved": (0.6, True)}
FEW = pytest.param(6, id="few")
ENDS = ["ratio_of_ratios", "ror_ci_low", "ror_ci_high"]
MANY = pytest.param(40, id="many", marks=pytest.mark.slow)


def study(seed, pruned_d, shared, moved=False, extra=0.0, n=2300, n_runs=3):
    """Labels and (runs, images, classes) probabilities of dense and pruned models: d' * label,
    noise of the image (shared by all models) and of each model. `extra` noise of pruned models is
    that of images with 2+ findings only."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 20)) < PREVALENCE).astype(np.float32)
    of_image = np.sqrt(shared) * rng.normal(size=(n, 20))
    base = np.log(PREVALENCE / (1 - PREVALENCE)) if moved else 0.0
    several = truth.sum(axis=1, keepdims=True) > 1
    models = []
    for d_prime, more in ((DENSE, 0.0), (pruned_d, extra)):
        own = np.sqrt(1 - shared + more * several) * rng.normal(size=(n_runs, n, 20))
        models.append(1 / (1 + np.exp(-(d_prime * truth + of_image + own + base))))
    return truth, *models, rng.integers(0, n // 2, n)


def claims(truth, dense, pruned, patients, draws=150):
    """The rows of the claims, by name, as `pie_tables` makes them."""
    n_runs = len(dense)
    rows = pd.DataFrame(truth.astype(int), columns=NAMES).assign(patient_id=patients)
    dense, pruned = (rank_matrices(truth, models) for models in (dense, pruned))
    pairs = pairs_of_runs(n_runs)
    found = pair_agreements(dense, pruned, pairs)
    surrogates = [
        pair_agreements(exchanged(dense, order), exchanged(pruned, order), pairs)
        for order in exchanges(truth)
    ]
    patients = np.unique(patients, return_inverse=True)[1]
    carried = [c for c in all_carried(rows, NAMES, TAIL) if c.kind in ("claim", "any")]
    table = PieExcess(draws=draws)(n_runs, found, surrogates, patients, carried)
    return table.set_index("name")


def verdicts(tables, name):
    """1 where claimed, -1 where the opposite is, by the rule of the claims table."""
    rows = pd.DataFrame([table.loc[name] for table in tables])
    above = (rows["pruned_ci_low"] > 1) & (rows["ror_ci_low"] > 1)
    below = (rows["pruned_ci_high"] < 1) & (rows["ror_ci_high"] < 1)
    return above.to_numpy(int) - below.to_numpy(int)


@pytest.mark.parametrize("repetitions", [FEW, MANY])
@pytest.mark.parametrize("shared", [0.3, 0.8])
@pytest.mark.parametrize("null", NULLS)
def test_classes_forgotten_alike_give_no_claim(repetitions, shared, null):
    pruned_d, moved = NULLS[null]
    tables = [claims(*study(seed, pruned_d, shared, moved)) for seed in range(repetitions)]
    for name in (RARE, MANY_FINDINGS):
        assert np.mean(verdicts(tables, name) != 0) <= 0.10
    # What the ratios alone would say: several findings have more to lose, and that is no evidence
    # that images with several findings lose more of each.
    if null != "nothing lost":
        plain = pd.DataFrame([table.loc["2+ findings"] for table in tables])
        assert (plain["ror_p"] < 0.05).mean() > 0.6


@pytest.mark.parametrize("repetitions", [FEW, MANY])
def test_rare_classes_that_are_lost_are_found(repetitions):
    pruned_d = np.where(PREVALENCE < 0.01, -1.0, 1.5)
    tables = [claims(*study(seed, pruned_d, 0.8)) for seed in range(repetitions)]
    found = verdicts(tables, RARE)
    assert np.mean(found > 0) > 0.5
    assert not (found < 0).any()
    assert np.mean(verdicts(tables, MANY_FINDINGS) != 0) <= 0.10


@pytest.mark.parametrize("repetitions", [FEW, MANY])
def test_images_of_several_findings_that_pruning_sets_apart_are_found(repetitions):
    tables = [claims(*study(seed, 1.2, 0.8, extra=0.5)) for seed in range(repetitions)]
    assert np.mean(verdicts(tables, MANY_FINDINGS) > 0) > 0.5
    assert np.mean(verdicts(tables, RARE) != 0) <= 0.10


@pytest.mark.parametrize("repetitions", [FEW, MANY])
def test_intervals_of_ratios_of_ratios_cover_their_mean(repetitions):
    """They are cautious: at least 92 %, often all of them."""
    tables = [claims(*study(seed, 0.6, 0.3)) for seed in range(repetitions)]
    for name in (RARE, MANY_FINDINGS, "2+ findings", "tail class"):
        rows = np.log(
            np.array([table.loc[name, ENDS] for table in tables], float)
        )  # estimate, low, high
        mean = rows[:, 0].mean()
        assert np.mean((rows[:, 1] <= mean) & (mean <= rows[:, 2])) >= 0.92 - 1 / repetitions
