"""Whether rare classes lose more: the trends over classes, or the paper's scatter plots."""

from __future__ import annotations

import streamlit as st

from core.analysis import claims, decay
from core.analysis.class_changes import PRIMARY
from core.analysis.class_evidence import ONSET, effects_of
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.correlations import named_row
from core.charts import Chart
from core.charts.forest import FORESTS, forest_chart
from core.charts.scatter import change_scatter, first_drop_scatter
from core.ui import markup, results, widgets
from core.ui.curves import MOST
from core.ui.results import cached, table
from core.ui.view import View
from core.wording import claim_sentences, statistic_sentences
from core.wording.published import EXTREME, FIRST_DROP, Figures, published

WHY_NOT_AP = (
    "AP cannot fall below a class's prevalence, so a rare class can lose a larger share of it "
    "than a frequent one even when both are forgotten alike. The corrected reading compares "
    "Somers\u2019 D, whose floor is 0 for every class."
)
NO_TREND = (
    "No trend over frequency is tested here: it needs every run and the patients of all test "
    "images. The paper\u2019s reading shows its scatter plots."
)
NOT_ON_THE_GRID = "95 % sparsity is not on this study's grid, or not finished."


def show(view: View, known: bool) -> None:
    """known: `evidence.is_known`."""
    if view.corrected and not known:
        st.info(NO_TREND)
        return
    if not view.corrected:
        st.caption(WHY_NOT_AP)
    groups, about = view.config.groups, view.about[1:2]
    charts = _forests(view) if view.corrected else _scatters(view.of("ap"))
    drawn = {group for one in charts.values() if isinstance(one, Chart) for group in one.groups}
    st.html(markup.group_legend(groups, results.split_of_groups(view), drawn))
    grid = st.grid(2, min_column_width=300, gap="medium")
    for key, chart in charts.items():
        with grid.cell():
            if isinstance(chart, Chart):
                widgets.draw(chart, key, level=3, shared_legend=groups, of=view, about=about)
            else:
                st.info(chart)
    if view.corrected:
        with st.container(horizontal=True):
            widgets.downloads(view, "trends")
            widgets.downloads(view, "class_effects")
    else:
        widgets.downloads(view, "correlations")


def _forests(view: View) -> dict[str, Chart | str]:
    """The charts, or why there is none."""
    effects = table(view, "class_effects")
    onsets: Chart | str
    if (effects["name"] == ONSET).any():
        onsets = forest(view, claims.FIRST_DROP)
    else:
        reason = table(view, "trends").set_index("name")["reason"][ONSET]
        onsets = f"Onsets of rare and frequent classes are not compared: {reason}."
    change = forest(view, claims.CHANGE) if _has_extreme(view) else NOT_ON_THE_GRID
    return {"forest_change": change, "forest_onset": onsets}


def _scatters(view: View) -> dict[str, Chart | str]:
    beside = {} if view.subgroup else published(view.config)
    known = _has_extreme(view)
    extreme = extreme_change(view, beside.get(EXTREME)) if known else NOT_ON_THE_GRID
    return {"first_drop_ap": first_drop(view, beside.get(FIRST_DROP)), "extreme_ap": extreme}


def _has_extreme(view: View) -> bool:
    return EXTREME_SPARSITY in decay.pruned_sparsities(results.class_metrics(view))


@cached(shared=True)
def forest(view: View, claim: str) -> Chart:
    """Every class's own change at 95 %, or its onset, beside the trend over frequency."""
    name, axis = FORESTS[claim]
    row = table(view, "trends").set_index("name").loc[name]
    title, caption = claim_sentences.trend_title(claim, row), claim_sentences.trend_caption(row)
    own = (
        table(view, "class_summary", metric=PRIMARY),
        table(view, "forgettability", metric=PRIMARY),
    )
    return forest_chart(effects_of(name, table(view, "class_effects"), *own), axis, title, caption)


@cached("metric", entries=MOST, shared=True)
def first_drop(view: View, beside: Figures | None) -> Chart:
    """By the paper: first drop of every class against its frequency."""
    title, caption = _said(view, FIRST_DROP, statistic_sentences.DROP_FIRST, beside)
    return first_drop_scatter(table(view, "class_summary"), title, caption)


@cached("metric", entries=MOST, shared=True)
def extreme_change(view: View, beside: Figures | None) -> Chart:
    """By the paper: change at 95 % sparsity of every class against its frequency."""
    title, caption = _said(view, EXTREME, statistic_sentences.LOSE_MORE, beside)
    return change_scatter(table(view, "class_summary"), view.metric, title, caption)


def _said(
    view: View, correlation: str, said: tuple[str, str], beside: Figures | None
) -> tuple[str, str]:
    """Title and caption: what a correlation says."""
    row = named_row(table(view, "correlations"), correlation, view.metric)
    return statistic_sentences.classes_told(row, view.metric, said, beside)
