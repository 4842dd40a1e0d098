"""The charts of Forgettability, drawn once for all sessions.

Plotly takes ten times as long to draw a chart as to send it. A chart is kept as its tables are:
under the study's files, the subgroup, and what the person chose.
"""

from __future__ import annotations

import pandas as pd

from core.analysis import claims, decay, pairs
from core.analysis.claims import CORRECTED
from core.analysis.class_pairs import pair_matrices, pair_row, pair_table
from core.analysis.correlations import named_row
from core.charts import Chart
from core.charts.curves import pair_curves_chart
from core.charts.pairs import (
    evidence_heatmap,
    fcd_heatmap,
    frequency_heatmap,
    iou_heatmap,
    matrix_of,
)
from core.charts.scatter import (
    IOU,
    cooccurrence_and_distance,
    frequency_and_distance,
    pair_scatter,
)
from core.ui.curves import MOST, bands, curves
from core.ui.results import (
    cached,
    class_metrics,
    groups_of_classes,
    split_sizes,
    table,
    unstable_classes,
)
from core.ui.view import View
from core.wording import pair_sentences, statistic_sentences, words
from core.wording.published import Figures

LOG_FREQUENCY = "Difference of log frequency"


@cached("metric")
def distances(view: View) -> tuple[pd.DataFrame, list[str]]:
    """FCD of every pair, and the class names in clustered order."""
    found = pairs.fcd_matrix(curves(view))
    return found, pairs.clustered_order(found)


@cached("metric")
def pair_statistics(view: View) -> pd.DataFrame:
    """What is known of every pair at once, without an interval."""
    names = view.part.class_names
    return pair_table(pair_matrices(curves(view), view.part.truth, names), names)


@cached("metric", "corrected", entries=MOST, shared=True)
def fcd(view: View, order: tuple[str, ...]) -> Chart:
    """How differently every two classes are forgotten."""
    metrics = class_metrics(view)
    n_runs, n_grid = decay.n_runs(metrics), len(decay.pruned_sparsities(metrics))
    if view.corrected and view.over_patients:
        return evidence_heatmap(table(view, "class_pairs"), list(order), n_runs, n_grid)
    values = _matrix(view, "fcd_rms" if view.corrected else "fcd")
    unstable = unstable_classes(view)
    return fcd_heatmap(values, list(order), n_runs, n_grid, view.corrected, unstable)


@cached("metric", "corrected", entries=MOST, shared=True)
def cooccurrence(view: View, order: tuple[str, ...]) -> Chart:
    """How often every two classes occur together."""
    values = _matrix(view, f"cooccurrence_iou{'' if view.corrected else '_paper'}")
    n_test, unstable = split_sizes(view)["test"], unstable_classes(view)
    return iou_heatmap(values, list(order), n_test, view.corrected, unstable)


@cached("metric", "corrected", entries=MOST, shared=True)
def frequency(view: View, order: tuple[str, ...]) -> Chart:
    """How differently frequent every two classes are."""
    column = f"log_frequency_difference{'' if view.corrected else '_paper'}"
    values = _matrix(view, column)
    n_test, unstable = split_sizes(view)["test"], unstable_classes(view)
    return frequency_heatmap(values, list(order), n_test, view.corrected, unstable)


def _matrix(view: View, column: str) -> pd.DataFrame:
    names = list(table(view, "class_frequencies")["class_name"])
    return matrix_of(pair_statistics(view), column, names)


@cached("metric", "corrected", entries=MOST, shared=True)
def two_curves(view: View, pair: tuple[str, str]) -> Chart:
    """The forgettability curves of two classes."""
    first, second = pair
    if view.corrected and view.over_patients:
        row = pair_row(table(view, "class_pairs"), pair)
        title = pair_sentences.pair_title(first, second, row)
    else:
        row = pair_row(pair_statistics(view), pair)
        distance = words.number(float(row["fcd_rms" if view.corrected else "fcd"]))
        title = f"{first} and {second}: FCD{', RMS' if view.corrected else ''} {distance}"
    return pair_curves_chart(bands(view), groups_of_classes(view), pair, title, view.metric)


@cached("metric", "corrected", entries=MOST, shared=True)
def pairs_against_frequency(view: View, beside: Figures | None) -> Chart:
    """Every pair against its difference of frequency: the debiased squared FCD of judged pairs with
    the verdict of the claim, or the paper's FCD with its correlation."""
    if view.corrected:
        row = _claim(view, claims.FREQUENCY)
        return frequency_and_distance(table(view, "class_pairs"), row)
    name = "log_frequency_difference_paper"
    x = pair_statistics(view)[name]
    return _by_paper(view, name, x, LOG_FREQUENCY, statistic_sentences.FREQUENCY, beside)


@cached("metric", "corrected", entries=MOST, shared=True)
def pairs_against_cooccurrence(view: View, beside: Figures | None) -> Chart:
    """The same against IoU^(1/4); corrected without a verdict."""
    if view.corrected:
        row = _claim(view, claims.TOGETHER)
        return cooccurrence_and_distance(table(view, "class_pairs"), row)
    name = "cooccurrence_iou_paper"
    x = pair_statistics(view)[name] ** 0.25
    return _by_paper(view, f"{name}_fourth_root", x, IOU, statistic_sentences.TOGETHER, beside)


def _claim(view: View, name: str) -> pd.Series:
    """The corrected row of one claim."""
    known = table(view, "claims")
    return known[(known["claim"] == name) & (known["reading"] == CORRECTED)].iloc[0]


def _by_paper(
    view: View,
    name: str,
    x: pd.Series,
    x_title: str,
    said: tuple[str, str],
    beside: Figures | None,
) -> Chart:
    row = named_row(table(view, "correlations"), f"fcd~{name}", view.metric)
    title, caption = statistic_sentences.pairs_told(row, said, beside)
    known = pair_statistics(view)
    return pair_scatter(known, x, known["fcd"], (x_title, "FCD"), title, caption)
