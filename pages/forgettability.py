"""How differently every two classes are forgotten, and what goes with it."""

from dataclasses import replace

import streamlit as st

from core import ui
from core.analysis import decay
from core.analysis.class_changes import PRIMARY
from core.ui import evidence, filters, results, switches
from core.ui.forgettability import figures, sections
from core.wording import pair_sentences

view = ui.open_study()
ui.page_head("Forgettability", view)
results.finished_metrics(view)
controls = st.container(key="controls", horizontal=True, vertical_alignment="bottom")
with controls:
    corrected = switches.reading_switch()
    metric = PRIMARY if corrected else switches.metric_switch()
    view = filters.subgroup_filter(view)
view = replace(view, corrected=corrected, metric=metric)
st.caption(pair_sentences.EDITIONS[corrected])
filters.show_subgroup(view)

distances, clustered = figures.distances(view)
names = results.table(view, "class_frequencies")["class_name"]
by_frequency = [name for name in names if name in distances.index]
if len(by_frequency) < 2 or not decay.pruned_sparsities(results.class_metrics(view)):
    st.info("This needs two classes, the dense model and at least one sparsity above 0.")
    st.stop()
with controls:
    order = switches.switch(
        "order",
        "Order",
        {"frequency": "Frequency", "clustered": "Clustered"},
        help="Frequency: the most frequent class first. Clustered: classes that are forgotten "
        "alike stand side by side.",
    )
tested = corrected and evidence.is_known(view)
if corrected and not tested:
    st.info(pair_sentences.IN_SUBGROUP if view.subgroup else pair_sentences.NOT_READ)
pair = sections.chosen_pair(view, by_frequency, tested)
sections.show_heatmaps(view, clustered if order == "clustered" else by_frequency, pair)
pair.pick()
sections.show_pair(view, pair, tested)
if tested or not corrected:
    sections.show_scatters(view, pair)
if not corrected:
    sections.show_interaction(view)
