"""Every class's metric over sparsity, what each has lost, and whether rare classes lose more."""

from dataclasses import replace

import streamlit as st

from core import ui
from core.analysis import decay
from core.ui import evidence, filters, results, switches, widgets
from core.ui.class_ap import sparsity
from core.wording import statistic_sentences

view = ui.open_study()
ui.page_head("Class AP", view)
results.finished_metrics(view)
with widgets.controls():
    first = st.container(width="content")  # what it begins with follows from the reading
    view = filters.subgroup_filter(view)
    with widgets.settings():
        corrected = switches.reading_switch(statistic_sentences.EDITIONS)
        scale = switches.switch(
            "scale",
            "Scale",
            {"relative": "Relative to dense", "measured": "As measured"},
            help="Relative: (pruned \u2212 dense) / dense, as a share of dense.",
        )
    with first:
        metric = switches.metric_switch(default="somers_d" if corrected else "ap")
    widgets.differs("" if corrected else "Paper", "" if scale == "relative" else "As measured")
view = replace(view, corrected=corrected, metric=metric, relative=scale == "relative")
filters.show_subgroup(view)
pruned = decay.pruned_sparsities(results.class_metrics(view))
known = bool(pruned) and evidence.is_known(view)
sparsity.show(view)
if pruned:
    sparsity.show_other_sections(view, known)
