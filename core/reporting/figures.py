"""A study's figures by name, drawn as the pages draw them: for the report and for notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from core import results
from core.analysis import claims as names
from core.analysis import decay, losses
from core.analysis.chance import chance_levels
from core.analysis.class_changes import PRIMARY
from core.analysis.class_evidence import effects_of
from core.analysis.correlations import named_row
from core.analysis.metrics import METRICS
from core.analysis.safe_sparsity import ALL, SafeSparsity, safe_answers
from core.charts import Chart
from core.charts.classes import changes_chart, frequency_chart, losses_chart
from core.charts.curves import class_curves_chart, mean_ap_chart
from core.charts.forest import FORESTS, forest_chart
from core.charts.pairs import evidence_heatmap
from core.charts.safety import safety_chart
from core.charts.scatter import (
    cooccurrence_and_distance,
    first_drop_scatter,
    frequency_and_distance,
)
from core.errors import InputError
from core.results import safe
from core.study.study import Study
from core.wording import claim_sentences, statistic_sentences
from core.wording.published import FIRST_DROP

PREFERRED_SPARSITY = 0.9


@dataclass(frozen=True)
class Figure:
    """How a figure is drawn, and which options it takes beside the study. in_groups: its colours
    are those of head, medium and tail."""

    draw: Callable[..., Chart]
    in_groups: bool = False
    options: tuple[str, ...] = ()


def preferred(sparsities: list[float]) -> float:
    """The one closest to PREFERRED_SPARSITY."""
    return min(sparsities, key=lambda s: abs(s - PREFERRED_SPARSITY))


def mean_ap(study: Study, over_patients: bool = True) -> Chart:
    """mAP over sparsity, with the intervals of `overall` where a run has a dense model."""
    metrics = study.class_metrics
    overall = results.table(study, "overall", over_patients=over_patients)
    if overall.empty:
        means = decay.mean_over_classes(metrics)
        table = decay.band_over_runs(means, "mean_ap", ["sparsity"])
    else:
        table = losses.banded(overall, "mean_ap")
    return mean_ap_chart(table, *decay.defined_classes(metrics), len(study.test))


def safe_sparsity(study: Study, metric: str = PRIMARY) -> Chart:
    """Up to which sparsity no class is worse, by ranking and by decisions."""
    settings = SafeSparsity(metric)
    table = safe.safe_sparsity(study, settings)
    n_patients = study.test.rows["patient_id"].nunique()
    answers = safe_answers(table)
    if not answers:
        raise InputError(f"{study.name} has no {metric} in both a dense and a pruned model.")
    return safety_chart(table, answers[ALL], settings, len(study.test), n_patients)


def class_ap(study: Study, metric: str = PRIMARY, sparsity: float | None = None) -> Chart:
    """Every class's change over sparsity, over runs and patients; the most lost are named."""
    table = results.table(study, "forgettability", metric=metric)
    sparsity = _sparsity(study, sparsity)
    rows = losses.with_intervals(_lost(study, metric, sparsity), table, sparsity)
    return class_curves_chart(
        losses.banded(table, "mean_change"),
        rows,
        losses.most_lost(rows),
        chance_levels(study.labels, metric),
        metric,
        True,
        sparsity,
    )


def class_changes(study: Study, metric: str = PRIMARY, sparsity: float | None = None) -> Chart:
    """What each class has lost at one sparsity, with its interval over runs and patients."""
    sparsity = _sparsity(study, sparsity)
    return changes_chart(changes_at(study, metric, sparsity), metric, sparsity, len(study.test))


def class_losses(study: Study, metric: str = "ap", sparsity: float | None = None) -> Chart:
    """The same with quartiles over runs, as the paper has it."""
    sparsity = _sparsity(study, sparsity)
    chart = losses_chart(_lost(study, metric, sparsity), metric, sparsity, len(study.test))
    return _by_paper(chart)


def trend(study: Study, claim: str) -> Chart:
    """Each class's own value beside the trend over frequency of a claim of FORESTS.

    Raises InputError where none could be fitted.
    """
    name, axis = FORESTS[claim]
    own = (results.table(study, one, metric=PRIMARY) for one in ("class_summary", "forgettability"))
    rows = effects_of(name, results.table(study, "class_effects"), *own)
    if rows.empty:
        raise InputError(f"No trend of {axis} over frequency could be fitted for {study.name}.")
    fitted = results.table(study, "trends").set_index("name").loc[name]
    title = claim_sentences.trend_title(claim, fitted)
    return forest_chart(rows, axis, title, claim_sentences.trend_caption(fitted))


