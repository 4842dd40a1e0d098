"""At which sparsity a class is first forgotten, and how sure that and the order of classes are.

The curve of a class is D_s / D_0 - 1 of Somers' D averaged over runs, made to fall throughout
(isotonic regression), and its onset is where that crosses -20 %, between grid points. The curve is
drawn again for other runs and other patients, the same ones for all classes, so that the order of
classes has a probability. Where the grid has a wide gap (`gaps`), only its ends are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import gaps
from core.analysis.bootstrap import CONFIDENCE, SEED
from core.analysis.paired_moments import draw_column
from core.study.columns import SHARED, Column, Columns, Unit

DROP = 0.20
FIRST = 3
# From here on the grid comes close enough to 1, where every prunable weight is zero and nothing is
# told from anything, for the curve to be followed to there.
NEAR_THE_END = 0.9
ONSETS = Columns(
    SHARED["class_name"],
    Column("onset", "Sparsity at which a fifth of Somers' D is gone, on the curve that never rises "
           "nearest to the mean over runs (corrected); missing where it lies between sparsities of "
           "the grid more than 10 points apart.", Unit.SPARSITY, "Onset"),
    Column("onset_by", "Smallest sparsity of the grid at which it is gone.", Unit.SPARSITY,
           "Gone by"),
    Column("onset_ci_low", "Lower end of its 95 % interval over runs and patients.",
           Unit.SPARSITY, "Lower 95 %"),
    Column("onset_ci_high", "Upper end of that interval; missing where it lies beyond the grid.",
           Unit.SPARSITY, "Upper 95 %"),
    Column("onset_se", "Its standard error.", Unit.SPARSITY),
    Column("onset_censored", "True where the onset lies beyond the end of the grid.",
           label="Later than the grid"),
    Column("p_among_first", "Probability, over draws of runs and patients, that the class is "
           "among the first three of the judged classes to lose a fifth (corrected).",
           Unit.CHANCE, "Among the first three"),
)  # fmt: skip
CLASSES_AT_ONCE = 4


@dataclass(frozen=True)
class Curves:
    """Somers' D of each run (runs, classes, sparsities) with 0 first; run_draws and patient_draws
    (draws, classes, sparsities), what other runs and other patients add to the mean over runs, of
    the variance of that mean; n_patients (classes,) with the class."""

    class_names: list[str]
    sparsities: np.ndarray
    of_runs: np.ndarray
    run_draws: np.ndarray
    patient_draws: np.ndarray
    n_patients: np.ndarray

    @property
    def n_runs(self) -> int:
        return len(self.of_runs)

    @cached_property
    def mean(self) -> np.ndarray:
        """(classes, sparsities) over runs; NaN without a run."""
        return self.of_runs.mean(axis=0) if self.n_runs else self.of_runs.sum(axis=0) + np.nan

    def draws(self, seed: int = SEED) -> np.ndarray:
        """(draws, classes, sparsities) of the mean. Each source has the tails of Student's t at its
        own degrees of freedom (Behrens and Fisher), as with few runs its spread is little known."""
        rng = np.random.default_rng(seed)
        n = len(self.run_draws)
        over_runs = _t_scale(rng, (n, 1, 1), np.array(self.n_runs - 1))
        over_patients = _t_scale(rng, (n, len(self.n_patients), 1), self.n_patients[:, None] - 1)
        return self.mean + over_runs * self.run_draws + over_patients * self.patient_draws


def somers_curves(
    class_metrics: pd.DataFrame,
    patient_draws: pd.DataFrame,
    n_patients: pd.Series,
    seed: int = SEED,
) -> Curves:
    """`Curves` of the class metrics table, over the sparsities and runs that every run has.

    patient_draws: `Moments.patient_draws`; n_patients: class_name to patients with the class, in
    the order wanted.
    """
    names = list(n_patients.index)
    wide = class_metrics.pivot(
        index="run", columns=["class_name", "sparsity"], values="somers_d"
    ).astype(float)
    grid = np.sort(patient_draws["sparsity"].unique().astype(float))
    columns = pd.MultiIndex.from_product([names, grid])
    values = wide.reindex(columns=columns).to_numpy(float)
    values = values.reshape(len(wide), len(names), len(grid))
    values = values[~np.isnan(values).all(axis=1).any(axis=1)]  # runs with every sparsity
    n_runs, n_draws = len(values), int(patient_draws["draw"].max()) + 1
    over_runs = np.zeros((n_draws, *values.shape[1:]), np.float32)
    if n_runs > 1:
        weights = np.random.default_rng(seed).standard_normal((n_draws, n_runs))
        weights /= np.sqrt(n_runs * (n_runs - 1))
        apart = values - values.mean(axis=0)
        over_runs = np.tensordot(weights, apart, axes=1).astype(np.float32)
    of_patients = patient_draws[[draw_column(name) for name in names]].to_numpy(np.float32)
    of_patients = of_patients.reshape(n_draws, len(grid), len(names)).transpose(0, 2, 1)
    return Curves(names, grid, values, over_runs, of_patients, n_patients.to_numpy(int))


def relative(curves: np.ndarray) -> np.ndarray:
    """D_s / D_0 - 1 over the last axis; NaN where D_0 is not above 0."""
    dense = curves[..., :1]
    return curves / np.where(dense > 0, dense, np.nan) - 1


def falling(curves: np.ndarray) -> np.ndarray:
    """Isotonic regression over the last axis: the nearest curves, in least squares, that never
    rise. The fit at j is the least, over i <= j, of the largest mean of i .. k over k >= j
    (Robertson, Wright and Dykstra, *Order Restricted Statistical Inference*, 1988)."""
    n = curves.shape[-1]
    totals = np.concatenate([np.zeros((*curves.shape[:-1], 1)), curves.cumsum(axis=-1)], axis=-1)
    fitted = np.full(curves.shape, np.inf)
    for begin in range(n):
        ends = np.arange(begin + 1, n + 1)
        means = (totals[..., begin + 1 :] - totals[..., begin : begin + 1]) / (ends - begin)
        largest = np.maximum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        fitted[..., begin:] = np.minimum(fitted[..., begin:], largest)
    return fitted


def crossing(curves: np.ndarray, sparsities: np.ndarray, drop: float = DROP) -> np.ndarray:
    """Where falling curves (..., sparsities) of relative change reach -drop, by interpolation
    between grid points; infinity where they do not."""
    below = curves < -drop
    at = below.argmax(axis=-1)
    before = np.maximum(at - 1, 0)
    high, low = (
        np.take_along_axis(curves, which[..., None], axis=-1)[..., 0] for which in (before, at)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(at > 0, (-drop - high) / (low - high), 0.0)
    found = sparsities[before] + share * (sparsities[at] - sparsities[before])
    found = np.where(np.isnan(curves).any(axis=-1), np.nan, found)
    return np.where(below.any(axis=-1) | np.isnan(found), found, np.inf)


def onsets(curves: np.ndarray, sparsities: np.ndarray, drop: float = DROP) -> np.ndarray:
    """(...,) the onset of every curve of Somers' D (..., sparsities), dense first. Where the grid
    ends above NEAR_THE_END the change at sparsity 1 is -1, so a class that has not dropped by the
    end of the grid does so between it and 1; else its onset is infinite: later than was tried."""
    changes = relative(curves)
    if sparsities[-1] >= NEAR_THE_END:
        gone = np.full((*changes.shape[:-1], 1), -1.0)
        changes = np.concatenate([changes, gone], axis=-1)
        sparsities = np.append(sparsities, 1.0)
    return crossing(falling(changes), sparsities, drop)


@dataclass(frozen=True)
class Onsets:
    """ONSETS, one row per class of the curves, in their order.

    onset is a fraction of prunable weights. onset_censored: it lies beyond the end of the grid, so
    it is shown as "later than", and its number is an interpolation to sparsity 1 or missing. In a
    wide gap of the grid it is missing too, and onset_by says by when. The interval is the central
    one of the draws, and reaches to the ends of a wide gap; onset_se is their spread without
    Student's tails, for weighing classes against each other. p_among_first: in how many of the
    draws the class is among the FIRST that drop, of the classes in `judged`, wherever in their gaps
    others drop; missing for the others.
    """

    drop: float = DROP
    confidence: float = CONFIDENCE
    seed: int = SEED

    def __call__(self, curves: Curves, judged: np.ndarray) -> pd.DataFrame:
        grid, n = curves.sparsities, len(curves.class_names)
        found = onsets(curves.mean, grid, self.drop)
        tail = 100 * (1 - self.confidence) / 2
        plain = curves.mean + curves.run_draws + curves.patient_draws
        spread = _spread(_in_parts(plain, grid, self.drop))
        drawn = _in_parts(curves.draws(self.seed), grid, self.drop)
        low, high = _percentiles(drawn, [tail, 100 - tail])
        low, high = gaps.ends(low, grid)[0], gaps.ends(high, grid)[1]
        chance = np.full(n, np.nan)
        chance[judged] = _among_first(gaps.ends(drawn[:, judged], grid)[1], grid[-1])
        known = (curves.n_patients > 1) & np.isfinite(curves.mean).all(axis=1)
        read = np.isfinite(found) & np.equal(*gaps.ends(found, grid))
        return pd.DataFrame(
            {
                "class_name": curves.class_names,
                "onset": np.where(read, found, np.nan),
                "onset_by": _gone_by(found, grid),
                "onset_ci_low": np.where(known, low, np.nan),
                "onset_ci_high": np.where(known, high, np.nan),
                "onset_se": np.where(known & read, spread, np.nan),
                "onset_censored": found > grid[-1],
                "p_among_first": chance,
            }
        )


def _gone_by(found: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The first grid point at or after each; missing beyond the grid."""
    at = np.searchsorted(grid, found - gaps.TINY)
    return np.where(found <= grid[-1], grid[np.minimum(at, len(grid) - 1)], np.nan)


