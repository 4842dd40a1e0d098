"""Do intervals hold the truth as often as they say? Of studies whose truth is known, every interval
that is shown over classes, class by class, and whether it holds.

    python -m tests.interval_coverage --studies 100 --runs 3

prints a table: interval, patients with the class, runs, intervals, share that holds the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from core.analysis.class_changes import ClassChanges
from core.analysis.onset import Curves, Onsets, somers_curves
from core.analysis.overall import Overall
from core.analysis.pair_evidence import DifferentPairs, pair_evidence
from core.analysis.paired_moments import Moments, paired_moments
from core.analysis.patient_spread import patient_spread
from core.analysis.trend import trend
from core.metrics import with_somers_d
from tests.binormal import mean_true_ap
from tests.simulated_studies import DENSE_D_PRIME, Design, Study, d_prime, somers_d
from tests.simulations import metrics_of

# A third of the default grid: what is asked is whether intervals hold, not how fine curves are.
GRID = (0.0, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95)
DRAWS = 400
BINS = (3, 5, 10, 30, 100, 2000)
EVENTS = ("interval", "n_patients", "covered", "width")
TABLE = ("interval", "n_patients", "n_runs", "n", "coverage", "width")
# Classes of 1,000 to 3 patients, whatever else is asked.
COVERAGE_DESIGN = Design(
    kind="onset", exact=False, sparsities=GRID, prevalences=(0.43, 0.0015), n_train=2300
)


@dataclass(frozen=True)
class Analysed:
    """A study and what the product's analyses are made from."""

    study: Study

    @property
    def design(self) -> Design:
        return self.study.design

    @property
    def names(self) -> list[str]:
        return list(self.design.class_names)

    @property
    def cells(self) -> Iterable[tuple[float, np.ndarray, np.ndarray]]:
        for run in self.study.probabilities:
            dense = run[0]
            for at, sparsity in enumerate(self.design.sparsities):
                yield sparsity, dense, dense if at == 0 else run[at]

    @cached_property
    def moments(self) -> Moments:
        study = self.study
        return paired_moments(study.truth, self.names, study.patients, self.cells, DRAWS)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        study = self.study
        table = metrics_of(study.truth, study.probabilities, self.names, self.design.sparsities)
        return with_somers_d(table)

    @cached_property
    def n_patients(self) -> pd.Series:
        """class_name to patients with the class."""
        table = self.study.labels.iloc[: self.design.n_test]
        counts = [table.loc[table[name] == 1, "patient_id"].nunique() for name in self.names]
        return pd.Series(counts, self.names)

    @cached_property
    def curves(self) -> Curves:
        return somers_curves(self.metrics, self.moments.patient_draws, self.n_patients)

    @cached_property
    def changes(self) -> pd.DataFrame:
        return ClassChanges()(self.moments.by_class)

    @cached_property
    def at_95(self) -> pd.DataFrame:
        """CLASS_CHANGES at 95 %, one row per class in the order of classes."""
        at = self.changes[self.changes["sparsity"] == 0.95]
        return at.set_index("class_name").reindex(self.names)

    @property
    def judged(self) -> np.ndarray:
        """(classes,) of those that corrected trends look at."""
        at = self.at_95
        return at["found"].eq(True).to_numpy() & at["unstable"].eq(False).to_numpy()

    @property
    def log_frequency(self) -> np.ndarray:
        frequencies = self.study.train_frequencies
        return np.log10(np.where(frequencies > 0, frequencies, np.nan))

    def true_changes(self, metric: str) -> np.ndarray:
        """(classes, sparsities) of the mean metric over all runs and patients."""
        design = self.design
        if metric == "somers_d":
            return self.study.retained - 1
        dense = somers_d(DENSE_D_PRIME, design.run_spread)
        means = d_prime(dense * self.study.retained, design.run_spread)
        values = np.array(
            [
                [mean_true_ap(d, prevalence, design.run_spread) for d in row]
                for row, prevalence in zip(means, design.frequencies, strict=True)
            ]
        )
        return values / values[:, :1] - 1


def class_changes(given: Analysed) -> list[tuple]:
    return _class_changes(given, given.changes, "somers_d")


def class_changes_of_ap(given: Analysed) -> list[tuple]:
    return _class_changes(given, ClassChanges("ap")(given.moments.by_class), "ap")


def _class_changes(given: Analysed, table: pd.DataFrame, metric: str) -> list[tuple]:
    true, grid = given.true_changes(metric), list(given.design.sparsities)
    rows = []
    for row in table[table["sparsity"].isin((0.7, 0.95))].itertuples():
        truth = true[given.names.index(row.class_name), grid.index(row.sparsity)]
        name = f"change of {metric} at {row.sparsity:.0%}"
        rows.append(_event(name, row.n_positive_patients, truth, row.ci_low, row.ci_high))
    return rows


def onset_sparsities(given: Analysed) -> list[tuple]:
    table = Onsets()(given.curves, np.flatnonzero(given.judged))
    rows = []
    for row, truth in zip(table.itertuples(), given.study.onsets, strict=True):
        # An end that lies beyond the grid is missing: later than any sparsity.
        low, high = row.onset_ci_low, row.onset_ci_high
        if np.isfinite(low):
            high = high if np.isfinite(high) else 1.0
        rows.append(_event("onset", given.n_patients[row.class_name], truth, low, high))
    return rows


