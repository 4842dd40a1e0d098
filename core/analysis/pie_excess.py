"""How much more often PIEs carry something than other images do, under pruning, over the same when
nothing is pruned: the ratio of ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import pie_null
from core.analysis.bootstrap import CONFIDENCE, SEED
from core.study.columns import Column, Columns, Unit, interval

EXCESS = Columns(
    Column("pruned_ratio", "The ratio among PIEs of single pruned against single dense models of "
           "other runs, by ranks within class, with 0.5 added to PIEs seen and expected."),
    interval("pruned_ci", "its 95 % interval over runs and patients, PIEs found again in each "
              "draw"),
    Column("dense_ratio", "The same of dense against dense models, nothing pruned."),
    Column("ratio_of_ratios", "`pruned_ratio` over `dense_ratio`. A description: images with more "
           "labels have more to lose, so it can lie above 1 where all classes are forgotten alike. "
           "What may be claimed is in the table `claims`."),
    interval("ror_ci", "its 95 % interval over runs and patients"),
    Column("ror_p", "Two-sided p-value that it is 1. All of these are missing below 3 runs.",
           Unit.P),
)  # fmt: skip
EXCESS_COUNTS = Columns(
    Column("n_pruned", "PIEs of pruned against dense models that carry it."),
    Column("n_dense", "PIEs of dense against dense models that carry it."),
)
# EXCESS as it stands beside a table of ratios.
WITH_EXCESS = Columns(
    EXCESS,
    Column("ror_q", "Benjamini-Hochberg of `ror_p` over the rows that are not unstable.", Unit.P),
    EXCESS_COUNTS,
)
# Added to the PIEs that carry it and to as many as were expected (as Haldane's for odds ratios):
# a count of 0 has a logarithm then.
ADDED = 0.5


@dataclass(frozen=True)
class Carried:
    """Which images carry what is counted.

    positive: (images,) bool. strata: (images,) of whole numbers from 0, -1 for an image that is
    left out; PIEs are compared with other images of the same stratum only. `of_labels`: what
    follows only from the number of labels is divided out (`pie_surrogate`).
    """

    kind: str
    name: str
    positive: np.ndarray
    strata: np.ndarray
    of_labels: bool = False


@dataclass(frozen=True)
class PieExcess:
    """kind, name, EXCESS, n_images, n_positive, n_pruned, n_dense: a row per `Carried`.

    pruned_ratio: (a + 0.5) / (e + 0.5), a = PIEs of dense against pruned models that carry it, e =
    as many as were expected if PIEs carried it as often as other images of their stratum: with one
    stratum the ratio of the two shares, but for the 0.5; with several Mantel and Haenszel's.
    dense_ratio: the same of dense against dense models. ratio_of_ratios: pruned over dense; with
    `of_labels` each first divided by what the surrogates give (geometric mean).

    Intervals: estimate times exp(+-1.96 s), s the standard deviation of the logarithm over
    pigeonhole draws of runs and patients, with PIEs found again in each; s^2 gains 2 for a count of
    0, which is 0 in every draw (1 / 0.5, as in Haldane's log odds ratio). p: two-sided normal from
    the same s. Missing below LEAST_RUNS runs.
    """

    confidence: float = CONFIDENCE
    draws: int = pie_null.DRAWS
    seed: int = SEED

    def __call__(
        self,
        n_runs: int,
        found: pie_null.PairAgreements,
        surrogates: Sequence[pie_null.PairAgreements],
        patients: np.ndarray,
        carried: Sequence[Carried],
        advance: Callable[[], None] | None = None,
    ) -> pd.DataFrame:
        """patients: (images,) numbers from 0. `advance` hears of every lot of draws."""
        if n_runs < pie_null.LEAST_RUNS:  # of one pair of runs nothing can be drawn
            missing = np.full((2, 2, len(carried)), np.nan)
            return self._table(carried, missing, np.full((2, len(carried)), np.nan), n_runs)
        sides = [found.cross, found.null]
        for one in surrogates:
            sides += [one.cross, one.null]
        cells = [(at, stratum) for at, what in enumerate(carried) for stratum in _levels(what)]
        known = np.stack([carried[at].strata == stratum for at, stratum in cells], axis=1)
        positive = known & np.stack([carried[at].positive for at, _ in cells], axis=1)
        masks = np.hstack([known, positive]).astype(np.float32)
        belongs = np.zeros((len(cells), len(carried)))
        belongs[np.arange(len(cells)), [at for at, _ in cells]] = 1
        logs: list[np.ndarray] = []
        counts = np.zeros((2, len(carried)))
        pairs = pie_null.pairs_of_runs(n_runs)
        for draw in pie_null.pigeonhole_draws(n_runs, pairs, patients, self.draws, self.seed):
            total = draw.of_images.astype(np.float32) @ masks
            drawn = []
            for at, agreements in enumerate(sides):
                inside = pie_null.drawn_pies(agreements, draw).astype(np.float32) @ masks
                drawn.append(_log_ratio(inside, total, belongs))
                if not logs and at < 2:  # the data as they are come first
                    counts[at] = inside[0, len(cells) :] @ belongs
            logs.append(np.stack(drawn))
            if advance:
                advance()
        return self._table(carried, np.concatenate(logs, axis=1), counts, n_runs)

    def _table(
        self, carried: Sequence[Carried], logs: np.ndarray, counts: np.ndarray, n_runs: int
    ) -> pd.DataFrame:
        """logs: (sides, 1 + draws, carried), the first draw the data as they are."""
        pruned, dense = logs[0], logs[1]
        excess = pruned - dense
        of_labels = np.array([what.of_labels for what in carried])
        if of_labels.any() and len(logs) > 2:
            expected = logs[2::2].mean(axis=0) - logs[3::2].mean(axis=0)
            excess = np.where(of_labels, excess - expected, excess)
        table = pd.DataFrame(
            {"kind": [what.kind for what in carried], "name": [what.name for what in carried]}
        )
        unseen = (counts < 0.5) / ADDED  # the variance of the logarithm of a count of 0 (Haldane)
        low, high, _ = normal_interval(pruned, self.confidence, unseen[0])
        table = table.assign(pruned_ratio=np.exp(pruned[0]), pruned_ci_low=np.exp(low))
        table = table.assign(pruned_ci_high=np.exp(high), dense_ratio=np.exp(dense[0]))
        low, high, p = normal_interval(excess, self.confidence, unseen.sum(axis=0))
        table = table.assign(ratio_of_ratios=np.exp(excess[0]), ror_ci_low=np.exp(low))
        table = table.assign(ror_ci_high=np.exp(high), ror_p=p)
        table["n_images"] = [int((what.strata >= 0).sum()) for what in carried]
        table["n_positive"] = [int(what.positive[what.strata >= 0].sum()) for what in carried]
        table["n_pruned"], table["n_dense"] = (pd.array(c, "Int64") for c in counts.round())
        # Of none, or of all images, nothing can be more frequent.
        nothing = (table["n_positive"] == 0) | (table["n_positive"] == table["n_images"])
        table.loc[nothing | (n_runs < pie_null.LEAST_RUNS), EXCESS.names] = np.nan
        return table


def normal_interval(
    drawn: np.ndarray, confidence: float = CONFIDENCE, added: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """low, high and two-sided p that it is 0, of (1 + draws, columns), the estimate first; `added`
    goes to the variance of the draws."""
    error = np.sqrt(np.var(drawn[1:], axis=0, ddof=min(1, len(drawn) - 2)) + added)
    half = scipy.stats.norm.ppf((1 + confidence) / 2) * error
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.abs(drawn[0]) / error
    p = np.where(drawn[0] == 0, 1.0, 2 * scipy.stats.norm.sf(z))
    return drawn[0] - half, drawn[0] + half, p


def _levels(what: Carried) -> list[int]:
    return sorted(set(what.strata[what.strata >= 0].tolist())) or [0]


def _log_ratio(inside: np.ndarray, total: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    """(draws, carried) of (draws, 2 * cells) sums over PIEs and over all: known, then positive."""
    width = len(belongs)
    pies, pies_with = inside[:, :width], inside[:, width:]
    images, images_with = total[:, :width], total[:, width:]
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.nan_to_num(pies_with * (images - pies) / images) @ belongs
        expected = np.nan_to_num((images_with - pies_with) * pies / images) @ belongs
    return np.log((seen + ADDED) / (expected + ADDED))
