"""What Overview opens with: what is forgotten first, whether that is rarity, what becomes of false
alarms, one figure, and the paper's claims, tested on this study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.analysis import decay, losses
from core.analysis.class_changes import PRIMARY
from core.analysis.class_summary import ClassSummary
from core.analysis.first_forgotten import FirstForgotten, first_drops, first_forgotten
from core.charts import Chart
from core.charts.classes import changes_chart
from core.ui import evidence, is_finished, markup, nowrap, widgets
from core.ui.results import cached, class_metrics, split_sizes, table
from core.ui.view import View
from core.wording import claim_sentences, first_sentences, operating_sentences, terms

SPARSITY = 0.9
# Each says one more sentence of a study at a sparsity, or nothing; bold words open it.
FURTHER: dict[str, Callable[[View], str]] = {
    "False alarms:": lambda view: operating_sentences.false_alarms_sentence(
        table(view, "operating_characteristics"), view.at
    ),
}


def show(view: View) -> None:
    """The sentences, with the figure beside them, and the claims below."""
    pruned = decay.pruned_sparsities(class_metrics(view))
    at = min(pruned, key=lambda sparsity: abs(sparsity - SPARSITY))
    view = replace(view, metric=PRIMARY, sparsity=at)
    known = evidence.is_known(view)
    with st.container(key="answer"):
        heading = st.container()
        sentences, figure = st.columns([2, 3], gap="medium")
        with sentences:
            if known:
                _show_sentences(view, heading)
            else:
                _show_so_far(view, heading)
        with figure:
            groups, about = view.config.groups, view.about[-1:]
            widgets.draw(_chart(view), "changes_chart", groups, level=3, of=view, about=about)
    if known:
        widgets.fold("The paper\u2019s claims, tested here", "claims", lambda: _show_claims(view))


def _show_sentences(view: View, heading: DeltaGenerator) -> None:
    found, claims = _first_forgotten(view), table(view, "claims")
    heading.markdown(
        f"## {nowrap(first_sentences.headline(found))}", help=terms.TERMS["forgotten first"]
    )
    st.markdown(f"**What is lost?** {nowrap(first_sentences.lost(_changes(view), view.at))}")
    first, further = claim_sentences.rarity(claims)
    st.markdown(f"**Is it rarity?** {nowrap(first)}", help=nowrap(further) or None)
    difficulty, by_how_much = claim_sentences.difficulty(table(view, "trends"))
    if difficulty:
        st.markdown(f"**Or difficulty?** {nowrap(difficulty)}", help=nowrap(by_how_much))
    left_out = first_sentences.not_judged(found)
    sure = nowrap(first_sentences.details(found))
    st.markdown(f"**How sure?** {sure}", help=nowrap(left_out) or None)


def _show_so_far(view: View, heading: DeltaGenerator) -> None:
    config = view.config
    if is_finished(view):
        heading.markdown("## What is forgotten first cannot be told")
        st.markdown("No run has predictions of both the dense and a pruned model.")
        return
    metrics = decay.of_complete_runs(class_metrics(view), config.sweep.sparsities)
    n_runs = metrics["run"].nunique()
    heading.markdown(f"## {nowrap(first_sentences.so_far(n_runs, config.runs.count))}")
    if n_runs:
        summary = ClassSummary(PRIMARY)(metrics, table(view, "class_frequencies"))
        drops = first_drops(summary, corrected=True)
        st.markdown(nowrap(first_sentences.first_so_far(drops)))


def _show_claims(view: View) -> None:
    for opening, sentence in FURTHER.items():
        if further := sentence(view):
            st.markdown(f"**{opening}** {nowrap(further)}")
    head, rows = claim_sentences.claims_told(table(view, "claims"))
    st.html(markup.table("The paper\u2019s claims with their verdicts", head, rows))
    widgets.downloads(view, "claims")


@cached("metric")
def _first_forgotten(view: View) -> FirstForgotten:
    metrics = class_metrics(view)
    pruned = decay.pruned_sparsities(metrics)
    return first_forgotten(table(view, "class_summary"), decay.complete_runs(metrics), pruned)


@cached("metric", "sparsity")
def _changes(view: View) -> pd.DataFrame:
    """`losses.changes_at` the sparsity in view."""
    known = table(view, "forgettability"), table(view, "class_summary")
    return losses.changes_at(*known, view.at)


@cached("metric", "sparsity", shared=True)
def _chart(view: View) -> Chart:
    """The change of every class at one sparsity, with its interval."""
    return changes_chart(_changes(view), view.metric, view.at, split_sizes(view)["test"])
