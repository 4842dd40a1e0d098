"""Up to which sparsity every class is as good as dense: sentences, chart and table."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis.safe_operation import BY_BOTH, OperatingAnswer, operating_answers
from core.analysis.safe_sparsity import ALL, SafeAnswer, SafeSparsity, safe_answers
from core.charts import Chart
from core.charts.safety import safety_chart
from core.errors import InputError
from core.results.moments import moments
from core.results.operating import operating_characteristics
from core.results.safe import safe_operation, safe_sparsity
from core.ui import filters, nowrap, plain, results, tables, widgets
from core.ui.safe_sparsity.settings import tag
from core.ui.view import View
from core.wording import safety_sentences, terms
from core.wording.dense_sentences import nothing_pruned

SHOWN = (
    *("class_name", "group", "n_positive_patients", "sparsity", "dense", "pruned"),
    *("relative_change", "ci_low", "ci_high", "smallest_margin", "verdict", "operating_verdict"),
    *("sensitivity_change", "specificity_change", "operating_threshold", "reason"),
)


@dataclass(frozen=True)
class Verdicts:
    """The table `safe_sparsity`, the answers per scope and per threshold, and the chart."""

    table: pd.DataFrame
    answers: dict[str, SafeAnswer]
    by_decisions: dict[str, OperatingAnswer]
    chart: Chart


def verdicts(view: View, settings: SafeSparsity) -> Verdicts | None:
    """What is safe; the first time every prediction is read, and the page shows how far it is.

    None where no class has the metric in both a dense and a pruned model; explains and ends the
    page where there is nothing to compare at all.
    """
    _compare(view)
    return _verdicts(view, settings)


def _compare(view: View) -> None:
    place = st.empty()

    def advance(done: int, total: int) -> None:
        place.progress(done / total, text=f"Comparing with dense: {done:,} of {total:,} cells")

    if not moments.is_there(view.study):
        try:
            moments(view.study, advance=advance)
        except InputError:
            needs = "This needs a finished run with the dense model and one sparsity above 0."
            st.info(nothing_pruned(view.config, needs))
            st.stop()
    place.empty()
    if not operating_characteristics.is_there(view.study):
        with st.spinner("Working out sensitivity and specificity at every sparsity \u2026"):
            operating_characteristics(view.study)


@results.cached(shared=True)
def _verdicts(view: View, settings: SafeSparsity) -> Verdicts | None:
    table = safe_sparsity(view.study, settings)
    answers = safe_answers(table)
    if not answers:
        return None
    test = view.study.test
    n_patients = int(test.rows["patient_id"].nunique())
    chart = safety_chart(table, answers[ALL], settings, len(test), n_patients)
    decided = operating_answers(safe_operation(view.study, settings))
    return Verdicts(table, answers, decided, chart)


def show_answer(view: View, found: Verdicts, settings: SafeSparsity) -> None:
    """The verdict, what it rests on, and the chart beside it."""
    answer, about = found.answers[ALL], (settings.metric, tag(settings))
    with st.container(key="answer"):
        st.markdown(
            f"## {nowrap(safety_sentences.safe_headline(answer, settings))}",
            help=plain(f"{terms.TERMS['safe sparsity']} {safety_sentences.OTHER_FIRST}"),
        )
        sentences, figure = st.columns([2, 3], gap="medium")
        with figure:
            widgets.draw(found.chart, key="safety_chart", level=3, of=view, about=about)
        with sentences:
            st.markdown(nowrap(safety_sentences.safe_details(answer, settings)))
            meaning = plain(safety_sentences.DECISIONS_ARE) if found.by_decisions else None
            for sentence in safety_sentences.by_decisions(found.by_decisions):
                st.markdown(nowrap(sentence), help=meaning)
            unknown = results.patients_caveat(view)
            for caveat in safety_sentences.safe_caveats(answer, settings, unknown):
                st.caption(nowrap(caveat))
            filters.say_all_images()
            st.caption(safety_sentences.NOT_A_LICENCE)


def show_more(view: View, found: Verdicts, settings: SafeSparsity) -> None:
    """The same by group of classes, and every verdict with its numbers."""
    widgets.fold("By group of classes", "groups", lambda: _show_groups(found, settings))
    widgets.fold("Every verdict as a table", "verdicts", lambda: _show_table(view, found, settings))


def _show_groups(found: Verdicts, settings: SafeSparsity) -> None:
    for scope, answer in found.answers.items():
        if scope != ALL:
            st.markdown(f"- {nowrap(safety_sentences.safe_headline(answer, settings))}")


def _show_table(view: View, found: Verdicts, settings: SafeSparsity) -> None:
    tables.show(
        found.table,
        BY_BOTH,
        SHOWN,
        alt="Every class at every sparsity: changes, bounds, and the verdicts by both criteria",
    )
    widgets.downloads(view, "safe_sparsity", lambda: found.table, tag(settings))
