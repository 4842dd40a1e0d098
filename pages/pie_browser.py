"""The test images on which the pruned model departs most from the dense one."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core import ui
from core.analysis import gallery
from core.analysis.lost import RANK
from core.charts.composition import class_ratio_chart, finding_count_chart, z_chart
from core.results.pies import LOST
from core.study.paths import percent
from core.ui import (
    browser,
    exemplars,
    gallery_filters,
    loaders,
    operating,
    people,
    saved_views,
    widgets,
)
from core.ui import composition as pie_composition
from core.wording import image_sentences, pie_sentences, statistic_sentences, words


def show_unknown_definition() -> None:
    """A definition that compares the runs, and has not been worked out here."""
    st.info(
        "This definition compares the runs with each other, which takes a while the first time "
        "at each sparsity. What is worked out is kept."
    )
    if st.button("Work it out", icon=":material/calculate:"):
        exemplars.work_out_definitions(opened, sparsity)
        st.rerun()
    st.stop()


def show_composition() -> None:
    """What PIEs hold more of, beside the same of dense models, and what other definitions say."""
    counts = gallery.count_pies(images.table)
    st.markdown(ui.plain(statistic_sentences.by_definition(counts.n_pies, counts.n_images)))
    excess = exemplars.kept_excess(opened, sparsity)
    if excess is None:
        st.markdown(ui.plain(pie_sentences.NOT_COMPARED))
        if st.button("Compare dense models with each other", icon=":material/calculate:"):
            exemplars.work_out_definitions(opened, sparsity)
            st.rerun()
    elif not pie_sentences.held_against_dense(excess[excess["kind"] != LOST]):
        st.info(pie_sentences.TOO_FEW_RUNS)
    by_class = exemplars.pie_class_ratio(opened, sparsity)
    by_count = exemplars.pie_finding_count_ratio(opened, sparsity)
    cells = st.grid(2, min_column_width=300, gap="medium")
    with cells.cell():
        legend = opened.config.groups
        chart = class_ratio_chart(by_class, groups)
        widgets.draw(chart, "pie_class_chart", legend, level=3, of=opened, about=(tag,))
        widgets.downloads(opened, "pie_class_ratio", lambda: by_class, tag)
    with cells.cell():
        chart = finding_count_chart(by_count)
        widgets.draw(chart, "pie_count_chart", level=3, of=opened, about=(tag,))
        widgets.downloads(opened, "pie_finding_count_ratio", lambda: by_count, tag)
    if excess is not None:
        (lost,) = excess[excess["kind"] == LOST].to_dict("records")
        st.markdown(ui.plain(pie_sentences.labels_lost(lost)))
    pie_composition.show_quality_and_noise(opened, sparsity, tag)
    show_other_definitions()


def show_other_definitions() -> None:
    definitions = exemplars.kept_definitions(opened, sparsity)
    if definitions is None:
        return  # the button above works them out too
    found = gallery.z_counts(definitions)
    if found.n_known:
        title = statistic_sentences.by_z(found.n_pies, found.n_within, found.n_low, found.n_known)
        chart = z_chart(definitions, title)
        widgets.draw(chart, "z_chart", level=3, of=opened, about=(tag,))
    else:
        st.info("No z-score: below 3 runs, dense models have no spread among themselves.")
    if found.n_modal is None or found.n_modal_pies is None:
        st.caption("No modal disagreement: the study keeps no validation predictions.")
    else:
        st.caption(pie_sentences.modal(definitions, found.n_modal, found.n_modal_pies))
    widgets.downloads(opened, "pies", lambda: exemplars.pies_table(opened, sparsity), tag)


looking = people.require("researcher", "admin")
opened = ui.open_study()
ui.page_head("PIE browser", opened)
st.caption(
    "Pruning-identified exemplars (PIEs): the test images whose classes the dense and the pruned "
    "model rank most differently. For research only, not for diagnosis."
)
ui.show_progress(opened)
ensembles = opened.study.grid
if 0 not in ensembles or len(ensembles) < 2:
    st.info("PIEs need the dense model and one sparsity above 0, finished for every run.")
    st.stop()

chosen_filters, by = gallery_filters.choose(
    opened, ensembles[1:], exemplars.has_points(opened), partial(saved_views.show, opened, looking)
)
sparsity = chosen_filters.sparsity
groups = loaders.groups_of_classes(opened)
images = exemplars.images(opened, sparsity, by)
tag = f"sparsity-{percent(sparsity)}"
with st.expander(
    "What PIEs hold more of", on_change="rerun", key="composition", bind="query-params"
) as composition:
    if composition.open:
        show_composition()
if chosen_filters.needs_comparison(images):
    show_unknown_definition()
if chosen_filters.unknown(images):
    st.info(image_sentences.NO_ANSWER[chosen_filters.definition])
    st.stop()

with st.container(key="order", horizontal=True):
    order = gallery_filters.choose_order()
    thumbnail = gallery_filters.switch("size", "Thumbnails", list(browser.THUMBNAILS), "Medium")
shown = replace(chosen_filters, order=order)(images)
gallery_filters.show_counts(chosen_filters, images, len(shown))
if order == gallery.FINDINGS_FIRST and len(shown):
    fates = gallery.order_fates(images, sparsity)[shown["test_order"]]
    can_be_lost = by == RANK or exemplars.has_points(opened)
    n_raised = gallery.count_raised(images, shown, sparsity)
    st.caption(image_sentences.findings_first(fates, n_raised, sparsity, by, can_be_lost))
operating.link_to_numbers(opened, sparsity)
if n_constant := gallery.count_pies(images.table).n_constant:
    st.caption(words.constant_vectors(n_constant))

browser.show(browser.Browsed(opened, images, chosen_filters, shown, thumbnail))
