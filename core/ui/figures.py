"""The charts of Class AP and Forgettability, drawn once for all sessions.

Plotly takes ten times as long to draw a chart as to send it. A chart is kept as its tables are:
under the study's files, the subgroup, and what the person chose.
"""

from __future__ import annotations

import pandas as pd

from core.analysis import claims, decay
from core.analysis.class_pairs import pair_row
from core.analysis.correlations import named_row
from core.analysis.losses import most_lost, with_intervals
from core.charts import Chart
from core.charts.classes import changes_chart, losses_chart
from core.charts.curves import class_curves_chart, mean_ap_chart, pair_curves_chart
from core.charts.forest import FORESTS, forest_chart
from core.charts.pairs import (
    evidence_heatmap,
    fcd_heatmap,
    frequency_heatmap,
    iou_heatmap,
    matrix_of,
)
from core.charts.scatter import (
    IOU,
    change_scatter,
    cooccurrence_and_distance,
    first_drop_scatter,
    frequency_and_distance,
    pair_scatter,
)
from core.ui import loaders, statistics
from core.ui.cached import Source, of_study
from core.wording import claim_sentences, pair_sentences, statistic_sentences, words
from core.wording.published import EXTREME, FIRST_DROP, Figures

MOST = 512  # charts of one kind; each takes 10 to 100 KB
LOG_FREQUENCY = "Difference of log frequency"


@of_study(MOST, shared=True)
def curves(
    of: Source,
    metric: str,
    relative: bool,
    corrected: bool,
    sparsity: float | None,
    picked: tuple[str, ...],
) -> Chart:
    """Every class over sparsity; `picked` are named, or else those that lost most."""
    with_ci = corrected and relative
    table = (
        statistics.curves_with_intervals(of, metric)
        if with_ci
        else loaders.class_curves(of, metric, relative)
    )
    last = float(loaders.class_metrics(of)["sparsity"].max())
    at = last if sparsity is None else sparsity
    lost = _losses(of, metric, with_ci, at)
    return class_curves_chart(
        table,
        lost,
        list(picked) or most_lost(lost),
        loaders.chance_levels(of, metric),
        metric,
        relative,
        sparsity,
    )


@of_study(MOST, shared=True)
def losses(of: Source, metric: str, corrected: bool, sparsity: float) -> Chart:
    """What each class has lost at one sparsity."""
    table = _losses(of, metric, corrected, sparsity)
    return losses_chart(table, metric, sparsity, loaders.split_sizes(of)["test"])


def _losses(of: Source, metric: str, corrected: bool, sparsity: float) -> pd.DataFrame:
    """Medians over runs, or means with their intervals."""
    table = loaders.class_losses(of, metric, sparsity)
    if not corrected:
        return table
    return with_intervals(table, statistics.forgettability(of, metric), sparsity)


@of_study(shared=True)
def mean_ap(of: Source) -> Chart:
    """mAP over sparsity with its interval: the numbers of the table `overall`."""
    names = {"mean_ap": "median", "ci_low": "lower", "ci_high": "upper"}
    table = statistics.overall(of).rename(columns=names)
    if table.empty:  # no run has a dense model
        table = loaders.mean_ap_band(of)
    n_classes, n_undefined = decay.defined_classes(loaders.class_metrics(of))
    return mean_ap_chart(table, n_classes, n_undefined, loaders.split_sizes(of)["test"])


@of_study(MOST, shared=True)
def changes(of: Source, metric: str, sparsity: float) -> Chart:
    """The change of every class at one sparsity, with its interval."""
    table = statistics.changes_at(of, metric, sparsity)
    return changes_chart(table, metric, sparsity, loaders.split_sizes(of)["test"])


@of_study(shared=True)
def forest(of: Source, claim: str) -> Chart:
    """Every class's own change at 95 %, or its onset, beside the trend over frequency."""
    name, axis = FORESTS[claim]
    row, table = statistics.trends(of).loc[name], statistics.class_effects(of, name)
    title, caption = claim_sentences.trend_title(claim, row), claim_sentences.trend_caption(row)
    return forest_chart(table, axis, title, caption)


@of_study(MOST, shared=True)
def first_drop(of: Source, metric: str, published: Figures | None) -> Chart:
    """By the paper: first drop of every class against its frequency."""
    title, caption = _said(of, FIRST_DROP, metric, statistic_sentences.DROP_FIRST, published)
    return first_drop_scatter(statistics.class_summary(of, metric), title, caption)


@of_study(MOST, shared=True)
def extreme_change(of: Source, metric: str, published: Figures | None) -> Chart:
    """By the paper: change at 95 % sparsity of every class against its frequency."""
    title, caption = _said(of, EXTREME, metric, statistic_sentences.LOSE_MORE, published)
    return change_scatter(statistics.class_summary(of, metric), metric, title, caption)


