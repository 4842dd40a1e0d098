"""How well each class is found at its operating point, and how often it is called in vain."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import results
from core.analysis.operating_characteristics import OPERATING_CHARACTERISTICS, REFIXED
from core.charts import Chart
from core.charts.operating import operating_chart
from core.study import progress
from core.study.paths import percent
from core.ui import OpenStudy, loaders, modified, plain, tables, widgets
from core.ui.cached import Source, of_study, source
from core.wording import image_sentences, operating_sentences, words

MOST = 256  # charts, of 30 KB each
ORDER = (
    *("class_name", "sparsity", "threshold", "sensitivity", "sensitivity_ci_low"),
    *("sensitivity_ci_high", "specificity", "specificity_ci_low", "specificity_ci_high"),
    *("alerts_per_100", "alerts_ci_low", "alerts_ci_high", "n_lost", "n_raised", "n_positive"),
    *("n_positive_patients", "n_negative", "operating_point", "group", "unstable"),
)


def show_operating_characteristics(opened: OpenStudy, sparsity: float) -> None:
    """The chart of a sparsity, what a new threshold would mend, the table and its download; where
    there is nothing to show, why, and what to do."""
    table = characteristics(opened)
    if table.empty:
        st.info(_why_nothing(opened), icon=":material/info:")
        return
    if not operating_sentences.has_sparsity(table, sparsity):
        st.info(operating_sentences.NOT_YET)
        return
    about = (f"sparsity-{percent(sparsity)}",)
    chart = _chart(source(opened), _times(opened), opened.config.operating_point.specificity,
                   sparsity)  # fmt: skip
    widgets.draw(chart, "operating_chart", legend=opened.config.groups, of=opened, about=about)
    if again := operating_sentences.refixed_sentence(table, sparsity):
        st.markdown(plain(again).replace(" %", "\u00a0%"))
    elif why := _why_not_refixed(opened, table, sparsity):
        st.info(why, icon=":material/info:")
    with st.expander(
        "Sensitivity, specificity and alerts as a table", on_change="rerun", key="operating",
        bind="query-params",
    ) as shown:  # fmt: skip
        if shown.open:
            _show_table(table, sparsity)
    widgets.downloads(
        opened,
        "operating_characteristics",
        lambda: characteristics(opened),
    )


def link_to_numbers(opened: OpenStudy, sparsity: float) -> None:
    """To the section of Class AP that says how many are called in vain, with its sentence."""
    said = false_alarms(opened, sparsity)
    if said:
        at = {"study": opened.name, "sparsity": str(percent(sparsity))}
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(said), width="content")
            st.page_link(
                "class_ap.py", label=image_sentences.NUMBERS, query_params=at,
                icon=":material/arrow_forward:",
            )  # fmt: skip


def characteristics(opened: OpenStudy) -> pd.DataFrame:
    """The table `operating_characteristics` of a study, or of the subgroup in view."""
    return _characteristics(source(opened), _times(opened))


def false_alarms(opened: OpenStudy, sparsity: float) -> str:
    """`false_alarms_sentence` of a study; empty where nothing is known of this sparsity."""
    return operating_sentences.false_alarms_sentence(characteristics(opened), sparsity)


def _times(opened: OpenStudy) -> tuple[object, ...]:
    """What tells that a validation prediction, an ensemble or the specificity has changed."""
    paths = [
        *opened.folder.glob("ensemble/*.parquet"),
        *opened.folder.glob("validation/run=*"),  # a folder's time moves with each file in it
    ]
    times = (modified(path) for path in sorted(paths))
    return opened.config.operating_point.specificity, *times


@of_study(spinner="Counting who is found at the operating points …")
def _characteristics(of: Source, times: tuple[object, ...]) -> pd.DataFrame:
    return results.table(of.study, "operating_characteristics", of.subgroup)


@of_study(MOST, shared=True)
def _chart(of: Source, times: tuple[object, ...], specificity: float, sparsity: float) -> Chart:
    test = loaders.labels(of).split("test")
    n_patients = int(test["patient_id"].nunique())
    table = _characteristics(of, times)
    return operating_chart(table, sparsity, specificity, len(test), n_patients)


def _why_nothing(opened: OpenStudy) -> str:
    if opened.config.dataset.kind == "imported":
        return operating_sentences.IMPORTED
    if not loaders.split_sizes(opened)["validation"]:
        return operating_sentences.NO_SPLIT
    return operating_sentences.no_points_yet(opened.config.study.name)


def _why_not_refixed(opened: OpenStudy, table: pd.DataFrame, sparsity: float) -> str:
    """Why no finding's operating point is fixed again; empty where it is but for No Finding."""
    if operating_sentences.has_sparsity(table, sparsity, REFIXED):
        return ""
    report = progress.read_progress(opened.folder)
    if report is not None and words.standing(report) == "running":
        return operating_sentences.REFIXED_NOT_YET
    if opened.study.lacks_validation:
        return operating_sentences.lacks_validation(opened.config.study.name)
    return operating_sentences.REFIXED_NOT_YET


def _show_table(table: pd.DataFrame, sparsity: float) -> None:
    rows = table[(table["sparsity"] == 0) | ((table["sparsity"] - sparsity).abs() < 1e-6)]
    rows = rows[(rows["sparsity"] > 0) | (rows["threshold"] == "dense")]
    tables.show(
        rows,
        OPERATING_CHARACTERISTICS,
        ORDER,
        height=480,
        alt=f"Sensitivity, specificity and alerts, dense and at {words.percent(sparsity)} sparsity",
    )
