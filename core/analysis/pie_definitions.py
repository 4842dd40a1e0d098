"""Two definitions of a PIE beside the paper's: modal disagreement, and agreement as a z-score.

The paper's rule calls 5 % of images PIEs even where pruning changed nothing; these need not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from core.analysis.bootstrap import SEED
from core.analysis.pie import PAPER_PIES, agreement
from core.study.columns import Column, Columns, Unit
from core.study.progress import Advance

# Below this many different halves, an image's own spread is too rough to be used.
LEAST_SPLITS = 10
# Two runs give one null agreement per image: its spread over splits is rounding noise.
LEAST_RUNS = 3
PIES = Columns(
    PAPER_PIES,
    Column("n_modal_disagreements", "Classes whose majority label over runs differs between dense "
           "and pruned (Hooker et al.)."),
    Column("is_pie_modal", "Whether there is any."),
    Column("modal_excess", "How many more classes' majority labels differ between halves of the "
           "dense and of the pruned runs than between halves of the dense ones."),
    Column("agreement_z", "How far the agreement lies below that of two sets of dense models; 0 "
           "where pruning changed nothing; missing below 3 runs."),
    Column("agreement_dense_dense", "Agreement of single dense models, mean over pairs of runs."),
    Column("agreement_dense_pruned", "Agreement of a dense with a pruned model of another run, "
           "mean over the same pairs."),
    Column("rank_agreement", "`agreement` of the ensembles on ranks within class (share of the "
           "images certain not to carry the class that lie below), which no change common to all "
           "images of a class can move."),
    Column("is_pie_rank", "Among the 5 % of lowest `rank_agreement`."),
    Column("rank_agreement_dense_dense", "`agreement_dense_dense` on ranks within class."),
    Column("rank_agreement_dense_pruned", "`agreement_dense_pruned` on ranks within class: the 5 % "
           "lowest of these two are the PIEs of `dense_ratio` and `pruned_ratio`."),
    Column("lost_at_sparsity", "Earliest of its labels, by the operating point.", Unit.SPARSITY),
    Column("lost_classes", "The labelled classes lost by it anywhere on the grid, joined by |."),
    what="Every test image, PIE or not, by four definitions, and what the operating point loses.",
    row="a test image, in test-set order",
)  # fmt: skip


def best_f1_thresholds(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(classes,) thresholds t of highest F1 for "probability >= t", on validation.

    labels (images, classes) of 1, 0, NaN = left out; the highest t where several are equal. NaN
    for a class without a positive.
    """
    thresholds = np.full(labels.shape[1], np.nan)
    for column in range(labels.shape[1]):
        certain = ~np.isnan(labels[:, column])
        order = np.argsort(-probabilities[certain, column], kind="stable")
        scores = probabilities[certain, column][order]
        positive = labels[certain, column][order] == 1
        if not positive.any():
            continue
        last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
        true = positive.cumsum()[last_of_tie]
        f1 = 2 * true / (last_of_tie + 1 + positive.sum())
        thresholds[column] = scores[last_of_tie[f1.argmax()]]
    return thresholds


@dataclass(frozen=True)
class ModalDisagreement:
    """Modal disagreement of Hooker et al., "What do compressed deep neural networks forget?".

    Takes dense and pruned (runs, images, classes) probabilities and thresholds fixed on validation,
    (classes,) or (runs, classes), the dense model's for both. A label is predicted where the
    probability reaches the threshold; the modal label is the one that most runs predict, and absent
    in a tie (as scipy.stats.mode). Returns, per image, n_modal_disagreements (classes whose
    modal labels differ) and is_pie_modal (any). A class without a threshold in a run is left
    out of that run; both columns are missing where no class has a threshold.
    """

    def __call__(
        self, dense: np.ndarray, pruned: np.ndarray, thresholds: np.ndarray | None
    ) -> pd.DataFrame:
        n_disagree = pd.array([pd.NA] * dense.shape[1], dtype="Int64")
        if thresholds is not None and not np.isnan(thresholds).all():
            limits = _of_each_run(thresholds, dense)
            differ = modal_labels(dense, limits) != modal_labels(pruned, limits)
            n_disagree = pd.array(differ.sum(axis=1), dtype="Int64")
        return pd.DataFrame({"n_modal_disagreements": n_disagree, "is_pie_modal": n_disagree > 0})