def trends(given: Analysed) -> list[tuple]:
    """Of the onset against log10 frequency, whose scatter from class to class is true as well."""
    design, table = given.design, Onsets()(given.curves, np.flatnonzero(given.judged))
    logs = np.log10(design.frequencies)
    truth = design.correlation * design.onset_sd / logs.std() if design.kind == "onset" else 0.0
    x = np.where(given.judged, given.log_frequency, np.nan)
    found = trend(x, table["onset"].to_numpy(), table["onset_se"].to_numpy() ** 2, given.names)
    return [_event("trend of the onset", 0, truth, found.ci_low, found.ci_high)]


def trends_at_95(given: Analysed) -> list[tuple]:
    """Of the change at 95 %, of designs that say what it is."""
    design, at = given.design, given.at_95
    if design.kind == "onset":
        return []
    truth = {"null": 0.0, "frequent-first": -design.slope, "rare-first": design.slope}[design.kind]
    variance = (at["se_runs"].fillna(0) ** 2 + at["se_patients"] ** 2).to_numpy(float)
    x = np.where(given.judged, given.log_frequency, np.nan)
    found = trend(x, at["change"].to_numpy(float), variance, given.names)
    return [_event("trend of the change at 95 %", 0, truth, found.ci_low, found.ci_high)]


def pair_differences(given: Analysed) -> list[tuple]:
    logs = pd.Series(given.log_frequency, given.names)
    table = DifferentPairs()(pair_evidence(given.moments.by_class, given.curves, logs))
    mean = given.true_changes("somers_d")[:, 1:].mean(axis=1)
    true = dict(zip(given.names, mean, strict=True))
    return [
        _event(
            "difference of two classes",
            min(given.n_patients[row.class_a], given.n_patients[row.class_b]),
            true[row.class_a] - true[row.class_b],
            row.difference_ci_low,
            row.difference_ci_high,
        )
        for row in table.itertuples()
    ]


def mean_ap(given: Analysed) -> list[tuple]:
    """Of the mean AP over classes and of its difference from dense, at 95 %."""
    study, design = given.study, given.design
    spread = patient_spread(study.truth, study.patients, given.cells)
    row = Overall()(given.metrics, spread).iloc[-1]
    dense = somers_d(DENSE_D_PRIME, design.run_spread)
    means = d_prime(dense * study.retained[:, [0, -1]], design.run_spread)
    values = [
        np.mean(
            [
                mean_true_ap(d, prevalence, design.run_spread)
                for d, prevalence in zip(column, design.frequencies, strict=True)
            ]
        )
        for column in means.T
    ]
    difference = values[1] - values[0]
    return [
        _event("mean AP", 0, values[1], row.ci_low, row.ci_high),
        _event("mean AP below dense", 0, difference, row.difference_ci_low, row.difference_ci_high),
    ]


INTERVALS: dict[str, Callable[[Analysed], list[tuple]]] = {
    "class_changes": class_changes,
    "class_changes_of_ap": class_changes_of_ap,
    "onset": onset_sparsities,
    "trend": trends,
    "trend_at_95": trends_at_95,
    "pairs": pair_differences,
    "mean_ap": mean_ap,
}


def events(
    design: Design, seeds: Iterable[int], intervals: Iterable[str] = tuple(INTERVALS)
) -> pd.DataFrame:
    """EVENTS of every interval of studies: covered is missing where none is shown; n_patients are
    those with the class, 0 where an interval is about no one class."""
    rows = []
    for seed in seeds:
        given = Analysed(design.draw(seed))
        for name in intervals:
            rows += INTERVALS[name](given)
    return pd.DataFrame(rows, columns=list(EVENTS)).assign(n_runs=design.n_runs)


def coverage_table(found: pd.DataFrame, bins: tuple[int, ...] = BINS) -> pd.DataFrame:
    """TABLE: of the intervals that are shown, by least number of patients with the class."""
    shown = found[found["covered"].notna()]
    least = np.array((0, *bins))
    at = np.searchsorted(least, shown["n_patients"], side="right") - 1
    groups = shown.assign(n_patients=least[at]).groupby(
        ["interval", "n_patients", "n_runs"], sort=False
    )
    table = groups.agg(
        n=("covered", "size"), coverage=("covered", "mean"), width=("width", "median")
    )
    return table.reset_index().sort_values(["interval", "n_runs", "n_patients"])[list(TABLE)]


def _event(interval: str, n_patients: int, truth: float, low: float, high: float) -> tuple:
    shown = np.isfinite(low) and np.isfinite(high)
    return interval, int(n_patients), float(low <= truth <= high) if shown else np.nan, high - low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="onset")
    parser.add_argument("--intervals", nargs="*", default=list(INTERVALS))
    given = parser.parse_args()
    design = replace(COVERAGE_DESIGN, n_runs=given.runs, kind=given.kind)
    seeds = range(given.seed, given.seed + given.studies)
    print(coverage_table(events(design, seeds, given.intervals)).to_string(index=False))


if __name__ == "__main__":
    main()
