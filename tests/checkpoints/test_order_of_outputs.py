"""Two outputs that stand for each other's class are found and named; a network that is right, weak
or knows nothing is not accused. `order_check` says by what."""

from __future__ import annotations

import numpy as np
import pytest

from core.checkpoints.checks import Moved
from core.checkpoints.order_check import alike, moved_outputs, proposal, ranked

PREVALENCE = np.array([0.3, 0.2, 0.1, 0.05, 0.04, 0.1])
N = 600


def labels(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((N, len(PREVALENCE))) < PREVALENCE).astype(float)


def scores(truth: np.ndarray, strength: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 1])
    shared = rng.normal(size=(len(truth), 1))  # images that look ill look so for every class
    return strength * truth + shared + rng.normal(size=truth.shape)


def patients() -> np.ndarray:
    return np.arange(N) // 2


def moves(truth: np.ndarray, found: np.ndarray) -> set[tuple[int, int]]:
    return {(output, name) for output, name, *_ in moved_outputs(ranked(truth, found, patients()))}


def test_two_swapped_outputs_are_named_with_what_they_rank_high():
    truth = labels(0)
    found = scores(truth, 3, 0)
    found[:, [1, 3]] = found[:, [3, 1]]
    (first, second) = moved_outputs(ranked(truth, found, patients()))
    assert (first[:2], second[:2]) == ((1, 3), (3, 1))
    assert first[2] < 0.6
    assert first[3] > 0.9


def test_three_outputs_in_a_circle_are_put_back_together():
    truth = labels(1)
    found = scores(truth, 3, 1)[:, [1, 2, 0, 3, 4, 5]]
    assert moves(truth, found) == {(0, 1), (1, 2), (2, 0)}


@pytest.mark.parametrize("strength", [0.0, 0.5, 3.0])
def test_a_network_in_the_right_order_is_left_alone_however_weak(strength):
    for seed in range(10):
        assert moves(labels(seed), scores(labels(seed), strength, seed)) == set()


def test_an_untrained_network_is_not_taken_for_one_in_another_order():
    """Its outputs all say how bright an image is, more or less, in either direction, and that goes
    with some classes: which of them suits which is luck."""
    for seed in range(10):
        rng, truth = np.random.default_rng([seed, 2]), labels(seed)
        bright = truth @ rng.normal(size=len(PREVALENCE)) + rng.normal(size=N)
        outputs = bright[:, None] * rng.normal(size=len(PREVALENCE))
        assert moves(truth, outputs + 0.05 * rng.normal(size=truth.shape)) == set()


def test_classes_of_one_or_two_positives_and_uncertain_labels_move_nothing():
    truth = labels(3)
    truth[:, 3] = np.nan
    truth[:, 4] = 0
    truth[:2, 4] = 1
    found = scores(truth, 3, 3)
    found = np.where(np.isnan(found), 0.0, found)[:, [0, 1, 2, 4, 3, 5]]
    assert moves(truth, found) == set()
    assert moved_outputs(ranked(truth[:, :1], found[:, :1], patients())) == []


def test_a_pair_is_alike_where_a_swap_would_not_be_seen_and_only_there():
    truth = labels(0)
    found = scores(truth, 3, 0)
    truth[:, 5] = 0  # nobody has it
    pairs = alike(ranked(truth, found, patients()), 6)
    assert pairs == [(one, 5) for one in range(5)]
    found[:, [0, 1]] = scores(truth, 0, 2)[:, [0, 1]]  # both outputs know nothing
    assert (0, 1) in alike(ranked(truth, found, patients()), 6)
    for one, other in [(2, 3), (2, 4), (3, 4)]:
        swapped = found.copy()
        swapped[:, [one, other]] = found[:, [other, one]]
        assert (one, other) not in alike(ranked(truth, found, patients()), 6)
        assert moves(truth, swapped) == {(one, other), (other, one)}


def test_the_proposal_names_the_class_of_every_output_of_the_file():
    """Columns are in the dataset's order, the file's outputs are not, and one has no class."""
    moved, proposed = proposal(
        ("Mass", "", "Edema", "Hernia"), ("Edema", "Hernia", "Mass"),
        [(0, 2, 0.51, 0.93), (2, 0, 0.48, 0.9)],
    )  # fmt: skip
    assert proposed == ("Edema", "", "Mass", "Hernia")
    assert moved[0] == Moved(3, "Edema", "Mass", 0.51, 0.93)
    said = "output 3 is taken for Edema (AUROC 0.51) and ranks Mass better (0.93)"
    assert str(moved[0]) == said