def _said(
    of: Source, correlation: str, metric: str, said: tuple[str, str], published: Figures | None
) -> tuple[str, str]:
    """Title and caption: what a correlation says."""
    row = named_row(statistics.correlations(of), correlation, metric)
    return statistic_sentences.classes_told(row, metric, said, published)


@of_study(MOST, shared=True)
def fcd(of: Source, metric: str, corrected: bool, order: tuple[str, ...]) -> Chart:
    """How differently every two classes are forgotten."""
    metrics = loaders.class_metrics(of)
    n_runs, n_grid = decay.n_runs(metrics), len(decay.pruned_sparsities(metrics))
    if corrected and statistics.has_patients(of):
        return evidence_heatmap(statistics.class_pairs(of, metric), list(order), n_runs, n_grid)
    values = _matrix(of, metric, "fcd_rms" if corrected else "fcd")
    unstable = statistics.unstable_classes(of)
    return fcd_heatmap(values, list(order), n_runs, n_grid, corrected, unstable)


@of_study(MOST, shared=True)
def cooccurrence(of: Source, metric: str, corrected: bool, order: tuple[str, ...]) -> Chart:
    """How often every two classes occur together."""
    values = _matrix(of, metric, f"cooccurrence_iou{'' if corrected else '_paper'}")
    n_test, unstable = loaders.split_sizes(of)["test"], statistics.unstable_classes(of)
    return iou_heatmap(values, list(order), n_test, corrected, unstable)


@of_study(MOST, shared=True)
def frequency(of: Source, metric: str, corrected: bool, order: tuple[str, ...]) -> Chart:
    """How differently frequent every two classes are."""
    column = f"log_frequency_difference{'' if corrected else '_paper'}"
    values = _matrix(of, metric, column)
    n_test, unstable = loaders.split_sizes(of)["test"], statistics.unstable_classes(of)
    return frequency_heatmap(values, list(order), n_test, corrected, unstable)


def _matrix(of: Source, metric: str, column: str) -> pd.DataFrame:
    table = statistics.pair_statistics(of, metric)
    return matrix_of(table, column, list(loaders.frequencies(of)["class_name"]))


@of_study(MOST, shared=True)
def two_curves(of: Source, metric: str, corrected: bool, pair: tuple[str, str]) -> Chart:
    """The forgettability curves of two classes."""
    table = (
        statistics.curves_with_intervals(of, metric)
        if corrected
        else loaders.class_curves(of, metric, True)
    )
    first, second = pair
    if corrected and statistics.has_patients(of):
        row = pair_row(statistics.class_pairs(of, metric), pair)
        title = pair_sentences.pair_title(first, second, row)
    else:
        row = pair_row(statistics.pair_statistics(of, metric), pair)
        distance = words.number(float(row["fcd_rms" if corrected else "fcd"]))
        title = f"{first} and {second}: FCD{', RMS' if corrected else ''} {distance}"
    return pair_curves_chart(table, loaders.groups_of_classes(of), pair, title, metric)


@of_study(MOST, shared=True)
def pairs_against_frequency(
    of: Source, metric: str, corrected: bool, published: Figures | None
) -> Chart:
    """Every pair against its difference of frequency: the debiased squared FCD of judged pairs with
    the verdict of the claim, or the paper's FCD with its correlation."""
    if corrected:
        row = statistics.claim(of, claims.FREQUENCY)
        return frequency_and_distance(statistics.class_pairs(of, metric), row)
    name = "log_frequency_difference_paper"
    table = statistics.pair_statistics(of, metric)
    return _by_paper(
        of, metric, name, table[name], LOG_FREQUENCY, statistic_sentences.FREQUENCY, published
    )


@of_study(MOST, shared=True)
def pairs_against_cooccurrence(
    of: Source, metric: str, corrected: bool, published: Figures | None
) -> Chart:
    """The same against IoU^(1/4); corrected without a verdict."""
    if corrected:
        row = statistics.claim(of, claims.TOGETHER)
        return cooccurrence_and_distance(statistics.class_pairs(of, metric), row)
    name = "cooccurrence_iou_paper"
    x = statistics.pair_statistics(of, metric)[name] ** 0.25
    named = f"{name}_fourth_root"
    return _by_paper(of, metric, named, x, IOU, statistic_sentences.TOGETHER, published)


def _by_paper(
    of: Source,
    metric: str,
    name: str,
    x: pd.Series,
    x_title: str,
    said: tuple[str, str],
    published: Figures | None,
) -> Chart:
    row = named_row(statistics.correlations(of), f"fcd~{name}", metric)
    title, caption = statistic_sentences.pairs_told(row, said, published)
    table = statistics.pair_statistics(of, metric)
    return pair_scatter(table, x, table["fcd"], (x_title, "FCD"), title, caption)
