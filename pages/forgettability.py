"""How differently every two classes are forgotten, and what goes with it."""

from dataclasses import replace

import streamlit as st

from core import ui
from core.analysis import decay
from core.analysis.class_changes import PRIMARY
from core.ui import evidence, filters, results, switches, widgets
from core.ui.forgettability import figures, sections
from core.wording import pair_sentences
from core.wording.dense_sentences import nothing_pruned

view = ui.open_study()
ui.page_head("Forgettability", view)
results.finished_metrics(view)
controls = widgets.controls()
with controls:
    which = switches.switch("map", "Map", sections.MAPS, **switches.QUIET)
    first = st.container(
        width="content"
    )  # whether there is a metric to choose depends on the reading
    view = filters.subgroup_filter(view)
    settings = widgets.settings()
    with settings:
        corrected = switches.reading_switch(pair_sentences.EDITIONS)
    with first:
        metric = PRIMARY if corrected else switches.metric_switch()
    widgets.differs("" if corrected else "Paper")
view = replace(view, corrected=corrected, metric=metric)
filters.show_subgroup(view)

distances, clustered = figures.distances(view)
names = results.table(view, "class_frequencies")["class_name"]
by_frequency = [name for name in names if name in distances.index]
if len(by_frequency) < 2 or not decay.pruned_sparsities(results.class_metrics(view)):
    needs = "This needs two classes, the dense model and at least one sparsity above 0."
    st.info(nothing_pruned(view.config, needs))
    st.stop()
with settings:
    order = switches.switch(
        "order",
        "Order of the classes",
        {"frequency": "Frequency", "clustered": "Clustered"},
        help="Frequency: the most frequent class first. Clustered: classes that are forgotten "
        "alike stand side by side.",
    )
with controls:
    widgets.differs("Clustered" if order == "clustered" else "")
tested = corrected and evidence.is_known(view)
pair = sections.chosen_pair(view, by_frequency, tested)
map_of_pairs, of_pair = st.columns([11, 9], gap="medium")
with map_of_pairs:
    in_order = clustered if order == "clustered" else by_frequency
    sections.show_map(view, which, in_order, pair, tested)
with of_pair:
    pair.pick()
    sections.show_pair(view, pair, tested)
if corrected and not tested:
    st.info(pair_sentences.IN_SUBGROUP if view.subgroup else pair_sentences.NOT_READ)
else:
    sections.fold_scatters(view, pair)
if not corrected:
    sections.fold_interaction(view)