def first_drop(study: Study) -> Chart:
    """The paper's grid points of AP against frequency."""
    row = named_row(results.table(study, "correlations"), FIRST_DROP)
    title = statistic_sentences.classes_told(row, "ap", statistic_sentences.DROP_FIRST)
    summary = results.table(study, "class_summary", over_patients=False)
    return _by_paper(first_drop_scatter(summary, *title))


def pair_distances(study: Study) -> Chart:
    """FCD of every pair without noise."""
    table, order = _pairs(study), list(study.frequencies["class_name"])
    metrics = study.class_metrics
    n_grid = len(decay.pruned_sparsities(metrics))
    return evidence_heatmap(table, order, decay.n_runs(metrics), n_grid)


def distance_and_frequency(study: Study) -> Chart:
    """FCD of every pair against how far apart the two classes are in frequency."""
    return frequency_and_distance(_pairs(study), _corrected(study, names.FREQUENCY))


def distance_and_cooccurrence(study: Study) -> Chart:
    """FCD of every pair against how often the two classes occur together."""
    return cooccurrence_and_distance(_pairs(study), _corrected(study, names.TOGETHER))


def class_frequencies(study: Study) -> Chart:
    """How many images carry each class."""
    tail_below = study.config.groups.tail_below
    return frequency_chart(study.frequencies, tail_below, study.n_of_frequencies)


FIGURES = {
    "mean_ap": Figure(mean_ap, options=("over_patients",)),
    "safe_sparsity": Figure(safe_sparsity, options=("metric",)),
    "class_ap": Figure(class_ap, True, ("metric", "sparsity")),
    "class_changes": Figure(class_changes, True, ("metric", "sparsity")),
    **{
        f"trend_of_{name}": Figure(lambda study, claim=claim: trend(study, claim), in_groups=True)
        for claim, (name, _) in FORESTS.items()
    },
    "class_losses": Figure(class_losses, True, ("metric", "sparsity")),
    "first_drop": Figure(first_drop, in_groups=True),
    "pair_distances": Figure(pair_distances),
    "distance_and_frequency": Figure(distance_and_frequency),
    "distance_and_cooccurrence": Figure(distance_and_cooccurrence),
    "class_frequencies": Figure(class_frequencies, in_groups=True),
}


def figure(study: Study, name: str, **options: object) -> Chart:
    """A figure of FIGURES. Raises InputError that lists them, or says what the study lacks."""
    if name not in FIGURES:
        raise InputError(f"There is no figure {name!r}. Figures: {', '.join(FIGURES)}.")
    for option in options:
        if option not in FIGURES[name].options:
            allowed = ", ".join(FIGURES[name].options) or "none"
            raise InputError(f"The figure {name} takes no {option}. Options: {allowed}.")
    if options.get("metric", METRICS[0]) not in METRICS:
        raise InputError(
            f"There is no metric {options['metric']!r}. Metrics: {', '.join(METRICS)}."
        )
    return FIGURES[name].draw(study, **options)


def _sparsity(study: Study, asked: float | None) -> float:
    pruned = decay.pruned_sparsities(study.class_metrics)
    if not pruned:
        raise InputError(f"{study.name} has no pruned model yet.")
    if asked is not None and asked not in pruned:
        grid = ", ".join(f"{value:g}" for value in pruned)
        raise InputError(f"{study.name} has no sparsity {asked:g}. Finished: {grid}.")
    return preferred(pruned) if asked is None else asked


def _lost(study: Study, metric: str, sparsity: float) -> pd.DataFrame:
    metrics = results.table(study, "class_metrics")
    curves = decay.ForgettabilityCurves(metric)(metrics)
    chance = chance_levels(study.labels, metric)
    return losses.Losses(metric, sparsity)(curves, metrics, study.frequencies, chance)


def changes_at(study: Study, metric: str, sparsity: float) -> pd.DataFrame:
    """`losses.changes_at` of a study: what each class has lost at one sparsity."""
    table = results.table(study, "forgettability", metric=metric)
    summary = results.table(study, "class_summary", metric=metric)
    return losses.changes_at(table, summary, sparsity)


def _by_paper(chart: Chart) -> Chart:
    return replace(chart, title=f"By the paper: {chart.title}")


def _pairs(study: Study) -> pd.DataFrame:
    if len(study.labels.class_names) < 2:
        raise InputError(f"{study.name} has one class, and so no pairs.")
    return results.table(study, "class_pairs", metric=PRIMARY)


def _corrected(study: Study, claim: str) -> pd.Series:
    claims = results.table(study, "claims")
    return claims[claims["reading"] == names.CORRECTED].set_index("claim").loc[claim]
