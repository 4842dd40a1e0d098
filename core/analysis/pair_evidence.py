"""Which pairs of classes are forgotten differently beyond noise, and what goes with it.

The distance of two noisy curves is never 0 and grows with the noise, so rare classes, which are
measured worse, look different from all others. Here the noise that two curves are expected to have
is taken off (as from cross-validated distances: Walther et al., *NeuroImage* 2016), and a pair is
told apart only where its difference is larger than its own error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import (
    CONFIDENCE,
    SEED,
    benjamini_hochberg,
    combined_half_width,
    permutations_of,
)
from core.analysis.class_changes import PRIMARY, ClassChanges
from core.analysis.mrqap import mrqap
from core.analysis.onset import Curves

PAIR_EVIDENCE = (
    "class_a",
    "class_b",
    "fcd_corrected",
    "fcd_squared_debiased",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "p_value",
    "q_value",
    "log10_frequency_difference",
)
SIGNIFICANT = 0.05
LEAST_CLASSES = 5


@dataclass(frozen=True)
class PairEvidence:
    """What the corrected statistics of pairs need, of judged classes alone: those found by the
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
        own = self.variance.mean(axis=1)
        return own[:, None] + own[None]


def pair_evidence(moments: pd.DataFrame, curves: Curves, log_frequency: pd.Series) -> PairEvidence:
    """moments: PAIRED_MOMENTS; log_frequency: class_name to log10 of the frequency, missing where
    it never occurs."""
    changes = ClassChanges(PRIMARY)(moments)
    grid = np.sort(changes["sparsity"].unique())
    changes = changes[changes["found"] & ~changes["unstable"]]
    changes = changes.assign(
        variance=changes["se_runs"].fillna(0) ** 2 + changes["se_patients"].fillna(0) ** 2
    )
    wide = changes.pivot(index="class_name", columns="sparsity", values=["change", "variance"])
    # Where no class is judged there would be no columns either.
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["change", "variance"], grid]))
    wide = wide.reindex([name for name in curves.class_names if name in wide.index]).dropna()
    wide = wide[np.isfinite(log_frequency.reindex(wide.index).to_numpy(float))]
    names = list(wide.index)
    rows = [curves.class_names.index(name) for name in names]
    dense, pruned = curves.mean[rows, 0], curves.mean[rows, 1:]

    def linear(parts: np.ndarray) -> np.ndarray:
        """What (n, classes, sparsities) deviations of D add to the mean change (delta method)."""
        ratio = pruned / dense[:, None]
        of_ratio = (parts[:, rows, 1:] - ratio * parts[:, rows, :1]) / dense[:, None]
        return of_ratio.mean(axis=2)

    return PairEvidence(
        names,
        log_frequency.reindex(names).to_numpy(float),
        wide["change"].to_numpy(float),
        wide["variance"].to_numpy(float),
        (pruned / dense[:, None] - 1).mean(axis=1),
        linear(curves.of_runs - curves.mean),
        linear(curves.patient_draws.astype(float)),
        curves.n_patients[rows],
    )


@dataclass(frozen=True)
class DifferentPairs:
    """PAIR_EVIDENCE, one row per pair of judged classes.

    fcd_squared_debiased is `PairEvidence.squared`; fcd_corrected its root, 0 where it is within
    noise, in fractions of dense as fcd_rms. difference: how much less class_a loses than class_b,
    averaged over the sparsities; its interval and p-value are over runs and patients, both classes
    seen by the same ones, with Welch's degrees of freedom; q_value: Benjamini-Hochberg over the
    pairs. log10_frequency_difference is what `FrequencyAndDistance` holds FCD against.
    """

    confidence: float = CONFIDENCE

    def __call__(self, evidence: PairEvidence) -> pd.DataFrame:
        pairs = list(combinations(range(len(evidence.class_names)), 2))
        if not pairs:
            return pd.DataFrame(columns=list(PAIR_EVIDENCE))
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
        half = combined_half_width(se_runs, n_runs, se_patients, n_patients, self.confidence)
        p = combined_p(difference, se_runs, n_runs, se_patients, n_patients)
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
                "q_value": benjamini_hochberg(p),
                "log10_frequency_difference": np.abs(
                    evidence.log_frequency[first] - evidence.log_frequency[second]
                ),
            }
        )


