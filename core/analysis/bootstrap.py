"""Resampling and multiple testing, shared by every table that shows an interval.

Runs (trainings) and patients are drawn with replacement; a patient brings all of its images. A
draw is a row of counts, so a statistic of many draws is a product or a cumulative sum.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

CONFIDENCE = 0.95
DRAWS = 1000
SEED = 0
PERMUTATIONS_AT_ONCE = 128
# Differences of metrics this small are rounding, not variation.
NEGLIGIBLE = 1e-12


def resample_counts(n_units: int, draws: int = DRAWS, seed: int | list[int] = SEED) -> np.ndarray:
    """(draws, n_units) of how often each unit occurs in each draw of n_units with replacement."""
    rng = np.random.default_rng(seed)
    counts = np.empty((draws, n_units), np.int32)
    for row in range(draws):
        counts[row] = np.bincount(rng.integers(0, n_units, n_units), minlength=n_units)
    return counts


def percentile_interval(
    draws: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper percentile over the first axis; draws without a value are left out."""
    flat = draws.reshape(len(draws), -1)
    low, high = np.full((2, flat.shape[1]), np.nan)
    tail = 100 * (1 - confidence) / 2
    defined = ~np.isnan(flat)
    whole = defined.all(axis=0)
    if whole.any():
        low[whole], high[whole] = np.percentile(flat[:, whole], [tail, 100 - tail], axis=0)
    for column in np.flatnonzero(~whole & defined.any(axis=0)):
        there = flat[defined[:, column], column]
        low[column], high[column] = np.percentile(there, [tail, 100 - tail])
    return low.reshape(draws.shape[1:]), high.reshape(draws.shape[1:])


def t_interval(
    values: np.ndarray, confidence: float = CONFIDENCE, patient_se: float = 0.0, n_patients: int = 2
) -> tuple[float, float]:
    """Student's interval of the mean of (runs,) values; NaN below two values.

    Used over runs, where with a handful of them a percentile bootstrap is far too narrow. A
    patient_se adds the variance over patients (`combined_half_width`).
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return np.nan, np.nan
    se_runs = values.std(ddof=1) / np.sqrt(len(values))
    half = combined_half_width(se_runs, len(values), patient_se, n_patients, confidence)
    return float(values.mean() - half), float(values.mean() + half)


def combined_half_width(
    se_runs: npt.ArrayLike,
    n_runs: npt.ArrayLike,
    se_patients: npt.ArrayLike,
    n_patients: npt.ArrayLike,
    confidence: float = CONFIDENCE,
) -> np.ndarray:
    """Half width of a two-sided interval over runs and patients: of a mean whose variance is
    se_runs^2 + se_patients^2, each known from n - 1 degrees of freedom. Numbers or equal shapes.

    The largest of three: t at Satterthwaite's degrees of freedom times the whole standard error,
    and what the runs or the patients give by themselves. With few runs Satterthwaite's degrees of
    freedom jump from one to hundreds once the patients' variance is the larger *estimate*, so that
    taking patients in would make an interval narrower, and cover 87 % at two runs. Howe's root sum
    of squares of the two half widths (J. Am. Stat. Assoc. 1974; Zou and Donner, Stat. Med. 2008) is
    never narrower either, but covers up to 99 % at two runs; this covers 94 to 98 % at 2, 3, 10 and
    30 runs (tests/analysis/test_combined.py). A missing part (one run has no se_runs) or one from
    less than two units is left out; NaN where both are.
    """
    errors, freedoms, known = _sources(se_runs, n_runs, se_patients, n_patients)
    widths = scipy.stats.t.ppf((1 + confidence) / 2, freedoms) * errors
    return np.where(known, widths.max(axis=0), np.nan)


def combined_p(
    above: npt.ArrayLike,
    se_runs: npt.ArrayLike,
    n_runs: npt.ArrayLike,
    se_patients: npt.ArrayLike,
    n_patients: npt.ArrayLike,
) -> np.ndarray:
    """One-sided p that a mean found `above` a bound is not above it: below 1 - c exactly where the
    end of the two-sided interval of `combined_half_width` at 2 c - 1 lies above the bound."""
    distance, *sources = np.broadcast_arrays(above, se_runs, n_runs, se_patients, n_patients)
    errors, freedoms, known = _sources(*sources)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = scipy.stats.t.sf(distance / errors, freedoms)
    # Without an error the mean is the truth; the bound itself is not above the bound.
    p = np.where(errors > 0, p, np.where(distance > 0, 0.0, 1.0))
    return np.where(known & ~np.isnan(distance), p.max(axis=0), np.nan)


def _sources(
    se_runs: npt.ArrayLike,
    n_runs: npt.ArrayLike,
    se_patients: npt.ArrayLike,
    n_patients: npt.ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard errors and degrees of freedom, (3, ...), of runs, of patients, and of both after
    Satterthwaite; and whether any part is known."""
    errors = np.stack(
        np.broadcast_arrays(np.asarray(se_runs, float), np.asarray(se_patients, float))
    )
    counts = [np.broadcast_to(np.asarray(n, float), errors[0].shape) for n in (n_runs, n_patients)]
    freedoms = np.stack(counts) - 1
    known = ~np.isnan(errors) & (freedoms >= 1)
    errors, freedoms = np.where(known, errors, 0.0), np.where(known, freedoms, 1.0)
    total = (errors**2).sum(axis=0)
    weights = (errors**4 / freedoms).sum(axis=0)
    together = np.divide(total**2, weights, out=np.ones_like(total), where=weights > 0)
    return (
        np.concatenate([errors, np.sqrt(total)[None]]),
        np.concatenate([freedoms, together[None]]),
        known.any(axis=0),
    )


