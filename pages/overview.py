"""Which study this is, what was run, how far it is, and what pruning does to it as a whole."""

import streamlit as st

from core import ui
from core.analysis import decay
from core.ui import results
from core.ui.overview import facts, headline, overall, report, tour

view = ui.open_study()
ui.page_head("Overview", view)
metrics = results.class_metrics(view)
has_losses = bool(decay.pruned_sparsities(metrics))
ui.show_progress(view)
if has_losses:  # in its place, though it takes a moment: set in later, it would move the rest
    headline.show(view)
tour.show(view.config.synthetic and not has_losses)
facts.show(view)
report.offer(view)
if metrics.empty:
    st.info("mAP appears here as soon as the first (run, sparsity) is finished.")
else:
    overall.show(view)
facts.show_frequencies(view)
