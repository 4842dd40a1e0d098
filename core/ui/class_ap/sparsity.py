"""Class AP below its controls: the slider, every class's curve, and what is folded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from core.analysis import decay
from core.analysis.dense_values import DENSE_VALUES
from core.analysis.losses import LOSSES
from core.charts import Chart
from core.charts.classes import losses_chart, values_chart
from core.people.access import SEES_STUDIES
from core.ui import people, results, tables, widgets
from core.ui.ahead import ahead, neighbours
from core.ui.class_ap import frequency, operating, summary
from core.ui.curves import MOST, class_losses, curves_chart
from core.ui.results import cached
from core.ui.view import View
from core.wording import terms, words
from core.wording.dense_sentences import nothing_pruned

# What the table of losses begins with: what a class had, has, and has lost.
LOST = ("class_name", "group", "dense", "pruned", "relative_change", "lower", "upper")


@st.fragment  # moving the slider draws this again, and nothing above it
def show(view: View) -> None:
    people.require(*SEES_STUDIES)  # a fragment runs without the page above it
    if view.config.sweep.sparsities == (0.0,):
        st.info(nothing_pruned(view.config, ""))
        _show_dense(view)
        return
    pruned = decay.pruned_sparsities(results.class_metrics(view))
    with st.container(key="at"):
        slider, picker = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with picker:
        names = list(results.table(view, "class_frequencies")["class_name"])
        picked = widgets.class_picker("Classes to name", names, quiet=True)
    if pruned:
        with slider:
            view = replace(view, sparsity=widgets.sparsity_slider(pruned, quiet=True))
    else:
        st.info("Only the dense model is finished; losses appear with the first sparsity above 0.")
    _show_curves(view, tuple(picked))
    if not pruned:
        return
    widgets.fold("What each class has lost", "losses", lambda: _show_losses(view))
    widgets.fold(
        "Sensitivity, specificity and false alarms", "operating", lambda: operating.show(view)
    )
    beside = (replace(view, sparsity=one) for one in neighbours(pruned, view.at))
    ahead.prepare(*(partial(_make, one, tuple(picked), *_unfolded()) for one in beside))


def show_other_sections(view: View, known: bool) -> None:
    """The folded sections that do not depend on the slider, so its fragment leaves them alone.
    known: `evidence.is_known`."""
    widgets.fold("Do rare classes lose more?", "rarity", lambda: frequency.show(view, known))
    widgets.fold(
        "Every class: when it is forgotten, and how sure that is",
        "summary",
        lambda: summary.show(view, known),
    )


def _unfolded() -> tuple[bool, bool]:
    return bool(st.session_state.get("losses")), bool(st.session_state.get("operating"))


def _make(view: View, picked: tuple[str, ...], losses: bool, operating_points: bool) -> None:
    curves_chart(view, picked)
    if losses:
        _losses_chart(view)
    if operating_points:
        operating.make(view)


def _show_curves(view: View, picked: tuple[str, ...]) -> None:
    chart, groups = curves_chart(view, picked), view.config.groups

    def tables_of_it() -> None:
        widgets.downloads(view, "forgettability", tag=view.tag)
        widgets.downloads(view, "class_metrics")

    widgets.draw(
        chart,
        key="curves_chart",
        legend=groups,
        of=view,
        about=view.about,
        also=tables_of_it,
        help=terms.METRICS[view.metric],
    )


def _show_dense(view: View) -> None:
    """All there is to say of classes where nothing is pruned."""
    label = words.METRICS[view.metric]
    tables.show(
        results.table(view, "dense_values", metric=view.metric).sort_values("dense"),
        DENSE_VALUES,
        labels={"dense": label},
        height="content",
        alt=f"{label} of the dense model on each class, with its 95 % interval",
    )
    widgets.downloads(view, "dense_values")


def _show_losses(view: View) -> None:
    chart, groups = _losses_chart(view), view.config.groups
    widgets.draw(chart, key="losses_chart", legend=groups, of=view, about=view.about)
    _losses_table(view)


@cached("metric", "corrected", "relative", "sparsity", entries=MOST, shared=True)
def _losses_chart(view: View) -> Chart:
    draw = losses_chart if view.relative else values_chart
    n_images = results.split_sizes(view)["test"]
    return draw(class_losses(view), view.metric, view.at, n_images)


def _losses_table(view: View) -> None:
    losses = class_losses(view).drop(columns=["n_runs", "interval_over"], errors="ignore")
    label, interval = words.METRICS[view.metric], "95 %" if view.corrected else "quartile"
    tables.show(
        losses,
        LOSSES,
        [*LOST, *(name for name in losses if name not in LOST)],
        labels={
            "dense": f"{label}, dense",
            "pruned": f"{label}, pruned",
            "lower": f"Lower {interval}",
            "upper": f"Upper {interval}",
        },
        height="content",
        alt=f"What each class has lost at {words.percent(view.at)} sparsity",
    )
