"""The paper's statistics for the pages, exact and corrected, of the subgroup in view, if any."""

from __future__ import annotations

import pandas as pd

from core import evidence_tables, tables
from core.analysis import pairs
from core.analysis.claims import CORRECTED
from core.analysis.class_pairs import ClassPairs, pair_matrices, pair_table
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations
from core.analysis.first_forgotten import FirstForgotten
from core.analysis.first_forgotten import first_forgotten as find_first
from core.analysis.forgettability import Forgettability
from core.analysis.interaction import Interaction
from core.analysis.overall import Overall
from core.analysis.pairs import PairFacts
from core.labels import FEW_PATIENTS
from core.ui import OpenStudy
from core.ui.cached import Source, of_study
from core.ui.loaders import class_metrics, curves, facts_of_slice, frequencies, labels, test_matrix

RESAMPLING = "Resampling runs for the intervals …"
PERMUTING = "Permuting classes for the p-values …"


@of_study(spinner=RESAMPLING)
def forgettability(of: Source, metric: str) -> pd.DataFrame:
    """The curves with their 95 % intervals over runs and patients; of a subgroup over runs."""
    moments = tables.moments(of.path) if has_patients(of) else None
    return Forgettability(metric)(class_metrics(of), moments)


@of_study()
def curves_with_intervals(of: Source, metric: str) -> pd.DataFrame:
    """`forgettability` with the columns of `loaders.class_curves`: median, lower, upper."""
    names = {"mean_change": "median", "ci_low": "lower", "ci_high": "upper"}
    return forgettability(of, metric).rename(columns=names)


def has_patients(of: OpenStudy | Source) -> bool:
    """Whether it is known what other patients would change: not in a subgroup, whose predictions
    are not read again, nor before all predictions of the study have been read once
    (`core.ready`)."""
    folder = of.path if isinstance(of, Source) else of.folder
    return of.subgroup is None and tables.moments_kept(folder)


@of_study()
def class_summary(of: Source, metric: str) -> pd.DataFrame:
    if has_patients(of):
        return evidence_tables.class_summary(of.path, metric)
    return ClassSummary(metric)(class_metrics(of), frequencies(of))


@of_study()
def first_forgotten(of: Source, metric: str, corrected: bool) -> FirstForgotten:
    """Which classes drop first, with what was left out."""
    return find_first(class_summary(of, metric), forgettability(of, metric), corrected)


@of_study()
def unstable_classes(of: Source) -> frozenset[str]:
    """The classes that too few patients of the test set have to be judged."""
    patients = facts_of_slice(of).n_positive_patients
    return frozenset(name for name, n in patients.items() if n < FEW_PATIENTS)


@of_study(spinner=PERMUTING)
def correlations(of: Source) -> pd.DataFrame:
    names = list(labels(of).class_names)
    return Correlations()(class_metrics(of), frequencies(of), test_matrix(of), names)


@of_study()
def overall(of: Source) -> pd.DataFrame:
    """The table `overall`: mAP with its intervals over runs and patients; see `has_patients`."""
    return tables.overall(of.path) if has_patients(of) else Overall()(class_metrics(of))


@of_study()
def fcd(of: Source, metric: str) -> tuple[pd.DataFrame, list[str]]:
    """FCD of every pair, and the class names in clustered order."""
    distances = pairs.fcd_matrix(curves(of, metric))
    return distances, pairs.clustered_order(distances)


@of_study()
def pair_statistics(of: Source, metric: str) -> pd.DataFrame:
    """What is known of every pair at once, without an interval."""
    names = list(labels(of).class_names)
    return pair_table(pair_matrices(curves(of, metric), test_matrix(of), names), names)


@of_study(spinner=RESAMPLING)
def class_pairs(of: Source, metric: str) -> pd.DataFrame:
    """`pair_statistics` with what tells two classes apart; of a subgroup without it."""
    if has_patients(of):
        return evidence_tables.class_pairs(of.path, metric)
    return ClassPairs(metric)(class_metrics(of), test_matrix(of), list(labels(of).class_names))


@of_study(spinner=RESAMPLING)
def claims(of: Source) -> pd.DataFrame:
    """The table `claims`, of a study whose patients are known."""
    return evidence_tables.claims(of.path)


def claim(of: Source, name: str) -> pd.Series:
    """The corrected row of one claim."""
    table = claims(of)
    return table[(table["claim"] == name) & (table["reading"] == CORRECTED)].iloc[0]


@of_study(entries=512)
def pair_facts(of: Source, metric: str, pair: tuple[str, str]) -> PairFacts:
    names = list(labels(of).class_names)
    return pairs.pair_facts(fcd(of, metric)[0], test_matrix(of), names, pair)


@of_study(spinner=PERMUTING)
def interaction(of: Source, metric: str) -> pd.DataFrame:
    return Interaction(metric)(class_metrics(of), test_matrix(of), list(labels(of).class_names))