def paired_p(differences: np.ndarray) -> float:
    """Two-sided one-sample t test over runs that the mean difference is 0.

    NaN below two runs; 1 where every difference is 0; NaN where all are one other number: what
    does not vary says nothing of how much it would.
    """
    values = differences[~np.isnan(differences)]
    if len(values) < 2:
        return np.nan
    if np.ptp(values) <= NEGLIGIBLE:
        return 1.0 if abs(values[0]) <= NEGLIGIBLE else np.nan
    return float(scipy.stats.ttest_1samp(values, 0).pvalue)


def welch_p(first: np.ndarray, second: np.ndarray) -> float:
    """Welch's two-sided t test (paper), `ttest_ind(equal_var=False)`; NaN below two runs a side.

    Where neither side varies: 1 for equal means, else 0.
    """
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    if min(len(first), len(second)) < 2:
        return np.nan
    if max(np.ptp(first), np.ptp(second)) <= NEGLIGIBLE:
        return 1.0 if abs(first[0] - second[0]) <= NEGLIGIBLE else 0.0
    return float(scipy.stats.ttest_ind(first, second, equal_var=False).pvalue)


def fixed_sequence(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values of tests in an order fixed beforehand, each at the full level up to the
    first that fails (Maurer, Hothorn and Lehmacher 1995): the running maximum over the last axis.
    Missing ones stay missing and are passed over."""
    p_values = np.asarray(p_values, float)
    known = ~np.isnan(p_values)
    reached = np.maximum.accumulate(np.where(known, p_values, 0.0), axis=-1)
    return np.where(known, reached, np.nan)


def from_the_top(p_values: npt.ArrayLike, *keys: pd.Series) -> np.ndarray:
    """`fixed_sequence` from the last row of each group up, the group by `keys`: of rows that are
    sorted by sparsity, from the highest down."""
    p = pd.Series(np.asarray(p_values, float), keys[0].index)[::-1]
    groups = p.groupby([key[::-1] for key in keys])
    return groups.transform(lambda of_group: fixed_sequence(of_group.to_numpy()))[::-1].to_numpy()


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """q-values (false discovery rate); missing ones stay missing and are not counted."""
    p_values = np.asarray(p_values, float)
    adjusted = np.full(len(p_values), np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        adjusted[known] = scipy.stats.false_discovery_control(p_values[known])
    return adjusted


def permutation_p(observed: float, permuted: np.ndarray) -> float:
    """(1 + permutations at least as far from 0) / (1 + permutations): two-sided, never 0."""
    # Equal statistics reached in another order of summation must count as equal.
    at_least = np.abs(permuted) >= abs(observed) - 1e-12
    return float((1 + at_least.sum()) / (1 + len(permuted)))


def permutations_of(n_units: int, permutations: int, seed: int) -> np.ndarray:
    """(permutations, n_units) of random orders of 0 .. n_units - 1."""
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(n_units), (permutations, 1)), axis=1)


def permuted_pairs(matrix: np.ndarray, orders: np.ndarray) -> Iterator[np.ndarray]:
    """Upper triangles of a symmetric (units, units) matrix whose rows and columns are put into each
    of (permutations, units) orders: (some permutations, pairs) at a time, which a processor's cache
    holds."""
    first, second = np.triu_indices(orders.shape[1], k=1)
    flat = np.ascontiguousarray(matrix).ravel()
    for begin in range(0, len(orders), PERMUTATIONS_AT_ONCE):
        some = orders[begin : begin + PERMUTATIONS_AT_ONCE]
        yield flat.take(some[:, first] * len(matrix) + some[:, second])


def row_pearson(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pearson r of (n,) x with each of (permutations, n) rows; a missing value leaves its pair out,
    a row without variation gives 0."""
    there = ~(np.isnan(rows) | np.isnan(x)[None, :])
    if there.all():
        a, b = x - x.mean(), rows - rows.mean(axis=1, keepdims=True)
        scale = np.sqrt((a @ a) * np.einsum("ij,ij->i", b, b))
        return np.divide(b @ a, scale, out=np.zeros(len(rows)), where=scale > 0)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    a = np.where(there, x[None, :], 0.0)
    b = np.where(there, rows, 0.0)
    a = np.where(there, a - a.sum(axis=1, keepdims=True) / n, 0.0)
    b = np.where(there, b - b.sum(axis=1, keepdims=True) / n, 0.0)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), scale, out=np.zeros(len(rows)), where=scale > 0)


def patient_sums(patient_ids: pd.Series | np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums per patient of (images, columns) values, patients in order of first appearance."""
    codes, patients = pd.factorize(np.asarray(patient_ids))
    sums = np.zeros((len(patients), values.shape[1]))
    np.add.at(sums, codes, values)
    return sums