@dataclass(frozen=True)
class ModalExcess:
    """How many more modal labels of an image differ between dense and pruned than between dense
    and dense: modal_excess (images,), 0 on average where pruning changes nothing.

    Takes what `ModalDisagreement` takes. Each split draws two disjoint halves A and B of
    floor(runs / 2) runs and counts the classes whose modal labels differ:
      (dense A, pruned B) and (pruned A, dense B), averaged, minus (dense A, dense B),
    and the excess is the mean over splits. NaN below two runs, or without thresholds.
    """

    splits: int = 20
    seed: int = SEED

    def __call__(
        self, dense: np.ndarray, pruned: np.ndarray, thresholds: np.ndarray | None
    ) -> np.ndarray:
        n_runs, n_images, _ = dense.shape
        if n_runs < 2 or thresholds is None or np.isnan(thresholds).all():
            return np.full(n_images, np.nan)
        limits = _of_each_run(thresholds, dense)
        total = np.zeros(n_images)
        for halves in _disjoint_halves(n_runs, self.splits, self.seed):
            dense_a, dense_b, pruned_a, pruned_b = (
                modal_labels(models[rows], limits[rows])
                for models in (dense, pruned)
                for rows in halves
            )
            cross = (dense_a != pruned_b).sum(axis=1) + (pruned_a != dense_b).sum(axis=1)
            total += cross / 2 - (dense_a != dense_b).sum(axis=1)
        return total / self.splits


def _of_each_run(thresholds: np.ndarray, models: np.ndarray) -> np.ndarray:
    """(runs, classes) of thresholds that may be one for all runs."""
    return np.broadcast_to(np.asarray(thresholds, float), (len(models), models.shape[2]))


def _disjoint_halves(
    n_runs: int, splits: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two sets of floor(runs / 2) runs that share none, drawn again for each split."""
    rng, half = np.random.default_rng(seed), n_runs // 2
    for _ in range(splits):
        order = rng.permutation(n_runs)
        yield order[:half], order[half : 2 * half]


def modal_labels(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(images, classes) bool: predicted by more than half of the runs that have a threshold.

    probabilities (runs, images, classes), thresholds (runs, classes), NaN for none.
    """
    votes = np.zeros(probabilities.shape[1:], int)
    for run, limits in zip(probabilities, thresholds, strict=True):
        votes += run >= limits  # comparison with NaN is False
    return 2 * votes > (~np.isnan(thresholds)).sum(axis=0)


@dataclass(frozen=True)
class AgreementZ:
    """How far an image's agreement lies below what two sets of dense models reach between them.

    Takes dense and pruned (runs, images, classes) probabilities, paired by run. Each split draws
    two disjoint halves A and B of floor(runs / 2) runs and averages probabilities within each:
      null  = agreement(dense A, dense B)
      cross = mean of agreement(dense A, pruned B) and agreement(pruned A, dense B)
    so both compare ensembles of one size that share no training. z = (mean cross - mean null) /
    sd over splits, negative where pruning changed the image; 0 where it changed nothing. The
    variance of null over splits is pooled over images; from LEAST_SPLITS different halves
    on (6 runs) it is the mean of the image's own and the pooled one, so that an image
    on which all halves happen to agree gets no infinite z.
    Splits share runs, so z orders and centres images; it is not a standard normal deviate.

    Returns agreement_z (images,): NaN below three runs (two have one pair of halves, so no spread
    over splits), where an agreement is undefined in every split, or where nothing varies and yet
    the models differ. `advance(done, total)` hears of the
    splits.
    """

    splits: int = 20
    seed: int = SEED

    def __call__(
        self,
        dense: np.ndarray,
        pruned: np.ndarray,
        advance: Advance | None = None,
    ) -> np.ndarray:
        n_runs, n_images = dense.shape[:2]
        if n_runs < LEAST_RUNS:
            return np.full(n_images, np.nan)
        null, cross = np.empty((2, self.splits, n_images))
        for split, halves in enumerate(_disjoint_halves(n_runs, self.splits, self.seed)):
            dense_a, dense_b = (dense[rows].mean(axis=0, dtype=float) for rows in halves)
            pruned_a, pruned_b = (pruned[rows].mean(axis=0, dtype=float) for rows in halves)
            null[split] = agreement(dense_a, dense_b)
            cross[split] = (agreement(dense_a, pruned_b) + agreement(pruned_a, dense_b)) / 2
            if advance:
                advance(split + 1, self.splits)
        return _standardised(null, cross, few=different_halves(n_runs) < LEAST_SPLITS)


def different_halves(n_runs: int) -> int:
    """In how many ways two disjoint sets of floor(n / 2) runs can be drawn."""
    half = n_runs // 2
    return comb(n_runs, half) * comb(n_runs - half, half) // 2 if half else 0


def _standardised(null: np.ndarray, cross: np.ndarray, few: bool) -> np.ndarray:
    there = ~(np.isnan(null) | np.isnan(cross))
    n = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(there, cross - null, 0).sum(axis=0) / n
        centre = np.where(there, null, 0).sum(axis=0) / n
        own = np.where(there, (null - centre) ** 2, 0).sum(axis=0) / (n - 1)
    pooled = np.nanmean(own) if np.isfinite(own).any() else np.nan
    variance = np.full(len(own), pooled) if few else (np.nan_to_num(own) + pooled) / 2
    z = np.full(len(own), np.nan)
    spread = variance > 0
    z[spread] = gap[spread] / np.sqrt(variance[spread])
    z[~spread & (gap == 0)] = 0
    return z
