"""The figures of the report, drawn as the pages draw them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from core import results
from core.analysis import claims as names
from core.analysis import decay, losses
from core.analysis.chance import chance_levels
from core.analysis.class_changes import PRIMARY
from core.analysis.class_evidence import CHANGE, ONSET
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.correlations import named_row
from core.analysis.metrics import with_somers_d
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
from core.study.labels import Labels, known_split
from core.study.study import Study
from core.wording import claim_sentences, statistic_sentences
from core.wording.published import FIRST_DROP

PREFERRED_SPARSITY = 0.9
Coloured = tuple[Chart, bool]  # whether its colours are those of the groups


def preferred(sparsities: list[float]) -> float:
    return min(sparsities, key=lambda s: abs(s - PREFERRED_SPARSITY))


def charts(
    study: Study,
    metrics: pd.DataFrame,
    safety: pd.DataFrame | None,
    claims: pd.DataFrame | None,
    overall: pd.DataFrame | None,
) -> list[Coloured]:
    """metrics: class metrics; safety: the table `safe_sparsity`, claims: `claims`, and overall:
    `overall`, where they are known."""
    drawn: list[Coloured] = []
    labels = study.labels
    if not metrics.empty:
        drawn.append((_mean_ap(metrics, labels, overall), False))
    if safety is not None:
        drawn.append((_safety(safety, labels), False))
    if claims is not None:
        known = with_somers_d(metrics)
        drawn += [(chart, True) for chart in _losses(study, known)]
        drawn.append((_first_drop(study), True))
        drawn += [(chart, False) for chart in _pairs(study, known, claims)]
    frequencies, groups = study.frequencies, study.config.groups
    n_images = len(labels.split(known_split(frequencies)))
    drawn.append((frequency_chart(frequencies, groups.tail_below, n_images), True))
    return drawn


def _mean_ap(metrics: pd.DataFrame, labels: Labels, overall: pd.DataFrame | None) -> Chart:
    """With the intervals of the table `overall`, where a run has a dense model."""
    if overall is None or overall.empty:
        means = decay.mean_over_classes(metrics)
        table = decay.band_over_runs(means, "mean_ap", ["sparsity"])
    else:
        names = {"mean_ap": "median", "ci_low": "lower", "ci_high": "upper"}
        table = overall.rename(columns=names)
    return mean_ap_chart(table, *decay.defined_classes(metrics), len(labels.split("test")))


def _safety(table: pd.DataFrame, labels: Labels) -> Chart:
    test = labels.split("test")
    n_patients = test["patient_id"].nunique()
    return safety_chart(table, safe_answers(table)[ALL], SafeSparsity(), len(test), n_patients)


def _losses(study: Study, metrics: pd.DataFrame) -> list[Chart]:
    """Curves and changes of Somers' D with intervals over runs and patients and the trends over
    frequency (corrected), and losses of AP with quartiles over runs (paper)."""
    frequencies, labels, n_test = study.frequencies, study.labels, len(study.test)
    sparsity = preferred(decay.pruned_sparsities(metrics))

    def lost(metric: str) -> pd.DataFrame:
        curves = decay.ForgettabilityCurves(metric)(metrics)
        chance = chance_levels(labels, metric)
        return losses.Losses(metric, sparsity)(curves, metrics, frequencies, chance)

    table = results.table(study, "forgettability", metric=PRIMARY)
    summary = results.table(study, "class_summary", metric=PRIMARY)
    columns = {"mean_change": "median", "ci_low": "lower", "ci_high": "upper"}
    rows = losses.with_intervals(lost(PRIMARY), table, sparsity)
    curves = class_curves_chart(
        table.rename(columns=columns),
        rows,
        losses.most_lost(rows),
        chance_levels(labels, PRIMARY),
        PRIMARY,
        True,
        sparsity,
    )
    changes = losses.changes_at(table, summary, sparsity)
    return [
        curves,
        changes_chart(changes, PRIMARY, sparsity, n_test),
        *_forests(study, table, summary),
        _by_paper(losses_chart(lost("ap"), "ap", sparsity, n_test)),
    ]


def _forests(study: Study, table: pd.DataFrame, summary: pd.DataFrame) -> Iterator[Chart]:
    """Each class's own value beside the trend over frequency, of those that could be fitted."""
    trends = results.table(study, "trends").set_index("name")
    effects = results.table(study, "class_effects")
    bounds = {"onset_ci_low": "lower", "onset_ci_high": "upper"}
    own = {
        ONSET: summary.rename(columns=bounds),
        CHANGE: losses.changes_at(table, summary, EXTREME_SPARSITY),
    }
    for claim, (name, axis) in FORESTS.items():
        rows = effects[effects["name"] == name]
        rows = rows.merge(own[name][["class_name", "group", "lower", "upper"]], on="class_name")
        if len(rows):
            title = claim_sentences.trend_title(claim, trends.loc[name])
            yield forest_chart(rows, axis, title, claim_sentences.trend_caption(trends.loc[name]))


def _first_drop(study: Study) -> Chart:
    """The paper's grid points of AP against frequency."""
    row = named_row(results.table(study, "correlations"), FIRST_DROP)
    told = statistic_sentences.classes_told(row, "ap", statistic_sentences.DROP_FIRST)
    summary = results.table(study, "class_summary", over_patients=False)
    return _by_paper(first_drop_scatter(summary, *told))


def _by_paper(chart: Chart) -> Chart:
    return replace(chart, title=f"By the paper: {chart.title}")


def _pairs(study: Study, metrics: pd.DataFrame, claims: pd.DataFrame) -> list[Chart]:
    """FCD without noise, and what goes with it (corrected)."""
    table = results.table(study, "class_pairs", metric=PRIMARY)
    order = list(study.frequencies["class_name"])
    if len(order) < 2:
        return []
    corrected = claims[claims["reading"] == names.CORRECTED].set_index("claim")
    n_runs, n_grid = decay.n_runs(metrics), len(decay.pruned_sparsities(metrics))
    return [
        evidence_heatmap(table, order, n_runs, n_grid),
        frequency_and_distance(table, corrected.loc[names.FREQUENCY]),
        cooccurrence_and_distance(table, corrected.loc[names.TOGETHER]),
    ]
