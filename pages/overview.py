"""What pruning makes this study's model forget, whether that is rarity, and how sure that is."""

import streamlit as st

from core import ui
from core.analysis import decay
from core.study.paths import labels_path
from core.ui import filters, results, widgets
from core.ui.overview import facts, headline, overall, report, tour
from core.wording.dense_sentences import nothing_pruned

view = ui.open_study()
ui.page_head("Overview", view)
filters.say_all_images()
metrics = results.class_metrics(view)
has_losses = bool(decay.pruned_sparsities(metrics))
ui.show_progress(view)
if has_losses:
    headline.show(view)
elif said := nothing_pruned(view.config, ""):
    st.info(said)
facts.say_caveats(view)
tour.show(view.config.synthetic and not has_losses)
if metrics.empty:
    st.info("mAP appears here as soon as the first (run, sparsity) is finished.")
else:
    widgets.fold("mAP over sparsity", "mean_ap", lambda: overall.show(view), not has_losses)
if labels_path(view.folder).exists():
    widgets.fold("How frequent each class is", "frequencies", lambda: facts.show_frequencies(view))
widgets.fold("What was run", "facts", lambda: facts.show(view), not has_losses)
report.offer(view)
