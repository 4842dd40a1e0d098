"""One X-ray beside the grid: the image, what becomes of each finding, and the patient's others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from markupsafe import Markup

from core.analysis import gallery
from core.analysis.gallery import Images
from core.analysis.image_curves import finding_fates
from core.analysis.lost import OPERATING_POINT, RANK
from core.charts.images import image_curves_chart, image_ranks_chart
from core.results import export
from core.study.paths import percent
from core.ui import markup, people, plain, widgets
from core.ui.pie_browser import cards
from core.ui.pie_browser.filters import LOST_BY
from core.ui.pie_browser.images import curves, has_points, limits, operating_points
from core.ui.view import View
from core.ui.viewer import ViewerImage, xray_viewer
from core.wording import columns, image_sentences, words

MOST_OTHERS = 12
SMALL, OTHERS_WIDTH = 128, 104
# How many images the viewer is told of on either side, so that it can step without waiting.
BEFORE, AFTER = 3, 8
RAISED_ON_CARD, RAISED_HERE = 2, 6  # chips of raised findings before the rest is only counted
RANKS_ABOVE = "Share of the test images without the class that it ranks above"
Choose = Callable[[str | None], None]


@dataclass(frozen=True)
class Look:
    """One image looked at. image: its row of the images' table."""

    view: View
    images: Images
    image: pd.Series

    @property
    def row(self) -> int:
        return int(self.image["test_order"])

    @property
    def name(self) -> str:
        return str(self.image["image_id"])

    @cached_property
    def labels(self) -> dict[str, bool | None]:
        return gallery.labels_of(self.images, self.row)

    @cached_property
    def curves(self) -> pd.DataFrame:
        return curves(self.view, self.row)


def show(
    view: View,
    images: Images,
    shown: pd.DataFrame,
    image_id: str | None,
    choose: Choose,
    has_images: bool,
) -> None:
    """`shown`: the images of the filter in force; `choose` opens another one, or none.

    Without an `image_id` the viewer waits, unseen, for a card that is clicked.
    """
    if has_images or image_id:
        with st.container(key="way" if image_id else "no-way"):
            _show_way(shown, image_id, choose, steps=not has_images)
    if has_images:
        _show_xray(view, images, shown, image_id, choose)
    if image_id is None:
        return
    look = Look(view, images, gallery.one_image(images, image_id))
    _show_name(look)
    _show_findings(look)
    _show_change(look)
    _show_others(look, choose, has_images)
    _show_rest(look)


def chips(images: Images, row: int, sparsity: float, most_raised: int = RAISED_ON_CARD) -> Markup:
    """An image's labels, with where those are lost that are lost by this sparsity; then
    what is raised by it.

    row: of the image, in test-set order. most_raised: beyond it raised findings are counted.
    """
    present = [images.class_names[place] for place in images.present[row].nonzero()[0]]
    lost = gallery.lost_by(row, images, sparsity)
    said = {name: f"lost at {words.percent(at)}" for name, at in lost.items()}
    labels = markup.class_chips(present, images.groups, said) or Markup("no label")
    raised = gallery.raised_by(row, images, sparsity)
    called = {name: f"raised at {words.percent(at)}" for name, at in raised.items()}
    some = list(called)[:most_raised]
    more = f" {len(called) - len(some)} more raised" if len(called) > len(some) else ""
    if not raised:
        return labels
    chips_raised = markup.class_chips(some, images.groups, called, kind="ps-raised")
    return Markup("{}<br>{}{}").format(labels, chips_raised, more)


def _show_way(shown: pd.DataFrame, image_id: str | None, choose: Choose, steps: bool) -> None:
    """Where in the filter one is, and the way out; with `steps`, for want of a viewer that has
    its own, to the next image as well."""
    nowhere = None, None, None
    position, before, after = gallery.neighbours(shown, image_id) if image_id else nowhere
    with st.container(horizontal=True, vertical_alignment="center"):
        if steps:
            st.button("Previous", on_click=choose, args=(before,), disabled=before is None)
            st.button("Next", on_click=choose, args=(after,), disabled=after is None)
        st.button("Close", on_click=choose, args=(None,))
        where = f"{position:,} of {len(shown):,}" if position else "not in this list"
        st.markdown(where if image_id else "…")


def _show_xray(
    view: View, images: Images, shown: pd.DataFrame, image_id: str | None, choose: Choose
) -> None:
    near, at = gallery.around(shown, image_id, BEFORE, AFTER) if image_id else ([], None)
    others = gallery.others_of_patient(images, image_id)["image_id"] if image_id else []
    priors = list(others[:MOST_OTHERS])
    known = images.table[images.table["image_id"].isin([*near, *priors])]
    rows = dict(zip(known["image_id"], known["test_order"], strict=True))
    told = {name: columns.taken(gallery.attributes_of(images, row)) for name, row in rows.items()}

    def in_viewer(name: str) -> ViewerImage:
        taken, address = told.get(name, ""), people.xray_address(view.folder.name, name)
        return ViewerImage(name, address, taken, f"{taken} ({name})" if taken else name)

    xray_viewer(
        [in_viewer(name) for name in near],
        at,
        "xray_viewer",
        source=view.folder.name,
        on_step=choose,
        cards=".st-key-browser",
        priors=[in_viewer(name) for name in priors],
    )


