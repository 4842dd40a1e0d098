"""Every class's metric over sparsity, and what each has lost at the chosen one."""

import streamlit as st

from core import charts, ui, words
from core.analysis import decay
from core.analysis.frequency import frequency_correlation
from core.analysis.losses import most_lost

WHY_BOTH = (
    "AP cannot fall below a class's prevalence, so a rare class can lose a larger share of it "
    "than a frequent one even when both are forgotten alike; calibrated AP has the same floor "
    "for every class and can carry the comparison."
)


def scale_switch() -> bool:
    """True for change against dense."""
    options = ["Relative to dense", "As measured"]
    chosen = st.segmented_control(
        "Scale", options, default=options[0], required=True, key="scale", bind="query-params"
    )
    return chosen == options[0]


def frequency_note(sparsity: float) -> None:
    st.markdown("## Do rare classes lose more?")
    frequencies = ui.frequencies(opened)
    for metric in ("ap", "calibrated_ap"):
        found = frequency_correlation(ui.class_losses(opened, metric, sparsity), frequencies)
        st.markdown(
            f"- {words.METRICS[metric]}: **{words.correlation(found.r, found.p, found.n)}**"
        )
    st.caption(
        "Pearson r of log10 train frequency with relative change at "
        f"{words.percent(sparsity)} sparsity; above 0: rare classes lose more. {WHY_BOTH}"
    )


def losses_table() -> None:
    label = words.METRICS[metric]
    st.dataframe(
        losses.drop(columns="n_runs"),
        hide_index=True,
        height="content",
        alt=f"What each class has lost at {words.percent(sparsity)} sparsity",
        column_config={
            "class_name": "Class",
            "group": "Group",
            "train_frequency": st.column_config.NumberColumn("Train frequency", format="percent"),
            "n_positive": "Test positives",
            "dense": st.column_config.NumberColumn(f"{label}, dense", format="%.3f"),
            "pruned": st.column_config.NumberColumn(f"{label}, pruned", format="%.3f"),
            "relative_change": st.column_config.NumberColumn("Change", format="percent"),
            "lower": st.column_config.NumberColumn("Lower quartile", format="percent"),
            "upper": st.column_config.NumberColumn("Upper quartile", format="percent"),
            "chance_change": st.column_config.NumberColumn("Change at chance", format="percent"),
            "unstable": st.column_config.CheckboxColumn("Unstable (< 10 positives)"),
        },
    )


opened = ui.open_study()
ui.page_head("Class AP", opened)
metrics = ui.finished_metrics(opened)
groups = opened.config.groups

with st.container(horizontal=True):
    metric = ui.metric_switch()
    relative = scale_switch()
names = list(ui.frequencies(opened)["class_name"])
picked = ui.class_picker("Classes to name in the chart (empty: those that lost most)", names)

sparsity = None
if pruned := decay.pruned_sparsities(metrics):
    sparsity = ui.sparsity_slider(pruned)
else:
    st.info("Only the dense model is finished; losses appear with the first sparsity above 0.")
losses = ui.class_losses(opened, metric, sparsity or 0.0)

chart = charts.class_curves_chart(
    ui.class_curves(opened, metric, relative),
    losses,
    picked or most_lost(losses),
    ui.chance_levels(opened, metric),
    metric,
    relative,
    sparsity,
)
ui.draw(chart, key="curves_chart", legend=groups)

if sparsity is not None:
    n_test = ui.split_sizes(opened)["test"]
    chart = charts.losses_chart(losses, metric, sparsity, n_test)
    ui.draw(chart, key="losses_chart", legend=groups)
    frequency_note(sparsity)
    losses_table()
