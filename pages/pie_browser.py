"""The test images on which the pruned model departs most from the dense one."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core import ui
from core.analysis import gallery
from core.ui import people
from core.ui.pie_browser import browser, composition, filters, found, saved_views
from core.ui.pie_browser.images import has_points, images

looking = people.require("researcher", "admin")
view = ui.open_study()
ui.page_head("PIE browser", view)
st.caption(
    "Pruning-identified exemplars (PIEs): the test images whose classes the dense and the pruned "
    "model rank most differently. For research only, not for diagnosis."
)
ui.show_progress(view)
ensembles = view.study.grid
if 0 not in ensembles or len(ensembles) < 2:
    st.info("PIEs need the dense model and one sparsity above 0, finished for every run.")
    st.stop()

chosen, by = filters.choose(
    view, ensembles[1:], has_points(view), partial(saved_views.show, view, looking)
)
view = replace(view, sparsity=chosen.sparsity)
known = images(view, by)
with st.expander(
    "What PIEs hold more of", on_change="rerun", key="composition", bind="query-params"
) as opened:
    if opened.open:
        composition.show(view, known)
found.explain_unknown(view, chosen, known)

with st.container(key="order", horizontal=True):
    order = filters.choose_order()
    thumbnail = filters.choose_size()
shown = replace(chosen, order=order)(known)
filters.show_counts(chosen, known, len(shown))
if order == gallery.FINDINGS_FIRST and len(shown):
    found.say_what_is_first(view, known, shown)
found.link_to_numbers(view)
found.count_constant(known)
browser.show(browser.Browsed(view, known, chosen, shown, thumbnail))
