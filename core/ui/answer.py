"""What Overview opens with: what is forgotten first, whether that is rarity, what becomes of false
alarms, one figure, and the paper's claims, tested on this study."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import results
from core.analysis import decay
from core.analysis.class_changes import PRIMARY
from core.study.paths import percent
from core.ui import (
    OpenStudy,
    evidence,
    figures,
    is_finished,
    loaders,
    markup,
    operating,
    plain,
    statistics,
    widgets,
)
from core.wording import claim_sentences, first_sentences

SPARSITY = 0.9
# Each says one more sentence of a study at a sparsity, or nothing; bold words open it.
FURTHER: dict[str, Callable[[OpenStudy, float], str]] = {"False alarms:": operating.false_alarms}


def show_answer(opened: OpenStudy) -> None:
    """The sentences, with the figure beside them, and the claims below."""
    metrics = loaders.class_metrics(opened)
    sparsity = min(decay.pruned_sparsities(metrics), key=lambda s: abs(s - SPARSITY))
    known = evidence.is_known(opened)
    with st.container(key="answer"):
        sentences, figure = st.columns([2, 3], gap="medium")
        with sentences:
            if known:
                _show_sentences(opened, sparsity)
            else:
                _show_so_far(opened, metrics)
        with figure:
            about = (f"sparsity-{percent(sparsity)}",)
            chart = figures.changes(opened, PRIMARY, sparsity)
            groups = opened.config.groups
            widgets.draw(chart, "changes_chart", legend=groups, level=3, of=opened, about=about)
    if known:
        _show_claims(opened)


def _show_sentences(opened: OpenStudy, sparsity: float) -> None:
    found = statistics.first_forgotten(opened)
    st.markdown(f"## {said(first_sentences.headline(found))}")
    st.markdown(said(first_sentences.details(found)))
    rarity = claim_sentences.rarity(statistics.claims(opened))
    st.markdown(f"**Is it rarity?** {said(rarity)}")
    for opening, sentence in FURTHER.items():
        if further := sentence(opened, sparsity):
            st.markdown(f"**{opening}** {said(further)}")
    if left_out := first_sentences.not_judged(found):
        st.caption(said(left_out))


def _show_so_far(opened: OpenStudy, metrics: pd.DataFrame) -> None:
    config = opened.config
    n_runs = decay.complete_runs(metrics, config.sweep.sparsities)
    if is_finished(opened):
        st.markdown("## What is forgotten first cannot be told")
        st.markdown("No run has predictions of both the dense and a pruned model.")
        return
    st.markdown(f"## {said(first_sentences.so_far(n_runs, config.runs.count))}")
    st.markdown("Nothing here is final: more runs can change the order of the classes.")


def _show_claims(opened: OpenStudy) -> None:
    st.markdown("## The paper\u2019s claims, tested here")
    head, rows = claim_sentences.claims_told(statistics.claims(opened))
    st.html(markup.table("The paper\u2019s claims with their verdicts", head, rows))
    widgets.downloads(opened, "claims", lambda: results.table(opened.study, "claims"))


def said(text: str) -> str:
    """No line begins with a percent sign."""
    return plain(text).replace(" %", "\u00a0%")
