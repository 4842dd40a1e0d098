"""How well each class is found at its operating point, and how often it is called falsely."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.operating_characteristics import OPERATING_CHARACTERISTICS, REFIXED
from core.charts import Chart
from core.charts.operating import operating_chart
from core.study import progress
from core.ui import nowrap, results, tables, widgets
from core.ui.view import View
from core.wording import operating_sentences, words

MOST = 256  # charts, of 30 KB each
ORDER = (
    *("class_name", "sparsity", "threshold", "sensitivity", "sensitivity_ci_low"),
    *("sensitivity_ci_high", "specificity", "specificity_ci_low", "specificity_ci_high"),
    *("alerts_per_100", "alerts_ci_low", "alerts_ci_high", "n_lost", "n_raised", "n_positive"),
    *("n_positive_patients", "n_negative", "operating_point", "group", "unstable"),
)


def show(view: View) -> None:
    """The chart of a sparsity, what a new threshold would repair, the table and its download; where
    there is nothing to show, why, and what to do."""
    table, sparsity = results.table(view, "operating_characteristics"), view.at
    if table.empty:
        st.info(_why_nothing(view), icon=":material/info:")
        return
    if not operating_sentences.has_sparsity(table, sparsity):
        st.info(operating_sentences.NOT_YET)
        return
    groups, about = view.config.groups, view.about[-1:]
    widgets.draw(_chart(view), "operating_chart", legend=groups, of=view, about=about)
    if again := operating_sentences.refixed_sentence(table, sparsity):
        st.markdown(nowrap(again))
    elif why := _why_not_refixed(view, table, sparsity):
        st.info(why, icon=":material/info:")
    _show_table(table, sparsity)
    widgets.downloads(view, "operating_characteristics")


def make(view: View) -> None:
    """The chart, before a page asks for it."""
    table = results.table(view, "operating_characteristics")
    if not table.empty and operating_sentences.has_sparsity(table, view.at):
        _chart(view)


@results.cached("sparsity", entries=MOST, shared=True)
def _chart(view: View) -> Chart:
    test = view.part.labels.split("test")
    n_patients = int(test["patient_id"].nunique())
    specificity = view.config.operating_point.specificity
    table = results.table(view, "operating_characteristics")
    return operating_chart(table, view.at, specificity, len(test), n_patients)


def _why_nothing(view: View) -> str:
    if view.config.dataset.kind == "imported":
        return operating_sentences.IMPORTED
    if not results.split_sizes(view)["validation"]:
        return operating_sentences.NO_SPLIT
    return operating_sentences.no_points_yet(view.config.study.name)


def _why_not_refixed(view: View, table: pd.DataFrame, sparsity: float) -> str:
    """Why no finding's operating point is fixed again; empty where it is but for No Finding."""
    if operating_sentences.has_sparsity(table, sparsity, REFIXED):
        return ""
    report = progress.read_progress(view.folder)
    if report is not None and words.standing(report) == "running":
        return operating_sentences.REFIXED_NOT_YET
    if view.study.lacks_validation:
        return operating_sentences.lacks_validation(view.config.study.name)
    return operating_sentences.REFIXED_NOT_YET


def _show_table(table: pd.DataFrame, sparsity: float) -> None:
    rows = table[(table["sparsity"] == 0) | ((table["sparsity"] - sparsity).abs() < 1e-6)]
    rows = rows[(rows["sparsity"] > 0) | (rows["threshold"] == "dense")]
    # The classes with most false alarms when pruned first, as in the chart; dense below pruned.
    pruned = rows[(rows["sparsity"] > 0) & (rows["threshold"] == "dense")]
    place = pruned.set_index("class_name")["specificity"]
    rows = rows.assign(place=rows["class_name"].map(place)).sort_values(
        ["place", "class_name", "sparsity"], ascending=[True, True, False], kind="stable"
    )
    tables.show(
        rows,
        OPERATING_CHARACTERISTICS,
        ORDER,
        height="content",
        alt=f"Sensitivity, specificity and alerts, dense and at {words.percent(sparsity)} sparsity",
    )
