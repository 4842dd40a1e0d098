"""Every class in a row: when it is forgotten, and how sure that is."""

from __future__ import annotations

import streamlit as st

from core.analysis.class_summary import CLASS_SUMMARY
from core.analysis.first_forgotten import first_drops
from core.ui import nowrap, tables, widgets
from core.ui.results import table
from core.ui.view import View
from core.wording import first_sentences, words

ONSET_MEANS = (
    "Onset: the sparsity at which a fifth of Somers\u2019 D is gone, with its 95 % interval over "
    "runs and patients (of one run, patients only). Among the first three: in how many draws. "
)
FIRST = ("class_name", "group")
ONSETS = ("p_among_first", "onset", "onset_ci_low", "onset_ci_high", "onset_censored", "judged")
DROPS = (
    *("first_drop_sparsity", "first_drop_interpolated", "first_drop_censored"),
    *("relative_ap_change_at_95", "relative_calibrated_ap_change_at_95"),
)
LAST = (
    *("n_positive", "n_positive_patients", "train_frequency", "test_frequency"),
    *("q_value", "p_value", "n_runs", "unstable"),
)


def show(view: View, known: bool) -> None:
    """known: `evidence.is_known`."""
    summary = table(view, "class_summary")
    names: tuple[str, ...] = (*FIRST, *DROPS, *LAST)
    if with_onsets := view.corrected and known:
        names = (*FIRST, *ONSETS, *LAST, *DROPS)
        if (summary["onset"].isna() & summary["onset_by"].notna()).any():  # in a wide gap
            names = (*FIRST, *ONSETS[:2], "onset_by", *ONSETS[2:], *LAST, *DROPS)
        summary = summary.sort_values("p_among_first", ascending=False, kind="stable")
    else:
        drops = first_drops(summary, view.corrected)
        st.markdown(nowrap(first_sentences.first_drops(drops, view.metric, view.corrected)))
    tables.show(
        summary,
        CLASS_SUMMARY,
        names,
        height="content",
        alt="When every class is forgotten, and what is left of it at 95 % sparsity",
    )
    label, onset = words.METRICS[view.metric], ONSET_MEANS if with_onsets else ""
    widgets.caption(
        f"{onset}First drop: the curve of {label} falls below \u221220 %. p: paired over runs, "
        f"{label} at 95 % against dense; q: Benjamini-Hochberg over the classes. Both are about "
        "other trainings, not other patients."
    )
    widgets.downloads(view, "class_summary", tag=view.tag)
