"""The test images on which the pruned model departs most from the dense one."""

from dataclasses import replace

import streamlit as st

from core import ui
from core.analysis import gallery
from core.ui import people
from core.ui.filters import say_all_images, show_conditions, subgroup_filter
from core.ui.pie_browser import browser, composition, filters, found, saved_views
from core.ui.pie_browser.images import has_points, images, of_subgroup
from core.wording.dense_sentences import nothing_pruned

looking = people.require("researcher", "admin")
view = ui.open_study()
ui.page_head("PIE browser", view)
ui.show_progress(view)
ensembles = view.study.grid
if 0 not in ensembles or len(ensembles) < 2:
    needs = "PIEs need the dense model and one sparsity above 0, finished for every run."
    st.info(nothing_pruned(view.config, needs))
    st.stop()

chosen = filters.choose(view, ensembles[1:], has_points(view))
view = replace(view, sparsity=chosen.gallery.sparsity)
known = images(view, chosen.by)
found.explain_unknown(view, chosen.gallery, known)

with st.container(key="above-grid", horizontal=True, vertical_alignment="center"):
    counts = st.container(key="counts", horizontal=True, vertical_alignment="center", gap="small")
    with st.container(
        key="order", horizontal=True, vertical_alignment="center", width="content", gap="small"
    ):
        of = subgroup_filter(view, "Subgroup")
        order, thumbnail = filters.choose_order(), filters.choose_size()
        saved_views.show(view, looking)
show_conditions(of)
known, chosen = of_subgroup(known, of), replace(chosen, of=of)
shown = replace(chosen.gallery, order=order)(known)
with counts:
    filters.show_counts(chosen, known, len(shown))
browser.show(browser.Browsed(view, known, chosen, shown, thumbnail))

if order == gallery.FINDINGS_FIRST and len(shown):
    found.say_what_is_first(view, known, shown)
if of.subgroup is None:
    found.link_to_numbers(view)
found.count_constant(known)
with st.expander(
    "What PIEs hold more of", on_change="rerun", key="composition", bind="query-params"
) as opened:
    if opened.open:
        say_all_images()
        composition.show(view, known)