def _among_first(drawn: np.ndarray, last: float) -> np.ndarray:
    """(classes,) share of (draws, classes) in which a class is among the FIRST, and drops at all on
    the grid. Classes that drop together are among the first only if all of them are."""
    values = np.where(np.isnan(drawn), np.inf, drawn)
    places = scipy.stats.rankdata(values, method="max", axis=1)
    return ((places <= FIRST) & (values <= last)).mean(axis=0)


def _in_parts(curves: np.ndarray, grid: np.ndarray, drop: float) -> np.ndarray:
    """`onsets` of (draws, classes, sparsities), a few classes at a time to bound the memory."""
    begins = range(0, curves.shape[1], CLASSES_AT_ONCE)
    return np.concatenate(
        [onsets(curves[:, b : b + CLASSES_AT_ONCE], grid, drop) for b in begins], axis=1
    )


def _spread(drawn: np.ndarray) -> np.ndarray:
    finite = np.where(np.isfinite(drawn), drawn, np.nan)
    enough = np.isfinite(drawn).mean(axis=0) > 0.5
    spread = np.full(drawn.shape[1], np.nan)
    spread[enough] = np.nanstd(finite[:, enough], axis=0, ddof=1)
    return spread


def _percentiles(drawn: np.ndarray, which: list[float]) -> np.ndarray:
    """Over draws; one that falls on an onset beyond the grid is missing."""
    values = np.where(np.isnan(drawn), np.inf, drawn)
    found = np.percentile(values, which, axis=0, method="nearest")
    return np.where(np.isinf(found), np.nan, found)


def _t_scale(rng: np.random.Generator, shape: tuple[int, ...], freedom: np.ndarray) -> np.ndarray:
    """Factors that turn normal draws into Student's t; 1 where nothing is known of the spread."""
    freedom = np.maximum(freedom, 1)
    return np.sqrt(freedom / rng.chisquare(np.broadcast_to(freedom, shape))).astype(np.float32)
