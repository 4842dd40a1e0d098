"""How differently every two classes are forgotten, and the two curves behind a number."""

import streamlit as st

from core import charts, ui, words
from core.analysis import decay, pairs
from core.labels import label_matrix


def order_switch() -> list[str]:
    """Class names in the order of the heatmap."""
    orders = {"Frequency": by_frequency, "Clustered": clustered}
    chosen = st.segmented_control(
        "Order", list(orders), default="Frequency", required=True, key="order", bind="query-params"
    )
    return orders[chosen]


def pair_picker() -> tuple[str, str]:
    """Two classes, in the address as `first` and `second`; the most different to begin with."""
    first, second = st.columns(2)
    return (
        ui.addressed_choice(first, "First class", by_frequency, widest[0], "first"),
        ui.addressed_choice(second, "Second class", by_frequency, widest[1], "second"),
    )


def take_click() -> None:
    """A clicked square chooses its two classes."""
    points = st.session_state["fcd_heatmap"]["selection"]["points"]
    if points and points[0].get("customdata"):
        st.session_state["first"], st.session_state["second"] = points[0]["customdata"][:2]


def show_pair() -> None:
    labels = ui.labels(opened)
    matrix = label_matrix(labels.split("test"), labels.class_names)
    facts = pairs.pair_facts(fcd, matrix, list(labels.class_names), pair)
    groups = ui.groups_of_classes(opened)
    curves = ui.curves(opened, metric)
    chart = charts.pair_curves_chart(curves, groups, pair, facts.fcd, metric)
    ui.draw(chart, key="pair_chart", legend=opened.config.groups)
    st.markdown(
        f"Together on **{facts.n_both:,}** test images; {ui.plain(pair[0])} on "
        f"{facts.n_first:,}, {ui.plain(pair[1])} on {facts.n_second:,}. "
        f"Co-occurrence IoU **{words.number(facts.iou)}**."
    )


opened = ui.open_study()
ui.page_head("Forgettability", opened)
metrics = ui.finished_metrics(opened)
pruned = decay.pruned_sparsities(metrics)

with st.container(horizontal=True):
    metric = ui.metric_switch()
    fcd, clustered = ui.fcd(opened, metric)
    by_frequency = [name for name in ui.frequencies(opened)["class_name"] if name in fcd.index]
    if len(by_frequency) < 2 or not pruned:
        st.info("This needs two classes, the dense model and at least one sparsity above 0.")
        st.stop()
    order = order_switch()

side_by_side = st.grid(2, min_column_width=430, gap="medium")
left, right = side_by_side.cell(), side_by_side.cell()
widest = pairs.most_different(fcd)
with right:
    pair = pair_picker()
    if pair[0] == pair[1]:
        st.info("Choose two different classes.")
    else:
        show_pair()
with left:
    chart = charts.fcd_heatmap(fcd, order, pair, decay.n_runs(metrics), len(pruned))
    ui.draw(chart, key="fcd_heatmap", on_select=take_click, selection_mode="points")
