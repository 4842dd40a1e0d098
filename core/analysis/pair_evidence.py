"""Which pairs of classes are forgotten differently beyond noise, and what goes with it.

The distance of two noisy curves is never 0 and grows with the noise, so rare classes, which are
measured worse, look different from all others. Here the noise that two curves are expected to have
is taken off (as from cross-validated distances: Walther et al., *NeuroImage* 2016), and a pair is
told apart only where its difference is larger than its own error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import bootstrap
from core.analysis.class_changes import PRIMARY, ClassChanges
from core.analysis.onset import Curves
from core.study.columns import Column, Columns, Unit, interval

PAIR = Columns(Column("class_a", "One class."), Column("class_b", "The other."))
PAIR_EVIDENCE = Columns(
    PAIR,
    Column("fcd_corrected", "Root mean square distance of the curves of Somers' D without what "
           "noise adds; 0 is within noise (corrected). Missing, as all up to `q_value`, "
           "where a class is not judged."),
    Column("fcd_squared_debiased", "Its square before it is cut at 0: 0 on average for two classes "
           "that are forgotten alike, so sometimes below."),
    Column("difference", "Change of Somers' D, mean over sparsities: `class_a` minus `class_b`.",
           Unit.CHANGE),
    interval("difference_ci", "its 95 % interval over runs and patients", Unit.CHANGE),
    Column("p_value", "That the difference is 0, with Welch's degrees of freedom.", Unit.P),
    Column("q_value", "Benjamini-Hochberg of it over the pairs: told apart below 0.05.", Unit.P),
    Column("log10_frequency_difference", "Difference of log10 train frequency, of judged classes: "
           "what the claim `frequency~fcd` holds `fcd_squared_debiased` against."),
)  # fmt: skip
SIGNIFICANT = 0.05
LEAST_CLASSES = 5
PAIR_CONFIDENCE = 0.98
DRAWS_AT_ONCE = 100


class Relation(NamedTuple):
    """A coefficient with its interval, its two-sided p, and the pairs it is over, else NaN."""

    coefficient: float
    ci_low: float
    ci_high: float
    p_value: float
    n_pairs: int


@dataclass(frozen=True)
class PairEvidence:
    """What the corrected statistics of pairs need, only of judged classes: those found by the
    dense model and with enough patients.

    change and variance (classes, sparsities > 0) of the relative change of Somers' D; mean_change
    (classes,) over these sparsities, with what each run (runs, classes) and each draw of patients
    (draws, classes) adds to it; log_frequency (classes,) in powers of ten; n_patients (classes,).
    """

    class_names: list[str]
    log_frequency: np.ndarray
    change: np.ndarray
    variance: np.ndarray
    mean_change: np.ndarray
    of_runs: np.ndarray
    of_patients: np.ndarray
    n_patients: np.ndarray

    @property
    def squared(self) -> np.ndarray:
        """(classes, classes) mean over sparsities of (y_a - y_b)^2 - v_a - v_b: 0 on average for
        two classes that are forgotten alike, and so sometimes below."""
        apart = ((self.change[:, None] - self.change[None]) ** 2).mean(axis=2)
        squared = apart - self.noise
        np.fill_diagonal(squared, 0.0)
        return squared

    @property
    def noise(self) -> np.ndarray:
        """(classes, classes) mean over sparsities of v_a + v_b."""
        own = self.variance.sum(axis=1) / max(self.variance.shape[1], 1)
        return own[:, None] + own[None]


def pair_evidence(moments: pd.DataFrame, curves: Curves, log_frequency: pd.Series) -> PairEvidence:
    """moments: PAIRED_MOMENTS; log_frequency: class_name to log10 of the frequency, missing where
    it never occurs, or for every class."""
    changes = ClassChanges(PRIMARY)(moments)
    changes = changes[changes["found"] & ~changes["unstable"]]
    changes = changes.assign(
        variance=changes["se_runs"].fillna(0) ** 2 + changes["se_patients"].fillna(0) ** 2
    )
    of_class = {
        column: changes.pivot(index="class_name", columns="sparsity", values=column)
        .reindex(curves.class_names)
        .to_numpy(float)
        for column in ("change", "variance")
    }
    logs = log_frequency.reindex(curves.class_names).to_numpy(float)
    occurs = np.isfinite(logs) | np.isnan(logs).all()
    known = occurs & np.isfinite(of_class["change"]).all(axis=1)
    rows = np.flatnonzero(known & (of_class["change"].shape[1] > 0))
    names = [curves.class_names[row] for row in rows]
    dense, pruned = curves.mean[rows, 0], curves.mean[rows, 1:]

    def linear(parts: np.ndarray) -> np.ndarray:
        """What (n, classes, sparsities) deviations of D add to the mean change (delta method)."""
        ratio = pruned / dense[:, None]
        of_ratio = (parts[:, rows, 1:] - ratio * parts[:, rows, :1]) / dense[:, None]
        return of_ratio.mean(axis=2)

    return PairEvidence(
        names,
        logs[rows],
        of_class["change"][rows],
        of_class["variance"][rows],
        (pruned / dense[:, None] - 1).mean(axis=1),
        linear(curves.of_runs - curves.mean),
        linear(curves.patient_draws.astype(float)),
        curves.n_patients[rows],
    )


@dataclass(frozen=True)
class DifferentPairs:
    """PAIR_EVIDENCE, one row per pair of judged classes.

    fcd_squared_debiased is `PairEvidence.squared`. The interval and the p-value of the difference
    are over runs and patients, both classes seen by the same ones; the p-value with Satterthwaite's
    degrees of freedom alone, which keeps the rate of false discoveries, while the interval is never
    narrower than over runs.
    """

    confidence: float = bootstrap.CONFIDENCE

    def __call__(self, evidence: PairEvidence) -> pd.DataFrame:
        pairs = list(combinations(range(len(evidence.class_names)), 2))
        if not pairs:
            return pd.DataFrame(columns=PAIR_EVIDENCE.names)
        first, second = np.array(pairs).T
        names = np.array(evidence.class_names, object)
        squared = evidence.squared[first, second]
        difference = evidence.mean_change[first] - evidence.mean_change[second]
        of_runs = evidence.of_runs[:, first] - evidence.of_runs[:, second]
        of_patients = evidence.of_patients[:, first] - evidence.of_patients[:, second]
        n_runs = len(of_runs)
        se_runs = np.zeros(len(pairs))
        if n_runs > 1:
            se_runs = np.sqrt((of_runs**2).sum(axis=0) / (n_runs * (n_runs - 1)))
        se_patients = np.sqrt((of_patients**2).mean(axis=0))
        n_patients = np.minimum(evidence.n_patients[first], evidence.n_patients[second])
        half = bootstrap.combined_half_width(
            se_runs, n_runs, se_patients, n_patients, self.confidence
        )
        p = _satterthwaite_p(difference, se_runs, n_runs, se_patients, n_patients)
        return pd.DataFrame(
            {
                "class_a": names[first],
                "class_b": names[second],
                "fcd_corrected": np.sqrt(np.maximum(squared, 0)),
                "fcd_squared_debiased": squared,
                "difference": difference,
                "difference_ci_low": difference - half,
                "difference_ci_high": difference + half,
                "p_value": p,
                "q_value": bootstrap.benjamini_hochberg(p),
                "log10_frequency_difference": np.abs(
                    evidence.log_frequency[first] - evidence.log_frequency[second]
                ),
            }
        )


def _satterthwaite_p(
    value: np.ndarray,
    se_runs: np.ndarray,
    n_runs: int,
    se_patients: np.ndarray,
    n_patients: np.ndarray,
) -> np.ndarray:
    """Two-sided p of 0 over both sources; NaN where nothing varies, as nothing is known then."""
    total = se_runs**2 + se_patients**2
    weights = se_runs**4 / max(n_runs - 1, 1) + se_patients**4 / np.maximum(n_patients - 1, 1)
    freedom = np.divide(total**2, weights, out=np.ones(len(total)), where=weights > 0)
    t = np.divide(np.abs(value), np.sqrt(total), out=np.zeros(len(total)), where=total > 0)
    return np.where(total > 0, 2 * scipy.stats.t.sf(t, freedom), np.nan)


def told_apart(pairs: pd.DataFrame) -> list[tuple[str, str]]:
    """The pairs that are told apart, the surest first."""
    rows = pairs[pairs["q_value"] < SIGNIFICANT].sort_values("p_value", kind="stable")
    return list(zip(rows["class_a"], rows["class_b"], strict=True))


def most_apart(pairs: pd.DataFrame) -> tuple[str, str] | None:
    """Of the pairs that are told apart the one with the largest FCD; where there is none, the one
    with the smallest p; None where none is tested."""
    tested = pairs[pairs["p_value"].notna()]
    if tested.empty:
        return None
    apart = tested[tested["q_value"] < SIGNIFICANT]
    row = tested.loc[apart["fcd_corrected"].idxmax() if len(apart) else tested["p_value"].idxmin()]
    return str(row["class_a"]), str(row["class_b"])


def n_different(pairs: pd.DataFrame) -> int:
    return int((pairs["q_value"] < SIGNIFICANT).sum())


def exchanged_distances(evidence: PairEvidence, draws: int, seed: int) -> np.ndarray:
    """(draws, pairs) of `PairEvidence.squared` where neither frequency nor co-occurrence matters:
    the curves, drawn towards their mean until only the scatter between classes is left, are dealt
    out to the classes again, each with the noise of the class that it is dealt to."""
    first, second = np.triu_indices(len(evidence.class_names), k=1)
    centre = evidence.change.mean(axis=0)
    between = np.maximum(evidence.change.var(axis=0, ddof=1) - evidence.variance.mean(axis=0), 0)
    total = between + evidence.variance
    share = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    curves = centre + np.sqrt(share) * (evidence.change - centre)
    orders = bootstrap.permutations_of(len(curves), draws, seed)
    # A class's noise hardly changes from one sparsity to the next: one draw moves its whole curve.
    luck = np.random.default_rng(seed).standard_normal((draws, len(curves), 1))
    noise = np.sqrt(evidence.variance)
    found = np.empty((draws, len(first)))
    for begin in range(0, draws, DRAWS_AT_ONCE):
        some = slice(begin, begin + DRAWS_AT_ONCE)
        drawn = curves[orders[some]] + luck[some] * noise
        found[some] = ((drawn[:, first] - drawn[:, second]) ** 2).mean(axis=2)
    return found - evidence.noise[first, second]


@dataclass(frozen=True)
class FrequencyAndDistance:
    """By how much the debiased squared FCD rises with a tenfold difference of frequency, beside the
    noise term v_a + v_b, without which noisy pairs would speak for frequency.

    Least squares over the pairs; the null is that of `exchanged_distances`, and the interval the
    coefficient with its standard error times the `confidence` quantile of |t| under it. That is
    98 % because with 20 classes of unequal noise 95 % of permutations, these or plain MRQAP, hold
    only 93 % of null studies. Missing below LEAST_CLASSES classes.
    """

    confidence: float = PAIR_CONFIDENCE
    draws: int = 2000
    seed: int = bootstrap.SEED

    def __call__(self, evidence: PairEvidence) -> Relation:
        first, second = np.triu_indices(len(evidence.class_names), k=1)
        logs = evidence.log_frequency
        terms = (np.abs(logs[first] - logs[second]), evidence.noise[first, second])
        design = np.column_stack([np.ones(len(first)), *terms])
        few = len(logs) < LEAST_CLASSES or np.isnan(design).any()
        if few or np.linalg.matrix_rank(design) < design.shape[1]:
            nan = np.nan
            return Relation(nan, nan, nan, nan, len(first))
        coefficient, t = _second_term(design, evidence.squared[first, second][None])
        _, drawn = _second_term(design, exchanged_distances(evidence, self.draws, self.seed))
        half = np.quantile(np.abs(drawn), self.confidence) * abs(coefficient[0] / t[0])
        return Relation(
            float(coefficient[0]),
            float(coefficient[0] - half),
            float(coefficient[0] + half),
            bootstrap.permutation_p(float(t[0]), drawn),
            len(first),
        )


def _second_term(design: np.ndarray, outcomes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient and t of the second column of (n, terms), for each of (m, n) outcomes."""
    inverse = np.linalg.inv(design.T @ design)
    coefficients = outcomes @ design @ inverse
    left = outcomes - coefficients @ design.T
    variance = (left**2).sum(axis=1) / (len(design) - design.shape[1]) * inverse[1, 1]
    return coefficients[:, 1], coefficients[:, 1] / np.sqrt(variance)


@dataclass(frozen=True)
class Together:
    """Pearson r of the debiased squared FCD with IoU^(1/4), and the range in which 95 % of r lie
    under `exchanged_distances`."""

    r: float
    null_low: float
    null_high: float
    n_pairs: int


def together(
    evidence: PairEvidence, iou: np.ndarray, draws: int = 500, seed: int = bootstrap.SEED
) -> Together:
    """iou: (classes, classes) of the judged classes."""
    first, second = np.triu_indices(len(evidence.class_names), k=1)
    side = iou[first, second] ** 0.25
    known = ~np.isnan(side)
    if len(evidence.class_names) < LEAST_CLASSES or known.sum() < 3 or np.ptp(side[known]) == 0:
        return Together(np.nan, np.nan, np.nan, int(known.sum()))
    observed = bootstrap.row_pearson(side[known], evidence.squared[first, second][known][None])[0]
    found = bootstrap.row_pearson(side[known], exchanged_distances(evidence, draws, seed)[:, known])
    low, high = np.percentile(found, [2.5, 97.5])
    return Together(float(observed), float(low), float(high), int(known.sum()))