def combined_p(
    value: np.ndarray,
    se_runs: np.ndarray,
    n_runs: int,
    se_patients: np.ndarray,
    n_patients: np.ndarray,
) -> np.ndarray:
    """Two-sided p of 0 with Student's t at Welch's degrees of freedom of the two sources."""
    total = se_runs**2 + se_patients**2
    weights = se_runs**4 / max(n_runs - 1, 1) + se_patients**4 / np.maximum(n_patients - 1, 1)
    freedom = np.divide(total**2, weights, out=np.ones(len(total)), where=weights > 0)
    t = np.divide(np.abs(value), np.sqrt(total), out=np.zeros(len(total)), where=total > 0)
    p = 2 * scipy.stats.t.sf(t, freedom)
    return np.where(total > 0, p, np.nan)


def told_apart(pairs: pd.DataFrame) -> list[tuple[str, str]]:
    """The pairs that are told apart, the surest first."""
    rows = pairs[pairs["q_value"] < SIGNIFICANT].sort_values("p_value", kind="stable")
    return list(zip(rows["class_a"], rows["class_b"], strict=True))


def most_apart(pairs: pd.DataFrame) -> tuple[str, str] | None:
    """The pair that is told apart most surely; None where none is tested."""
    tested = pairs[pairs["p_value"].notna()]
    if tested.empty:
        return None
    row = tested.loc[tested["p_value"].idxmin()]
    return str(row["class_a"]), str(row["class_b"])


def n_different(pairs: pd.DataFrame) -> int:
    return int((pairs["q_value"] < SIGNIFICANT).sum())


@dataclass(frozen=True)
class FrequencyAndDistance:
    """MRQAP of the debiased squared FCD on |difference of log10 frequency| and the noise term
    v_a + v_b, without which noisy pairs would speak for frequency. Returns `mrqap`'s table, whose
    row log_frequency_difference holds coefficient, interval and permutation p; missing below
    LEAST_CLASSES classes."""

    permutations: int = 2000
    seed: int = SEED

    def __call__(self, evidence: PairEvidence) -> pd.DataFrame:
        logs = evidence.log_frequency
        terms = {
            "log_frequency_difference": np.abs(logs[:, None] - logs[None]),
            "noise": evidence.noise,
        }
        return mrqap(evidence.squared, terms, self.permutations, self.seed)


@dataclass(frozen=True)
class Together:
    """Pearson r of the debiased squared FCD with IoU^(1/4), and the range in which 95 % of r lie
    when co-occurrence plays no part: curves shrunken towards their mean, dealt out to the classes
    anew, each with the noise of the class that it is dealt to."""

    r: float
    null_low: float
    null_high: float
    n_pairs: int


def together(
    evidence: PairEvidence, iou: np.ndarray, draws: int = 500, seed: int = SEED
) -> Together:
    """iou: (classes, classes) of the judged classes."""
    first, second = np.triu_indices(len(evidence.class_names), k=1)
    side = iou[first, second] ** 0.25
    known = ~np.isnan(side)
    if len(evidence.class_names) < LEAST_CLASSES or known.sum() < 3 or np.ptp(side[known]) == 0:
        return Together(np.nan, np.nan, np.nan, int(known.sum()))
    observed = np.corrcoef(side[known], evidence.squared[first, second][known])[0, 1]
    centre = evidence.change.mean(axis=0)
    between = np.maximum(evidence.change.var(axis=0, ddof=1) - evidence.variance.mean(axis=0), 0)
    own = between + evidence.variance
    share = np.divide(between, own, out=np.zeros_like(own), where=own > 0)
    shrunken = centre + share * (evidence.change - centre)
    orders = permutations_of(len(shrunken), draws, seed)
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    # A class's noise hardly changes from one sparsity to the next: one draw moves its whole curve.
    noise = rng.standard_normal((draws, len(shrunken), 1)) * np.sqrt(evidence.variance)
    for at, order in enumerate(orders):
        curves = shrunken[order] + noise[at]
        apart = ((curves[first] - curves[second]) ** 2).mean(axis=1)
        values = apart - evidence.noise[first, second]
        found[at] = np.corrcoef(side[known], values[known])[0, 1]
    low, high = np.percentile(found, [2.5, 97.5])
    return Together(float(observed), float(low), float(high), int(known.sum()))
