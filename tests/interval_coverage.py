"""Do intervals hold the truth as often as they say? Of studies whose truth is known, every interval
that is shown over classes, class by class, and whether it holds.

    python -m tests.interval_coverage --studies 100 --runs 3

prints a table: interval, patients with the class, runs, intervals, share that holds the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd

from core.analysis.class_changes import ClassChanges
from core.analysis.class_evidence import ClassEvidence, class_evidence
from core.analysis.metrics import with_somers_d
from core.analysis.overall import Overall
from core.analysis.pair_evidence import DifferentPairs, pair_evidence
from core.analysis.paired_moments import Moments, paired_moments
from core.analysis.trend import Trend
from core.study.labels import Labels, class_frequencies
from core.study.settings import GroupSettings
from tests.simulated_studies import Design, Study
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
    def frequencies(self) -> pd.DataFrame:
        table = self.study.labels.rename(columns={"id": "image_id"})
        labels = Labels(table.assign(path=table["image_id"]), self.design.class_names)
        return class_frequencies(labels, GroupSettings())

    @cached_property
    def n_patients(self) -> pd.Series:
        """class_name to patients with the class."""
        return self.frequencies.set_index("class_name")["test_positive_patients"]

    @cached_property
    def classes(self) -> ClassEvidence:
        by_class, draws = self.moments.by_class, self.moments.patient_draws
        return class_evidence(self.metrics, by_class, draws, self.frequencies)

    @property
    def drawn_anew(self) -> bool:
        """Whether the truth differs from study to study, so that no average tells it."""
        return self.design.kind == "onset" or self.design.class_sd > 0


def class_changes(given: Analysed) -> list[tuple]:
    return _class_changes(given, "somers_d", given.study.retained - 1)


def class_changes_of_ap(given: Analysed) -> list[tuple]:
    """The truth is what test sets of this size have on average: of few positives AP lies above that
    of all patients, which no interval over patients knows."""
    if given.drawn_anew:
        return []
    expected = np.nanmean(ap_of_many(given.design), axis=0)
    return _class_changes(given, "ap", expected / expected[:, :1] - 1)


def _class_changes(given: Analysed, metric: str, true: np.ndarray) -> list[tuple]:
    table = given.classes.changes
    if metric != "somers_d":
        table = ClassChanges(metric)(given.moments.by_class)
    rows = []
    for row in table[table["sparsity"].isin((0.7, 0.95))].itertuples():
        at = given.names.index(row.class_name), given.design.sparsities.index(row.sparsity)
        name = f"change of {metric} at {row.sparsity:.0%}"
        rows.append(_event(name, row.n_positive_patients, true[at], row.ci_low, row.ci_high))
    return rows


@cache
def ap_of_many(design: Design, studies: int = 400) -> np.ndarray:
    """(studies, classes, sparsities) AP of one run each, missing where no image has the class."""
    one_run = replace(design, n_runs=1)
    names, found = list(design.class_names), []
    for seed in range(10_000, 10_000 + studies):
        study = one_run.draw(seed)
        table = metrics_of(study.truth, study.probabilities, names, design.sparsities)
        wide = table.pivot(index="class_name", columns="sparsity", values="ap")
        found.append(wide.loc[names].to_numpy(float))
    return np.array(found)


def onset_sparsities(given: Analysed) -> list[tuple]:
    true = dict(zip(given.names, given.study.onsets, strict=True))
    rows = []
    for row in given.classes.onsets.itertuples():
        # An end that lies beyond the grid is missing: later than any sparsity.
        low, high = row.onset_ci_low, row.onset_ci_high
        if np.isfinite(low) and not np.isfinite(high):
            high = 1.0
        name = row.class_name
        rows.append(_event("onset", given.n_patients[name], true[name], low, high))
    return rows


def trends(given: Analysed) -> list[tuple]:
    """Slopes over log10 frequency, and tail minus head. The scatter of onsets from class to class
    is part of what the trend of the onset speaks for."""
    design, classes = given.design, given.classes
    logs = np.log10(design.frequencies)
    if design.kind == "onset":
        slope = design.correlation * design.onset_sd / logs.std()
        return [_of_trend("trend of the onset", classes.trend_of_onset, slope)]
    slope = {"null": 0.0, "frequent-first": -1.0, "rare-first": 1.0}[design.kind] * design.slope
    group = classes.frequencies.set_index("class_name")["group"].reindex(given.names).to_numpy()
    judged = pd.Series(classes.judged, classes.names).reindex(given.names).to_numpy()
    tail, head = (logs[(group == name) & judged].mean() for name in ("tail", "head"))
    found = [_of_trend("trend of the change at 95 %", classes.trend_of_change, slope)]
    apart = _of_trend("tail minus head", classes.tail_minus_head, slope * (tail - head))
    return [*found, apart]


def _of_trend(name: str, found: Trend, truth: float) -> tuple:
    return _event(name, 0, truth, found.ci_low, found.ci_high)


def pair_differences(given: Analysed) -> list[tuple]:
    classes = given.classes
    evidence = pair_evidence(given.moments.by_class, classes.curves, classes.log_frequency)
    mean = given.study.retained[:, 1:].mean(axis=1)
    true = dict(zip(given.names, mean, strict=True))
    return [
        _event(
            "difference of two classes",
            min(given.n_patients[row.class_a], given.n_patients[row.class_b]),
            true[row.class_a] - true[row.class_b],
            row.difference_ci_low,
            row.difference_ci_high,
        )
        for row in DifferentPairs()(evidence).itertuples()
    ]


def mean_ap(given: Analysed) -> list[tuple]:
    """Of the mean AP over classes and of its difference from dense, at 95 %; the truth as above."""
    if given.drawn_anew:
        return []
    row = Overall()(given.metrics, given.moments.of_mean).iloc[-1]
    level = np.nanmean(ap_of_many(given.design), axis=1).mean(axis=0)
    difference = level[-1] - level[0]
    return [
        _event("mean AP", 0, level[-1], row.ci_low, row.ci_high),
        _event("mean AP below dense", 0, difference, row.difference_ci_low, row.difference_ci_high),
    ]


INTERVALS: dict[str, Callable[[Analysed], list[tuple]]] = {
    "class_changes": class_changes,
    "class_changes_of_ap": class_changes_of_ap,
    "onset": onset_sparsities,
    "trend": trends,
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
    if not np.isfinite(truth):
        raise ValueError(f"The truth of {interval} is not known.")
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
