"""The test images on which the pruned model departs most from the dense one."""

import html
from dataclasses import replace

import pandas as pd
import streamlit as st

from core import ui
from core.analysis import gallery
from core.charts.composition import class_ratio_chart, finding_count_chart, z_chart
from core.store import finished_ensembles
from core.study import images_dir, percent
from core.ui import composition as pie_composition
from core.ui import exemplars, gallery_filters, inspector, loaders, people, widgets
from core.wording import findings, image_findings, markup, words

THUMBNAILS = {"Small": 130, "Medium": 180, "Large": 280}
BESIDE_AN_IMAGE = 140  # two in a row, where one of them is looked at
PER_PAGE = 24
NO_IMAGES = (
    "No images were given at import (`--images DIR`), so the PIEs are listed by name. Import again "
    "with that option to see them."
)


def chosen_image() -> str | None:
    """The image to look at closely, in the address as `image`."""
    asked = st.query_params.get("image")
    return asked if asked and gallery.holds(images, asked) else None


def choose(image_id: str | None) -> None:
    if image_id is None:
        st.query_params.pop("image", None)
    else:
        st.query_params["image"] = image_id


def show_grid(width: int) -> None:
    n_pages = gallery.n_pages(len(shown), PER_PAGE)
    widgets.drop_stale("page", list(range(1, n_pages + 1)))
    page = 1
    if n_pages > 1:
        page = st.pagination(n_pages, key="page", bind="query-params")
    of_page = gallery.page_of(shown, page, PER_PAGE)
    if not has_images:
        st.info(NO_IMAGES, icon=":material/hide_image:")
    elif size := exemplars.source_size(opened, of_page["image_id"].iloc[0]):
        st.caption(words.source(size, width))
    with st.grid(min_column_width=width, gap="small"):
        for position, (_, image) in enumerate(of_page.iterrows()):
            with st.container(key=f"card-{position}", gap=None):
                show_card(image, width)


def show_card(image: pd.Series, width: int) -> None:
    image_id = image["image_id"]
    labelled = inspector.chips(images, image, sparsity)
    caption = f"agreement <b>{words.number(image['agreement'])}</b><br>{labelled}"
    kind = "ps-open" if image_id == chosen else ""
    if has_images:
        of = opened.folder.name, image_id
        st.html(markup.xray(*of, 2 * width, caption, person=looking.email, kind=kind))
    else:
        st.html(markup.without_xray(f"<b>{html.escape(image_id)}</b><br>{caption}", kind=kind))
    st.button(
        f"Open {ui.plain(image_id)}", key=f"open-{image_id}", on_click=choose, args=(image_id,)
    )


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
    """What PIEs hold more of, and what a z-score says of the same images."""
    counts = gallery.count_pies(images.table)
    st.markdown(ui.plain(findings.by_definition(counts.n_pies, counts.n_images)))
    by_class = exemplars.pie_class_ratio(opened, sparsity)
    by_count = exemplars.pie_finding_count_ratio(opened, sparsity)
    cells = st.grid(2, min_column_width=300, gap="medium")
    with cells.cell():
        legend = opened.config.groups
        widgets.draw(class_ratio_chart(by_class, groups), "pie_class_chart", legend, level=3)
        widgets.downloads(opened, "pie_class_ratio", lambda: by_class, tag)
    with cells.cell():
        widgets.draw(finding_count_chart(by_count), "pie_count_chart", level=3)
        widgets.downloads(opened, "pie_finding_count_ratio", lambda: by_count, tag)
    pie_composition.show_quality_and_noise(opened, sparsity, tag)
    show_other_definitions()


def show_other_definitions() -> None:
    definitions = exemplars.kept_definitions(opened, sparsity)
    if definitions is None:
        st.markdown(
            "Agreement as a z-score against dense models among themselves, and modal disagreement, "
            "do not have this fault. They compare the runs, which takes a while the first time."
        )
        if not st.button("Work them out", icon=":material/calculate:"):
            return
        definitions = exemplars.work_out_definitions(opened, sparsity)
    found = gallery.z_counts(definitions)
    if found.n_known:
        title = findings.z_reading(found.n_pies, found.n_within, found.n_low, found.n_known)
        widgets.draw(z_chart(definitions, title), "z_chart", level=3)
    else:
        st.info("One run only: there are no two halves of dense models to compare.")
    if found.n_modal is None:
        st.caption("No modal disagreement: the study keeps no validation predictions.")
    else:
        st.caption(
            f"Modal disagreement (most runs change their mind on a class): "
            f"{words.count(found.n_modal, 'test image')}, {found.n_modal_pies:,} of them PIEs."
        )
    widgets.downloads(opened, "pies", lambda: exemplars.pies_table(opened, sparsity), tag)


looking = people.require("researcher", "admin")
opened = ui.open_study()
ui.page_head("PIE browser", opened)
st.caption(
    "Pruning-identified exemplars (PIEs): the test images whose classes the dense and the pruned "
    "model rank most differently. For research only, not for diagnosis."
)
ui.show_progress(opened)
ensembles = finished_ensembles(opened.folder)
if 0 not in ensembles or len(ensembles) < 2:
    st.info("PIEs need the dense model and one sparsity above 0, finished for every run.")
    st.stop()

chosen_filters = gallery_filters.choose(opened, ensembles[1:], exemplars.can_lose(opened))
sparsity = chosen_filters.sparsity
groups = loaders.groups_of_classes(opened)
images = exemplars.images(opened, sparsity)
tag = f"sparsity-{percent(sparsity)}"
with st.expander(
    "What PIEs hold more of", on_change="rerun", key="composition", bind="query-params"
) as composition:
    if composition.open:
        show_composition()
if chosen_filters.needs_comparison(images):
    show_unknown_definition()
if chosen_filters.unknown(images):
    st.info(image_findings.NO_ANSWER[chosen_filters.definition])
    st.stop()

with st.container(key="order", horizontal=True):
    order = gallery_filters.choose_order()
    thumbnail = gallery_filters.switch("size", "Thumbnails", list(THUMBNAILS), "Medium")
shown = replace(chosen_filters, order=order)(images)
gallery_filters.show_counts(chosen_filters, images, len(shown))
if n_constant := gallery.count_pies(images.table).n_constant:
    st.caption(words.constant_vectors(n_constant))

has_images = images_dir(opened.config.dataset) is not None
chosen = chosen_image()
# One beside the other by CSS: in columns the whole grid would be drawn anew for every image opened.
with st.container(key="browser"):
    left = st.container(key="gallery")
    if chosen:
        with st.container(key="inspector"):  # first, for it is what somebody waits for
            inspector.show(opened, images, shown, chosen, sparsity, choose, has_images)
with left:
    if shown.empty:
        gallery_filters.explain_nothing(chosen_filters, images)
    else:
        width = THUMBNAILS[thumbnail]
        show_grid(min(width, BESIDE_AN_IMAGE) if chosen else width)
