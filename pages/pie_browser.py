"""The test images on which the pruned model departs most from the dense one."""

import html

import pandas as pd
import streamlit as st

from core import findings, markup, ui, words
from core.analysis import gallery
from core.charts.composition import class_ratio_chart, finding_count_chart, z_chart
from core.charts.images import probabilities_chart
from core.store import finished_ensembles
from core.study import images_dir, percent
from core.ui import exemplars, loaders, widgets

THUMBNAILS = {"Small": 130, "Medium": 190, "Large": 280}
PER_PAGE = 24
NO_IMAGES = (
    "No images were given at import (`--images DIR`), so the PIEs are listed by name. Import again "
    "with that option to see them."
)


def switch(label: str, options: list[str], default: str, key: str) -> str:
    return st.segmented_control(
        label, options, default=default, required=True, key=key, bind="query-params"
    )


def show_counts() -> None:
    counts = gallery.count_pies(pies)
    shown = words.pies_shown(counts.n_pies, counts.n_images, len(images) if with_classes else None)
    st.markdown(f"**{shown}**")
    if counts.n_constant:
        st.caption(words.constant_vectors(counts.n_constant))


def chosen_image() -> str | None:
    """The image to look at closely, in the address as `image`."""
    asked = st.query_params.get("image")
    return asked if asked in set(pies["image_id"]) else None


def choose(image_id: str | None) -> None:
    if image_id is None:
        st.query_params.pop("image", None)
    else:
        st.query_params["image"] = image_id


def show_grid(width: int) -> None:
    widgets.drop_stale("page", list(range(1, n_pages + 1)))
    page = 1
    if n_pages > 1:
        page = st.pagination(n_pages, key="page", bind="query-params")
    shown = gallery.page_of(images, page, PER_PAGE)
    if not has_images:
        st.info(NO_IMAGES, icon=":material/hide_image:")
    elif size := exemplars.source_size(opened, shown["image_id"].iloc[0]):
        st.caption(words.source(size, width))
    with st.grid(min_column_width=width, gap="small"):
        for position, (_, image) in enumerate(shown.iterrows()):
            with st.container(key=f"card-{position}", gap=None):
                show_card(image, width)


def show_card(image: pd.Series, width: int) -> None:
    image_id = image["image_id"]
    caption = f"agreement <b>{words.number(image['agreement'])}</b><br>{chips(image)}"
    kind = "ps-open" if image_id == chosen else ""
    if has_images:
        st.html(markup.xray(opened.folder.name, image_id, 2 * width, caption, kind=kind))
    else:
        st.html(markup.without_xray(f"<b>{html.escape(image_id)}</b><br>{caption}", kind=kind))
    st.button(
        f"Open {ui.plain(image_id)}", key=f"open-{image_id}", on_click=choose, args=(image_id,)
    )


def chips(image: pd.Series) -> str:
    present = gallery.present_classes(image, labels.class_names)
    return markup.class_chips(present, groups) or "no label"


def show_inspector() -> None:
    position, before, after = gallery.neighbours(images, chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Previous", on_click=choose, args=(before,), disabled=before is None)
        st.button("Next", on_click=choose, args=(after,), disabled=after is None)
        st.button("Close", on_click=choose, args=(None,))
        where = f"{position:,} of {len(images):,}" if position else "not in this list"
        st.markdown(where)
    image = gallery.one_image(pies, test, chosen)
    caption = f"<b>{html.escape(chosen)}</b><br>{chips(image)}"
    if has_images:
        size = exemplars.source_size(opened, chosen)
        source = words.source(size, 640) if size else "This image cannot be read."
        caption += f"<br>{html.escape(source)}"
        st.html(markup.xray(opened.folder.name, chosen, 1024, caption, kind="ps-large"))
    else:
        st.html(markup.without_xray(caption))
    described = {name: str(image[name]) for name in ("patient_id", *labels.attributes)}
    agreement = {"agreement": words.number(image["agreement"])}
    st.html(markup.facts(agreement | described))
    changes = gallery.image_change(
        exemplars.image_probabilities(opened, chosen, 0.0),
        exemplars.image_probabilities(opened, chosen, sparsity),
        image,
        labels.class_names,
    )
    chart = probabilities_chart(changes, groups, sparsity)
    widgets.draw(chart, key="probabilities_chart", legend=opened.config.groups)


def show_composition() -> None:
    """What PIEs hold more of, and what a z-score says of the same images."""
    counts = gallery.count_pies(pies)
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
    widgets.downloads(opened, "pies", lambda: definitions, tag)


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

slider, filters = st.columns(2, gap="medium")
with slider:
    sparsity = widgets.sparsity_slider(ensembles[1:])
labels, groups = loaders.labels(opened), loaders.groups_of_classes(opened)
test = exemplars.test_rows(opened)
pies = exemplars.pies(opened, sparsity)
with filters:
    every = list(labels.class_names)
    with_classes = widgets.class_picker("Only PIEs with all of these classes", every)
with st.container(horizontal=True):
    order = switch("Sort by", list(gallery.ORDERS), "Lowest agreement", "sort")
    thumbnail = switch("Thumbnails", list(THUMBNAILS), "Medium", "size")
tag = f"sparsity-{percent(sparsity)}"
with st.expander(
    "What PIEs hold more of", on_change="rerun", key="composition", bind="query-params"
) as composition:
    if composition.open:
        show_composition()
images = gallery.Gallery(order, tuple(with_classes))(pies, test)
n_pages = gallery.n_pages(len(images), PER_PAGE)
show_counts()

has_images = images_dir(opened.config.dataset) is not None
chosen = chosen_image()
with st.container(key="browser"):
    left, right = st.columns(2, gap="medium") if chosen else (st.container(), None)
with left:
    if images.empty:
        st.info("No PIE at this sparsity carries all of these classes.")
    else:
        show_grid(THUMBNAILS[thumbnail])
if chosen:
    with right, st.container(key="inspector"):
        show_inspector()
