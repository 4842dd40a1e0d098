"""How differently every two classes are forgotten, and what goes with it."""

import streamlit as st

from core import ui
from core.analysis import decay, pairs
from core.analysis.class_changes import PRIMARY
from core.analysis.class_pairs import pair_row
from core.analysis.interaction import INTERACTION, with_plain_terms
from core.analysis.pair_evidence import most_apart
from core.charts.pairs import outlined
from core.charts.scatter import ringed
from core.ui import evidence, figures, filters, loaders, statistics, tables, widgets
from core.wording import pair_sentences, words
from core.wording.published import COOCCURRENCE, FREQUENCY, published

HEATMAPS = {
    "fcd_heatmap": figures.fcd,
    "iou_heatmap": figures.cooccurrence,
    "frequency_heatmap": figures.frequency,
}
SCATTERS = {
    "frequency": (FREQUENCY, figures.pairs_against_frequency),
    "iou": (COOCCURRENCE, figures.pairs_against_cooccurrence),
}
PAIR = {"first": "First class", "second": "Second class"}


def order_switch() -> list[str]:
    """Class names in the order of the heatmaps."""
    orders = {"Frequency": by_frequency, "Clustered": clustered}
    widgets.drop_stale("order", list(orders))
    chosen = st.segmented_control(
        "Order", list(orders), default="Frequency", required=True, key="order", bind="query-params",
        help="Frequency: the most frequent class first. Clustered: classes that are forgotten "
        "alike stand side by side.",
    )  # fmt: skip
    return orders[chosen]


def chosen_pair() -> tuple[str, str]:
    """Two classes, in the address as `first` and `second`; the most different to begin with."""
    found = most_apart(statistics.class_pairs(opened, metric)) if tested else None
    first, second = found or pairs.most_different(fcd, unstable)
    return (
        widgets.addressed("first", by_frequency, first),
        widgets.addressed("second", by_frequency, second),
    )


def pair_picker() -> None:
    for place, (key, label) in zip(st.columns(2), PAIR.items(), strict=True):
        place.selectbox(label, by_frequency, key=key)


def take_click(key: str) -> None:
    """A clicked square or point chooses its two classes."""
    points = st.session_state[key]["selection"]["points"]
    if points and points[0].get("customdata"):
        st.session_state["first"], st.session_state["second"] = points[0]["customdata"][:2]


def draw_clickable(chart, key: str) -> None:
    widgets.draw(
        chart,
        key=key,
        level=3,
        of=opened,
        about=(metric, version),
        on_select=lambda: take_click(key),
        selection_mode="points",
    )


def show_heatmaps() -> None:
    cells = st.grid(3, min_column_width=320, gap="small")
    for key, draw in HEATMAPS.items():
        chart = draw(opened, metric, corrected, tuple(order))
        with cells.cell():
            draw_clickable(outlined(chart, order, pair), key)
    st.caption("A click on a square shows the curves of its two classes below.")
    widgets.downloads(opened, "class_pairs", lambda: statistics.class_pairs(opened, metric), tag)


def show_pair() -> None:
    chart = figures.two_curves(opened, metric, corrected, pair)
    groups, about = opened.config.groups, (metric, version, *pair)
    widgets.draw(chart, key="pair_chart", legend=groups, of=opened, about=about)
    if tested:
        row = pair_row(statistics.class_pairs(opened, metric), pair)
        st.markdown(ui.plain(pair_sentences.pair_apart(row, decay.n_runs(metrics))))
    facts = statistics.pair_facts(opened, metric, pair)
    st.markdown(
        f"Together on **{words.count(facts.n_both, 'test image')}**; {ui.plain(pair[0])} on "
        f"{facts.n_first:,}, {ui.plain(pair[1])} on {facts.n_second:,}. "
        f"Co-occurrence IoU **{words.number(facts.iou)}**."
    )


def show_scatters() -> None:
    st.markdown("## What goes with being forgotten differently?")
    beside = {} if opened.subgroup or metric != "ap" else published(opened.config)
    cells = st.grid(2, min_column_width=300, gap="medium")
    for key, (correlation, draw) in SCATTERS.items():
        chart = draw(opened, metric, corrected, beside.get(correlation))
        with cells.cell():
            draw_clickable(ringed(chart, pair) if two_classes else chart, f"scatter_{key}")
    if corrected:
        widgets.downloads(opened, "claims", lambda: statistics.claims(opened))
        st.caption(pair_sentences.NO_INTERACTION)
    else:
        widgets.downloads(opened, "correlations", lambda: statistics.correlations(opened))


def show_interaction() -> None:
    st.markdown("## Do frequency and co-occurrence act together?")
    rows = with_plain_terms(statistics.interaction(opened, metric))
    st.markdown(ui.plain(pair_sentences.interaction(rows)))
    tables.show(
        rows.assign(term=rows["plain_term"].map(pair_sentences.TERMS)),
        INTERACTION,
        ("term", "coefficient", "t", "ols_p", "n"),
        height="content",
        alt="Terms of the interaction model with their coefficients and p-values",
    )
    st.caption(
        "Ordinary least squares of FCD on the difference of log frequency, IoU^(1/4) and their "
        "product."
    )
    widgets.downloads(opened, "interaction", lambda: statistics.interaction(opened, metric), tag)


opened = ui.open_study()
ui.page_head("Forgettability", opened)
loaders.finished_metrics(opened)
controls = st.container(key="controls", horizontal=True, vertical_alignment="bottom")
with controls:
    corrected = widgets.reading_switch()
    metric = PRIMARY if corrected else widgets.metric_switch()
    opened = filters.subgroup_filter(opened)
st.caption(pair_sentences.EDITIONS[corrected])
filters.show_subgroup(opened)

metrics = loaders.class_metrics(opened)
pruned = decay.pruned_sparsities(metrics)
tag = "" if metric == "ap" else metric
version = "corrected" if corrected else "paper"
unstable = statistics.unstable_classes(opened)
fcd, clustered = statistics.fcd(opened, metric)
by_frequency = [name for name in loaders.frequencies(opened)["class_name"] if name in fcd.index]
if len(by_frequency) < 2 or not pruned:
    st.info("This needs two classes, the dense model and at least one sparsity above 0.")
    st.stop()
with controls:
    order = order_switch()
tested = corrected and evidence.is_known(opened)
if corrected and not tested:
    st.info(pair_sentences.IN_SUBGROUP if opened.subgroup else pair_sentences.NOT_READ)
pair = chosen_pair()
show_heatmaps()
pair_picker()
two_classes = pair[0] != pair[1]
if two_classes:
    show_pair()
else:
    st.info("Choose two different classes.")
if tested or not corrected:
    show_scatters()
if not corrected:
    show_interaction()
