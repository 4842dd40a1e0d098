"""Every class's metric over sparsity, what each has lost, and whether rare classes lose more."""

import streamlit as st

from core import results, ui
from core.analysis import claims, decay
from core.analysis.class_summary import CLASS_SUMMARY, EXTREME_SPARSITY
from core.analysis.losses import LOSSES, with_intervals
from core.charts import Chart
from core.people.access import SEES_STUDIES
from core.study.paths import percent
from core.ui import evidence, figures, filters, loaders, markup, people, statistics, tables, widgets
from core.ui.answer import said
from core.ui.operating import show_operating_characteristics
from core.wording import first_sentences, statistic_sentences, words
from core.wording.published import EXTREME, FIRST_DROP, published

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


def scale_switch() -> bool:
    """True for change against dense."""
    options = ["Relative to dense", "As measured"]
    widgets.drop_stale("scale", options)
    chosen = st.segmented_control(
        "Scale", options, default=options[0], required=True, key="scale", bind="query-params",
        help="Relative: (pruned \u2212 dense) / dense, as a share of dense.",
    )  # fmt: skip
    return chosen == options[0]


@st.fragment  # moving the slider draws these two charts again, and nothing else
def show_sparsity() -> None:
    people.require(*SEES_STUDIES)  # a fragment runs without the page above it
    sparsity = None
    slider, picker = st.columns([2, 1], gap="medium", vertical_alignment="bottom")
    with picker:
        label = "Classes to name (empty: those that lost most)"
        picked = widgets.class_picker(label, names)
    if pruned:
        with slider:
            sparsity = widgets.sparsity_slider(pruned)
    else:
        st.info("Only the dense model is finished; losses appear with the first sparsity above 0.")
    show_curves(sparsity, tuple(picked))
    if sparsity is not None:
        show_losses(sparsity)
        show_operating_characteristics(opened, sparsity)


def show_curves(sparsity: float | None, picked: tuple[str, ...]) -> None:
    chart = figures.curves(opened, metric, relative, corrected, sparsity, picked)
    widgets.draw(chart, key="curves_chart", legend=groups, of=opened, about=about(sparsity))
    with st.container(horizontal=True):
        widgets.downloads(
            opened, "forgettability", lambda: statistics.forgettability(opened, metric), tag
        )
        widgets.downloads(opened, "class_metrics", lambda: loaders.class_metrics(opened))


def about(sparsity: float | None) -> tuple[str, ...]:
    """What the file of a figure is called by."""
    at = () if sparsity is None else (f"sparsity-{percent(sparsity)}",)
    return metric, version, *at


def show_losses(sparsity: float) -> None:
    chart = figures.losses(opened, metric, corrected, sparsity)
    widgets.draw(chart, key="losses_chart", legend=groups, of=opened, about=about(sparsity))
    with st.expander(
        "These losses as a table", on_change="rerun", key="losses", bind="query-params"
    ) as table:
        if table.open:
            losses_table(sparsity)


def losses_table(sparsity: float) -> None:
    table, interval = loaders.class_losses(opened, metric, sparsity), "quartile"
    left_out = ["n_runs"]
    if corrected:
        table = with_intervals(table, statistics.forgettability(opened, metric), sparsity)
        interval, left_out = "95 %", ["n_runs", "interval_over"]
    label = words.METRICS[metric]
    tables.show(
        table.drop(columns=left_out),
        LOSSES,
        labels={
            "dense": f"{label}, dense",
            "pruned": f"{label}, pruned",
            "lower": f"Lower {interval}",
            "upper": f"Upper {interval}",
        },
        height="content",
        alt=f"What each class has lost at {words.percent(sparsity)} sparsity",
    )


def draw_beside(chart: Chart, key: str) -> None:
    widgets.draw(chart, key, level=3, shared_legend=groups, of=opened, about=(version,))


def show_frequency() -> None:
    """The trends over classes, or the paper's scatter plots."""
    st.markdown("## Do rare classes lose more?")
    if corrected and not known:
        st.info(NO_TREND)
        return
    if not corrected:
        st.caption(WHY_NOT_AP)
    st.html(markup.group_legend(groups, loaders.split_of_groups(opened)))
    cells = st.grid(2, min_column_width=300, gap="medium")
    draws = (forest_of_changes, forest_of_onsets) if corrected else (drop_scatter, extreme_scatter)
    for draw in draws:
        with cells.cell():
            draw()
    if corrected:
        with st.container(horizontal=True):
            widgets.downloads(opened, "trends", lambda: results.table(opened.study, "trends"))
            widgets.downloads(
                opened, "class_effects", lambda: results.table(opened.study, "class_effects")
            )
    else:
        widgets.downloads(opened, "correlations", lambda: statistics.correlations(opened))


def forest_of_changes() -> None:
    if EXTREME_SPARSITY in pruned:
        draw_beside(figures.forest(opened, claims.CHANGE), "forest_change")
    else:
        st.info(NOT_ON_THE_GRID)


def forest_of_onsets() -> None:
    draw_beside(figures.forest(opened, claims.FIRST_DROP), "forest_onset")


def drop_scatter() -> None:
    draw_beside(figures.first_drop(opened, "ap", beside.get(FIRST_DROP)), "first_drop_ap")


def extreme_scatter() -> None:
    if EXTREME_SPARSITY in pruned:
        chart = figures.extreme_change(opened, "ap", beside.get(EXTREME))
        draw_beside(chart, "extreme_ap")
    else:
        st.info(NOT_ON_THE_GRID)


def show_summary() -> None:
    summary = statistics.class_summary(opened, metric)
    names: tuple[str, ...] = (*FIRST, *DROPS, *LAST)
    if with_onsets := corrected and known:
        st.markdown("## Every class: when it is forgotten, and how sure that is")
        names = (*FIRST, *ONSETS, *LAST, *DROPS)
        summary = summary.sort_values("p_among_first", ascending=False, kind="stable")
    else:
        st.markdown("## Every class: first drop and change at 95 %")
        drops = statistics.first_drops(opened, metric, corrected)
        st.markdown(said(first_sentences.first_drops(drops, metric, corrected)))
    tables.show(
        summary,
        CLASS_SUMMARY,
        names,
        height="content",
        alt="When every class is forgotten, and what is left of it at 95 % sparsity",
    )
    label = words.METRICS[metric]
    onset = ONSET_MEANS if with_onsets else ""
    st.caption(
        f"{onset}First drop: the curve of {label} falls below \u221220 %. p: paired over runs, "
        f"{label} at 95 % against dense; q: Benjamini-Hochberg over the classes. Both are about "
        "other trainings, not other patients."
    )
    widgets.downloads(
        opened, "class_summary", lambda: statistics.class_summary(opened, metric), tag
    )


opened = ui.open_study()
ui.page_head("Class AP", opened)
loaders.finished_metrics(opened)
with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
    corrected = widgets.reading_switch()
    metric = widgets.metric_switch(default="Somers' D" if corrected else "AP")
    relative = scale_switch()
    opened = filters.subgroup_filter(opened)
st.caption(statistic_sentences.EDITIONS[corrected])
filters.show_subgroup(opened)

metrics = loaders.class_metrics(opened)
groups = opened.config.groups
tag = "" if metric == "ap" else metric
version = "corrected" if corrected else "paper"
pruned = decay.pruned_sparsities(metrics)
known = bool(pruned) and evidence.is_known(opened)
beside = {} if opened.subgroup else published(opened.config)
names = list(loaders.frequencies(opened)["class_name"])
show_sparsity()
if pruned:
    show_frequency()
    show_summary()
