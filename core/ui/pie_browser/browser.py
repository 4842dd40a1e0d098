"""The grid of X-rays, and the one that is open beside it.

What is open is a fragment: opening, stepping and closing draw only it again, and neither the grid
nor the filters. Where there are images, a click on a card does not even wait for that: the viewer
takes it (see `core.ui.viewer`); the link of the card is the way of who has no viewer yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from markupsafe import Markup

from core.analysis import gallery
from core.analysis.gallery import Images
from core.errors import InputError, WorkError
from core.people.access import SEES_STUDIES
from core.study.paths import images_dir
from core.ui import people, plain, widgets
from core.ui.pie_browser import cards, filters, inspector
from core.ui.pie_browser.filters import Chosen
from core.ui.pie_browser.images import source_size
from core.ui.view import View
from core.wording import words

THUMBNAILS = {"small": 130, "medium": 160, "large": 280}  # CSS pixels
BESIDE_AN_IMAGE = 140  # two in a row, where one of them is looked at
PER_PAGE = 24
NO_IMAGES = (
    "No images were given at import (`--images DIR`), so the PIEs are listed by name. Import again "
    "with that option to see them."
)


@dataclass(frozen=True)
class Browsed:
    """What the page has chosen: the view, its images, and those of the filters in their order.

    thumbnail: one of THUMBNAILS.
    """

    view: View
    images: Images
    chosen: Chosen
    shown: pd.DataFrame
    thumbnail: str

    @property
    def told_until(self) -> float:
        """By when a finding is lost or raised that its card tells of."""
        return self.chosen.gallery.told_until

    @property
    def has_images(self) -> bool:
        return images_dir(self.view.config.dataset) is not None


def show(browsed: Browsed) -> None:
    """The grid, and beside it the X-ray that the address names as `image`."""
    # One beside the other by CSS: in columns the whole grid would be drawn again for every image.
    with st.container(key="browser"):
        left = st.container(key="gallery")
        with st.container(key="inspector"):  # first, for it is what somebody waits for
            _inspect(browsed)
    with left:
        if browsed.shown.empty:
            filters.explain_nothing(browsed.chosen, browsed.images)
        else:
            _show_grid(browsed, _chosen(browsed.images))


@st.fragment
def _inspect(browsed: Browsed) -> None:
    people.require(*SEES_STUDIES)  # a fragment runs without the page that has asked this
    chosen = _chosen(browsed.images)
    try:
        inspector.show(
            browsed.view,
            browsed.images,
            browsed.shown,
            chosen,
            _choose,
            browsed.has_images,
            browsed.told_until,
        )
    except (InputError, WorkError) as error:
        st.error(plain(str(error)), icon=":material/error:")


def _chosen(images: Images) -> str | None:
    asked = st.query_params.get("image")
    return asked if asked and gallery.holds(images, asked) else None


def _choose(image_id: str | None) -> None:
    if image_id is None:
        st.query_params.pop("image", None)
    else:
        st.query_params["image"] = image_id


def _show_grid(browsed: Browsed, chosen: str | None) -> None:
    width = THUMBNAILS[browsed.thumbnail]
    width = min(width, BESIDE_AN_IMAGE) if chosen else width
    n_pages = gallery.n_pages(len(browsed.shown), PER_PAGE)
    grid = st.container(key="full-grid" if n_pages > 1 else None)
    widgets.drop_stale("page", list(range(1, n_pages + 1)))
    page = 1
    if n_pages > 1:
        page = st.pagination(n_pages, key="page", bind="query-params")
    of_page = gallery.page_of(browsed.shown, page, PER_PAGE)
    found = [
        cards.Card(image_id, _caption(browsed, row, agreement), image_id == chosen)
        for image_id, row, agreement in zip(
            of_page["image_id"], of_page["test_order"], of_page["agreement"], strict=True
        )
    ]
    with grid:
        if browsed.has_images:
            cards.show(browsed.view, found, 2 * width, width)
        else:
            st.info(NO_IMAGES, icon=":material/hide_image:")
            cards.show_names(found, width, _choose, "Open", "card", "open")
    if browsed.has_images and (size := source_size(browsed.view, of_page["image_id"].iloc[0])):
        st.caption(words.source(size, width))


def _caption(browsed: Browsed, row: int, agreement: float) -> Markup:
    labelled = inspector.chips(browsed.images, row, browsed.told_until)
    return Markup("agreement <b>{}</b><br>{}").format(words.number(agreement), labelled)
