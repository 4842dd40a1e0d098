"""What moves with the slider of Class AP: every class's curve, what each has lost, and how well it
is found at its operating point."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.analysis import decay
from core.analysis.losses import LOSSES
from core.charts import Chart
from core.charts.classes import losses_chart
from core.people.access import SEES_STUDIES
from core.ui import people, results, tables, widgets
from core.ui.class_ap import operating
from core.ui.curves import MOST, class_losses, curves_chart
from core.ui.results import cached
from core.ui.view import View
from core.wording import words


@st.fragment  # moving the slider draws these charts again, and nothing else
def show(view: View) -> None:
    people.require(*SEES_STUDIES)  # a fragment runs without the page above it
    pruned = decay.pruned_sparsities(results.class_metrics(view))
    slider, picker = st.columns([2, 1], gap="medium", vertical_alignment="bottom")
    with picker:
        names = list(results.table(view, "class_frequencies")["class_name"])
        label = "Classes to name (empty: those that lost most)"
        picked = widgets.class_picker(label, names)
    if pruned:
        with slider:
            view = replace(view, sparsity=widgets.sparsity_slider(pruned))
    else:
        st.info("Only the dense model is finished; losses appear with the first sparsity above 0.")
    _show_curves(view, tuple(picked))
    if pruned:
        _show_losses(view)
        operating.show(view)


def _show_curves(view: View, picked: tuple[str, ...]) -> None:
    chart, groups = curves_chart(view, picked), view.config.groups
    widgets.draw(chart, key="curves_chart", legend=groups, of=view, about=view.about)
    with st.container(horizontal=True):
        widgets.downloads(view, "forgettability", tag=view.tag)
        widgets.downloads(view, "class_metrics")


def _show_losses(view: View) -> None:
    chart, groups = _losses_chart(view), view.config.groups
    widgets.draw(chart, key="losses_chart", legend=groups, of=view, about=view.about)
    with st.expander(
        "These losses as a table", on_change="rerun", key="losses", bind="query-params"
    ) as shown:
        if shown.open:
            _losses_table(view)


@cached("metric", "corrected", "sparsity", entries=MOST, shared=True)
def _losses_chart(view: View) -> Chart:
    n_images = results.split_sizes(view)["test"]
    return losses_chart(class_losses(view), view.metric, view.at, n_images)


def _losses_table(view: View) -> None:
    losses = class_losses(view).drop(columns=["n_runs", "interval_over"], errors="ignore")
    label, interval = words.METRICS[view.metric], "95 %" if view.corrected else "quartile"
    tables.show(
        losses,
        LOSSES,
        labels={
            "dense": f"{label}, dense",
            "pruned": f"{label}, pruned",
            "lower": f"Lower {interval}",
            "upper": f"Upper {interval}",
        },
        height="content",
        alt=f"What each class has lost at {words.percent(view.at)} sparsity",
    )
