"""Every class's metric over sparsity, what each has lost, and whether rare classes lose more."""

import streamlit as st

from core import ui
from core.analysis import decay
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.losses import with_intervals
from core.charts import Chart
from core.people.access import SEES_STUDIES
from core.study import percent
from core.ui import answer, figures, filters, loaders, people, statistics, told, widgets
from core.ui.operating import show_operating_characteristics
from core.wording import findings, markup, terms, words
from core.wording.published import EXTREME, FIRST_DROP, published

WHY_BOTH = (
    "AP cannot fall below a class's prevalence, so a rare class can lose a larger share of it "
    "than a frequent one even when both are forgotten alike. Calibrated AP lies too high by chance "
    "where positives are few (0.16, 0.10 and 0.07 with 1, 3 and 10, else 0.05). Somers\u2019 D has "
    "the floor 0 for every class and can carry the comparison."
)
NUMBER = st.column_config.NumberColumn
CLASS = st.column_config.TextColumn("Class", width=190)
SUMMARY_COLUMNS = {
    "class_name": CLASS,
    "group": "Group",
    "n_positive": NUMBER("Test positives", help=terms.TERMS["test positives"]),
    "first_drop_interpolated": NUMBER("First drop, interpolated", help=terms.TERMS["first drop"]),
    "first_drop_sparsity": NUMBER("First drop, grid (paper)"),
    "first_drop_censored": st.column_config.CheckboxColumn("Never dropped"),
    "relative_ap_change_at_95": NUMBER("AP at 95 %"),
    "relative_calibrated_ap_change_at_95": NUMBER(
        "Calibrated AP at 95 %", help=terms.TERMS["calibrated AP"]
    ),
    "q_value": NUMBER("q", format="%.2g", help=terms.TERMS["p and q"]),
    "unstable": st.column_config.CheckboxColumn("Unstable (< 10 patients)"),
    "p_value": NUMBER("p", format="%.2g"),
    "train_frequency": NUMBER("Train frequency"),
    "test_frequency": NUMBER("Test frequency"),
    "n_runs": "Runs",
}
TELLINGS = {
    "first_drop_interpolated": told.sparsity,
    "first_drop_sparsity": told.sparsity,
    "relative_ap_change_at_95": told.change,
    "relative_calibrated_ap_change_at_95": told.change,
    "train_frequency": told.share,
    "test_frequency": told.share,
    **dict.fromkeys(("relative_change", "lower", "upper", "chance_change"), told.change),
}


def scale_switch() -> bool:
    """True for change against dense."""
    options = ["Relative to dense", "As measured"]
    widgets.drop_stale("scale", options)
    chosen = st.segmented_control(
        "Scale", options, default=options[0], required=True, key="scale", bind="query-params",
        help="Relative: (pruned \u2212 dense) / dense, as a share of dense.",
    )  # fmt: skip
    return chosen == options[0]


@st.fragment  # moving the slider draws these two charts anew, and nothing else
def show_sparsity() -> None:
    people.require(*SEES_STUDIES)  # a fragment runs without the page above it
    sparsity = None
    if pruned:
        sparsity = widgets.sparsity_slider(pruned)
    else:
        st.info("Only the dense model is finished; losses appear with the first sparsity above 0.")
    show_curves(sparsity)
    if sparsity is not None:
        show_losses(sparsity)
        show_operating_characteristics(opened, sparsity)


def show_curves(sparsity: float | None) -> None:
    chart = figures.curves(opened, metric, relative, corrected, sparsity, tuple(picked))
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
    if corrected:
        table = with_intervals(table, statistics.forgettability(opened, metric), sparsity)
        interval = "95 %"
    label = words.METRICS[metric]
    st.dataframe(
        told.told(table.drop(columns="n_runs"), TELLINGS),
        hide_index=True,
        height="content",
        alt=f"What each class has lost at {words.percent(sparsity)} sparsity",
        column_config={
            "class_name": CLASS,
            "group": "Group",
            "train_frequency": NUMBER("Train frequency"),
            "n_positive": "Test positives",
            "n_positive_patients": "Patients with it",
            "dense": NUMBER(f"{label}, dense", format="%.3f"),
            "pruned": NUMBER(f"{label}, pruned", format="%.3f"),
            "relative_change": NUMBER("Change"),
            "lower": NUMBER(f"Lower {interval}"),
            "upper": NUMBER(f"Upper {interval}"),
            "chance_change": NUMBER("Change at chance"),
            "unstable": st.column_config.CheckboxColumn("Unstable (< 10 patients)"),
        },
    )


def draw_beside(chart: Chart, key: str) -> None:
    widgets.draw(chart, key, level=3, shared_legend=groups, of=opened, about=(version,))


def show_frequency() -> None:
    """First drop and change at 95 % against train frequency, of AP and of calibrated AP."""
    st.markdown("## Do rare classes lose more?")
    st.caption(WHY_BOTH)
    st.html(markup.group_legend(groups))
    beside = {} if opened.subgroup else published(opened.config)
    cells = st.grid(2, min_column_width=300, gap="medium")
    for name in ("ap", "calibrated_ap"):
        with cells.cell():
            theirs = beside.get(FIRST_DROP) if name == "ap" else None
            chart = figures.first_drop(opened, name, corrected, theirs)
            draw_beside(chart, f"first_drop_{name}")
    for name in ("ap", "calibrated_ap"):
        with cells.cell():
            if EXTREME_SPARSITY in pruned:
                theirs = beside.get(EXTREME) if name == "ap" else None
                chart = figures.extreme_change(opened, name, corrected, theirs)
                draw_beside(chart, f"extreme_{name}")
            else:
                st.info("95 % sparsity is not on this study's grid, or not finished.")
    widgets.downloads(opened, "correlations", lambda: statistics.correlations(opened))


def show_summary() -> None:
    st.markdown("## Every class: first drop and change at 95 %")
    st.dataframe(
        told.told(summary, TELLINGS),
        hide_index=True,
        height="content",
        alt="First drop, change at 95 % sparsity and q-value of every class",
        column_order=list(SUMMARY_COLUMNS),
        column_config=SUMMARY_COLUMNS,
    )
    st.caption(
        f"First drop: the curve of {words.METRICS[metric]} falls below \u221220 %. p: paired over "
        f"runs, {words.METRICS[metric]} at 95 % against dense; q: Benjamini-Hochberg over the "
        "classes. They speak for other trainings, not for other patients."
    )
    widgets.downloads(
        opened, "class_summary", lambda: statistics.class_summary(opened, metric), tag
    )


opened = ui.open_study()
ui.page_head("Class AP", opened)
loaders.finished_metrics(opened)
with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
    metric = widgets.metric_switch()
    relative = scale_switch()
    corrected = widgets.reading_switch()
    opened = filters.subgroup_filter(opened)
st.caption(findings.READINGS["Class AP"][corrected])
filters.show_subgroup(opened)

metrics = loaders.class_metrics(opened)
groups = opened.config.groups
tag = "" if metric == "ap" else metric
version = "corrected" if corrected else "paper"
pruned = decay.pruned_sparsities(metrics)
summary = statistics.class_summary(opened, metric)
if pruned:
    answer.show_forgotten_first(opened, metric, corrected)
names = list(loaders.frequencies(opened)["class_name"])
picked = widgets.class_picker("Classes to name in the chart (empty: those that lost most)", names)
show_sparsity()
if pruned:
    show_frequency()
    show_summary()