def _show_name(look: Look) -> None:
    agreement, rank = float(look.image["agreement"]), look.image["rank"]
    labelled = chips(look.images, look.row, look.view.at, RAISED_HERE)
    st.html(markup.named(look.name, labelled))
    n = int(look.images.table["agreement"].notna().sum())
    said = image_sentences.image_caption(agreement, 0 if pd.isna(rank) else int(rank), n)
    st.caption(plain(said))


def _show_findings(look: Look) -> None:
    view, images = look.view, look.images
    least = limits(view, images.by)
    fates = finding_fates(look.curves, least, look.labels, images.by)
    draw = image_ranks_chart if images.by == RANK else image_curves_chart
    chart = draw(look.curves, fates, least, images.groups, view.at)
    widgets.draw(chart, "image_curves", view.config.groups, of=view, about=view.about[-1:])
    if images.by == OPERATING_POINT and not has_points(view):
        st.caption(image_sentences.NO_OPERATING_POINTS)
    elif len(fates) > 1:
        told = image_sentences.fates_told(fates)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in told))


def _show_change(look: Look) -> None:
    images, sparsity = look.images, look.view.at
    changes = gallery.image_change(look.curves, look.labels, sparsity)
    lost = dict(zip(images.class_names, images.lost[look.row], strict=True))
    raised = dict(zip(images.class_names, gallery.false_alarms(images, look.row), strict=True))
    if images.by == RANK:
        limits = ["dense_rank", "pruned_rank"]
        for column in limits:
            changes[column] = changes[column].map(image_sentences.rank_in_percent)
    else:
        limits = ["operating_point"]
        changes["operating_point"] = changes["class_name"].map(operating_points(look.view))
    changes["lost_at_sparsity"] = changes["class_name"].map(lost) * 100
    changes["raised_at_sparsity"] = changes["class_name"].map(raised) * 100
    at = words.percent(sparsity)
    st.markdown(f"### {plain(image_sentences.most_changed(changes, sparsity).removesuffix('.'))}")
    number, by = st.column_config.NumberColumn, f"By {LOST_BY[images.by].lower()}"
    st.dataframe(
        changes[
            [
                *("class_name", "label", "dense", "pruned", "class_place"),
                *(*limits, "lost_at_sparsity", "raised_at_sparsity", "change"),
            ]
        ],
        hide_index=True,
        key="dense_against_pruned",
        height=35 * (min(len(changes), 10) + 1) + 2,
        column_config={
            "class_name": "Class",
            "label": st.column_config.TextColumn("Label", help="Empty: uncertain"),
            "dense": number("Dense", format="%.3g", help="Mean over runs"),
            "pruned": number(f"At {at}", format="%.3g", help="Mean over runs"),
            "change": number("Change", format="%+.3g"),
            "class_place": st.column_config.TextColumn(
                "Place", help=f"Dense to {at} sparsity; 1 is the image's most probable class"
            ),
            "operating_point": number("Operating point", format="%.3g"),
            "dense_rank": number("Rank dense", format="%.1f %%", help=RANKS_ABOVE),
            "pruned_rank": number(f"Rank at {at}", format="%.1f %%", help=RANKS_ABOVE),
            "lost_at_sparsity": number("Lost at", format="%.0f %%", help=by),
            "raised_at_sparsity": number(
                "Raised at", format="%.0f %%", help=f"{by}; not of labelled ones"
            ),
        },
    )  # fmt: skip


def _show_others(look: Look, choose: Choose, has_images: bool) -> None:
    others = gallery.others_of_patient(look.images, look.name)
    patient = plain(str(look.image["patient_id"]))
    if others.empty:
        st.caption(f"Patient {patient} has no other test image.")
        return
    st.markdown(f"### {words.count(len(others), 'other test image')} of patient {patient}")
    first = others.head(MOST_OTHERS)
    found = [
        cards.Card(image_id, Markup("agreement {}").format(words.number(agreement)))
        for image_id, agreement in zip(first["image_id"], first["agreement"], strict=True)
    ]
    if has_images:
        cards.show(look.view, found, SMALL, OTHERS_WIDTH)
    else:
        cards.show_names(found, OTHERS_WIDTH, choose, "Look at", "card-other", "other")
    if len(others) > MOST_OTHERS:
        st.caption(f"The first {MOST_OTHERS}; filter by the patient to see all.")


def _show_rest(look: Look) -> None:
    view = look.view
    st.html(markup.facts(columns.told(gallery.attributes_of(look.images, look.row))))
    table = look.curves.assign(image_id=look.name)
    table["operating_point"] = table["class_name"].map(operating_points(view))
    address = {"study": view.name, "image": look.name, "sparsity": percent(view.at)}
    address["lost_by"] = look.images.by
    with st.container(horizontal=True):
        st.download_button(
            "Curves of this image",
            data=people.logged_export(
                view.name, "image_curves", lambda: export.FORMATS[".csv"](table)
            ),
            file_name=f"{view.name}_{look.name}_curves.csv",
            key="download_image_curves",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )
        st.link_button(
            "Link to this image",
            f"?{urlencode(address)}",
            type="tertiary",
            icon=":material/link:",
        )
