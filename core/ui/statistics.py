"""The paper's statistics for the pages, exact and corrected, of the subgroup in view, if any."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core import results
from core.analysis import decay, losses, pairs
from core.analysis import first_forgotten as first
from core.analysis.claims import CORRECTED
from core.analysis.class_changes import PRIMARY
from core.analysis.class_evidence import ONSET
from core.analysis.class_pairs import pair_matrices, pair_table
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.pairs import PairFacts
from core.results.moments import moments
from core.study import paths
from core.study.labels import FEW_PATIENTS
from core.ui import OpenStudy, modified
from core.ui.cached import Source, of_study
from core.ui.loaders import class_metrics, curves, facts_of_slice, labels, test_matrix

RESAMPLING = "Resampling runs for the intervals …"
PERMUTING = "Permuting classes for the p-values …"


@of_study(spinner=RESAMPLING)
def forgettability(of: Source, metric: str) -> pd.DataFrame:
    """The curves with their 95 % intervals over runs and patients; of a subgroup over runs."""
    return _table(of, "forgettability", metric=metric)


@of_study()
def curves_with_intervals(of: Source, metric: str) -> pd.DataFrame:
    """`forgettability` with the columns of `loaders.class_curves`: median, lower, upper."""
    names = {"mean_change": "median", "ci_low": "lower", "ci_high": "upper"}
    return forgettability(of, metric).rename(columns=names)


def has_patients(of: OpenStudy | Source) -> bool:
    """Whether it is known what other patients would change: not in a subgroup, whose predictions
    are not read again, nor before all predictions of the study have been read once
    (`core.results.preparation`)."""
    return of.subgroup is None and moments.is_there(of.study)


def _table(of: Source, name: str, **options: Any) -> pd.DataFrame:
    """`results.table`, over patients where these are known; see `has_patients`."""
    return results.table(of.study, name, of.subgroup, over_patients=has_patients(of), **options)


@of_study()
def class_summary(of: Source, metric: str) -> pd.DataFrame:
    return _table(of, "class_summary", metric=metric)


@of_study()
def first_forgotten(of: Source) -> first.FirstForgotten:
    """Which classes are forgotten first, and how sure that is; see `has_patients`."""
    metrics = class_metrics(of)
    last = max(decay.pruned_sparsities(metrics))
    return first.first_forgotten(class_summary(of, PRIMARY), decay.complete_runs(metrics), last)


@of_study()
def first_drops(of: Source, metric: str, corrected: bool) -> first.FirstDrops:
    """Which classes drop first, as observed."""
    return first.first_drops(class_summary(of, metric), corrected)


@of_study(entries=256)
def changes_at(of: Source, metric: str, sparsity: float) -> pd.DataFrame:
    """`losses.CHANGES` of every class at one sparsity."""
    return losses.changes_at(forgettability(of, metric), class_summary(of, metric), sparsity)


def claims(opened: OpenStudy) -> pd.DataFrame:
    """The paper's claims; of a study with `has_patients`."""
    return _claims(opened, modified(paths.evidence_path(opened.folder, "claims")))


@of_study()
def _claims(of: Source, time: int) -> pd.DataFrame:
    """`time`: measuring the images' quality, when somebody asks for it, changes the claims."""
    return _table(of, "claims")


@of_study()
def trends(of: Source) -> pd.DataFrame:
    """The trends over classes, by name; of a study with `has_patients`."""
    return _table(of, "trends").set_index("name")


@of_study()
def class_effects(of: Source, name: str) -> pd.DataFrame:
    """What each class adds to one of the trends, with its group and its own interval (lower,
    upper); of a study with `has_patients`."""
    table = _table(of, "class_effects")
    table = table[table["name"] == name].drop(columns="name")
    summary = class_summary(of, PRIMARY)
    if name == ONSET:
        bounds = {"onset_ci_low": "lower", "onset_ci_high": "upper"}
        own = summary.rename(columns=bounds)[["class_name", "group", *bounds.values()]]
    else:
        own = changes_at(of, PRIMARY, EXTREME_SPARSITY)[["class_name", "group", "lower", "upper"]]
    return table.merge(own, on="class_name")


@of_study()
def unstable_classes(of: Source) -> frozenset[str]:
    """The classes that too few patients of the test set have to be judged."""
    patients = facts_of_slice(of).n_positive_patients
    return frozenset(name for name, n in patients.items() if n < FEW_PATIENTS)


@of_study(spinner=PERMUTING)
def correlations(of: Source) -> pd.DataFrame:
    return _table(of, "correlations")


@of_study()
def overall(of: Source) -> pd.DataFrame:
    """The table `overall`: mAP with its intervals over runs and patients; see `has_patients`."""
    return _table(of, "overall")


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
    return _table(of, "class_pairs", metric=metric)


def claim(of: Source, name: str) -> pd.Series:
    """The corrected row of one claim."""
    table = _claims(of, modified(paths.evidence_path(of.study.folder, "claims")))
    return table[(table["claim"] == name) & (table["reading"] == CORRECTED)].iloc[0]


@of_study(entries=512)
def pair_facts(of: Source, metric: str, pair: tuple[str, str]) -> PairFacts:
    names = list(labels(of).class_names)
    return pairs.pair_facts(fcd(of, metric)[0], test_matrix(of), names, pair)


@of_study(spinner=PERMUTING)
def interaction(of: Source, metric: str) -> pd.DataFrame:
    return _table(of, "interaction", metric=metric)
