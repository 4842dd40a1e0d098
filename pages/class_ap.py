"""Every class's metric over sparsity, what each has lost, and whether rare classes lose more."""

from dataclasses import replace

import streamlit as st

from core import ui
from core.analysis import decay
from core.ui import evidence, filters, results, switches
from core.ui.class_ap import frequency, sparsity, summary
from core.wording import statistic_sentences

view = ui.open_study()
ui.page_head("Class AP", view)
results.finished_metrics(view)
with st.container(key="controls", horizontal=True, vertical_alignment="bottom"):
    corrected = switches.reading_switch()
    metric = switches.metric_switch(default="somers_d" if corrected else "ap")
    scale = switches.switch(
        "scale",
        "Scale",
        {"relative": "Relative to dense", "measured": "As measured"},
        help="Relative: (pruned \u2212 dense) / dense, as a share of dense.",
    )
    view = filters.subgroup_filter(view)
view = replace(view, corrected=corrected, metric=metric, relative=scale == "relative")
st.caption(statistic_sentences.EDITIONS[corrected])
filters.show_subgroup(view)
pruned = decay.pruned_sparsities(results.class_metrics(view))
known = bool(pruned) and evidence.is_known(view)
sparsity.show(view)
if pruned:
    frequency.show(view, known)
    summary.show(view, known)
