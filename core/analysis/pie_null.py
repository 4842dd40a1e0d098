"""What makes an image a PIE when nothing is pruned: dense models compared with each other.

Single models that share no training are compared in pairs (r, r'): dense r with dense r' ("null")
and dense r with pruned r' ("cross"). The two comparisons differ in pruning and in nothing else, so
what the images of lowest null agreement already hold more of is no property of pruning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.analysis.bootstrap import SEED
from core.analysis.pie import average_ranks
from core.analysis.ranks import ranks

SHARE = 0.05
LEAST_RUNS = 3  # two runs are one pair: nothing to draw from
MOST_PAIRS = 45  # of two runs; each stands for both orders
DRAWS = 400
DRAWS_AT_ONCE = 25  # what bounds the memory at 25,596 images


@dataclass(frozen=True)
class PairAgreements:
    """Agreement within each image, of every pair of runs: null and cross, (pairs, images) float32.

    cross is the mean over both orders (dense r with pruned r', dense r' with pruned r), which every
    draw of runs weights alike. An image whose ranks are all tied in one model agrees fully: it is
    never a PIE.
    """

    null: np.ndarray
    cross: np.ndarray


def pairs_of_runs(n_runs: int, most: int = MOST_PAIRS, seed: int = SEED) -> np.ndarray:
    """(pairs, 2) of different runs, the smaller first; beyond `most` a seeded choice in which all
    runs occur about equally often."""
    first, second = np.triu_indices(n_runs, k=1)
    pairs = np.column_stack([first, second])
    if len(pairs) <= most:
        return pairs
    order = np.random.default_rng(seed).permutation(n_runs)
    steps = np.arange(most)
    # Run k with the run k steps on, around a circle of all runs: one step first, then two, ...
    chosen = order[np.column_stack([steps, steps + 1 + steps // n_runs]) % n_runs]
    return np.sort(chosen, axis=1)


def rank_matrices(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(runs, images, classes) `ranks` within class; classes without a rank are left out."""
    there = ranked(truth)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda run: ranks(truth[:, there], run[:, there]), probabilities)
        return np.stack(list(found))


def ranked(truth: np.ndarray) -> np.ndarray:
    """(classes,) bool: whether some image is certain not to carry it, so that it has ranks."""
    return (truth == 0).any(axis=0)


def unit_ranks(matrix: np.ndarray) -> np.ndarray:
    """(images, classes) float32 of the ranks within each image, centred and of length 1, so that
    the sum of products of two is Spearman's correlation (`analysis.pie.agreement`)."""
    centred = average_ranks(matrix) - (matrix.shape[1] + 1) / 2
    with np.errstate(invalid="ignore"):
        return (centred / np.sqrt((centred**2).sum(axis=1, keepdims=True))).astype(np.float32)


def pair_agreements(
    dense: np.ndarray,
    pruned: np.ndarray,
    pairs: np.ndarray,
    advance: Callable[[], None] | None = None,
) -> PairAgreements:
    """`PairAgreements` of dense and pruned (runs, images, classes), paired by run; the order of
    values within an image is all that counts. `advance` hears of each of the 2 * runs models."""

    units: list[list[np.ndarray]] = [[], []]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for models, found in zip((dense, pruned), units, strict=True):
            for unit in pool.map(unit_ranks, models):
                found.append(unit)
                if advance:  # in the caller's thread: a page's progress belongs to it
                    advance()
        of_dense, of_pruned = units
        null = list(pool.map(lambda pair: _agree(of_dense, of_dense, *pair), pairs))
        cross = list(
            pool.map(
                lambda pair: (
                    (_agree(of_dense, of_pruned, *pair) + _agree(of_dense, of_pruned, *pair[::-1]))
                    / 2
                ),
                pairs,
            )
        )
    n_images = dense.shape[1]
    return PairAgreements(*(np.array(m).reshape(-1, n_images) for m in (null, cross)))


def _agree(first: list[np.ndarray], second: list[np.ndarray], a: int, b: int) -> np.ndarray:
    return np.nan_to_num(np.einsum("ij,ij->i", first[a], second[b]), nan=1.0)


@dataclass(frozen=True)
class Draw:
    """Some draws: of_pairs (draws, pairs), summing to 1, and of_images (draws, images)."""

    of_pairs: np.ndarray
    of_images: np.ndarray


def pigeonhole_draws(
    n_runs: int, pairs: np.ndarray, patients: np.ndarray, draws: int = DRAWS, seed: int = SEED
) -> Iterator[Draw]:
    """The data as they are, then `draws` draws of runs and of patients with replacement.

    patients: (images,) numbers from 0. A pair counts as often as the product of its runs' counts,
    an image as often as its patient (the pigeonhole bootstrap: Owen, Annals of Applied Statistics
    2007). A draw without a pair of different runs is drawn again.
    """
    yield Draw(np.full((1, len(pairs)), 1 / len(pairs)), np.ones((1, len(patients))))
    rng = np.random.default_rng(seed)
    n_patients = int(patients.max()) + 1
    for begin in range(0, draws, DRAWS_AT_ONCE):
        some = min(DRAWS_AT_ONCE, draws - begin)
        of_pairs, of_images = np.empty((some, len(pairs))), np.empty((some, len(patients)))
        for row in range(some):
            weights = np.zeros(len(pairs))
            while not weights.any():
                counts = np.bincount(rng.integers(0, n_runs, n_runs), minlength=n_runs)
                weights = counts[pairs].prod(axis=1).astype(float)
            of_pairs[row] = weights / weights.sum()
            drawn = rng.integers(0, n_patients, n_patients)
            of_images[row] = np.bincount(drawn, minlength=n_patients)[patients]
        yield Draw(of_pairs, of_images)


def drawn_pies(agreements: np.ndarray, draw: Draw, share: float = SHARE) -> np.ndarray:
    """(draws, images) of how often each image is a PIE: the floor(share * n) drawn images of lowest
    mean agreement, found again in every draw. agreements: (pairs, images); ties by test-set order.
    """
    mean = draw.of_pairs.astype(np.float32) @ agreements
    order = np.argsort(mean, axis=1, kind="stable")
    weights = np.take_along_axis(draw.of_images, order, axis=1)
    up_to = np.cumsum(weights, axis=1)
    most = np.floor(share * up_to[:, -1:] + 1e-9)
    found = np.empty_like(weights)
    np.put_along_axis(found, order, np.clip(most - (up_to - weights), 0, weights), axis=1)
    return found
