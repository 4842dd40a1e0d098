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
from core.analysis.image_change import image_change
from core.analysis.image_curves import finding_fates
from core.analysis.lost import OPERATING_POINT, RANK
from core.charts.images import image_curves_chart, image_ranks_chart
from core.results import export
from core.study.paths import percent
from core.ui import markup, people, plain, widgets
from core.ui.pie_browser import cards
from core.ui.pie_browser.filters import LOST_BY
from core.ui.pie_browser.images import curves, has_points, limits, operating_points, similar
from core.ui.view import View
from core.ui.viewer import ViewerImage, xray_viewer
from core.wording import columns, image_sentences, words

MOST_OTHERS, MOST_SIMILAR = 12, 8
SMALL, OTHERS_WIDTH = 128, 104
# How many images the viewer is told of on either side, so that it can step without waiting.
BEFORE, AFTER = 3, 8
RAISED_ON_CARD, RAISED_HERE = 2, 6  # chips of raised findings before the rest is only counted
Choose = Callable[[str | None], None]


@dataclass(frozen=True)
class Look:
    """One image looked at. image: its row of the images' table. told_until: see `show`."""

    view: View
    images: Images
    image: pd.Series
    told_until: float

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
    def attributes(self) -> dict[str, str]:
        return gallery.attributes_of(self.images, self.row)

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
    told_until: float,
) -> None:
    """`shown`: the images of the filter in force; `choose` opens another one, or none. told_until:
    by when a finding is lost or raised that is told of.

    Without an `image_id` the viewer waits, unseen, for a card that is clicked.
    """
    if has_images or image_id:
        with st.container(key="way" if image_id else "no-way"):
            _show_way(shown, image_id, choose, steps=not has_images)
    if has_images:
        _show_xray(view, images, shown, image_id, choose)
    if image_id is None:
        return
    look = Look(view, images, gallery.one_image(images, image_id), told_until)
    _show_name(look)
    _show_others(look, choose, has_images)
    _show_findings(look)
    _show_change(look)
    _show_similar(look, choose, has_images)
    _show_rest(look)


def chips(images: Images, row: int, sparsity: float, most_raised: int = RAISED_ON_CARD) -> Markup:
    """An image's labels, those first that are lost by this sparsity, with where; then what is
    raised by it.

    row: of the image, in test-set order. most_raised: beyond it raised findings are counted.
    """
    present = [images.class_names[place] for place in images.present[row].nonzero()[0]]
    lost = gallery.lost_by(row, images, sparsity)
    said = {name: f"lost at {words.percent(at)}" for name, at in lost.items()}
    lost_first = sorted(present, key=lambda name: name not in lost)
    labels = markup.class_chips(lost_first, images.groups, said) or Markup("no label")
    raised = gallery.raised_by(row, images, sparsity)
    called = {name: f"raised at {words.percent(at)}" for name, at in raised.items()}
    some = list(called)[:most_raised]
    more = f" {len(called) - len(some)} more raised" if len(called) > len(some) else ""
    if not raised:
        return labels
    chips_raised = markup.class_chips(some, images.groups, called, kind="ps-raised")
    return Markup("{}<br>{}{}").format(labels, chips_raised, more)


def _show_way(shown: pd.DataFrame, image_id: str | None, choose: Choose, steps: bool) -> None:
    """Where in the filter one is, and the way out; with `steps`, where no viewer has
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
    labelled = chips(look.images, look.row, look.told_until, RAISED_HERE)
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
    """Every class, what is lost or raised first, then by how much it changes."""
    images, sparsity = look.images, look.view.at
    changes = image_change(look.curves, look.labels, sparsity)
    title = image_sentences.most_changed(changes, sparsity).removesuffix(".")
    lost = dict(zip(images.class_names, images.lost[look.row], strict=True))
    raised = dict(zip(images.class_names, gallery.false_alarms(images, look.row), strict=True))
    changes["operating_point"] = changes["class_name"].map(operating_points(look.view))
    changes["lost_at_sparsity"] = changes["class_name"].map(lost) * 100
    changes["raised_at_sparsity"] = changes["class_name"].map(raised) * 100
    for column in ("dense_rank", "pruned_rank"):
        changes[column] = changes[column].map(image_sentences.rank_in_percent)
    changes["fate"] = [
        image_sentences.fate_in_table(at_lost, at_raised)
        for at_lost, at_raised in zip(
            changes["lost_at_sparsity"], changes["raised_at_sparsity"], strict=True
        )
    ]
    told = (changes["fate"] != "") & (changes["label"] != "no") | changes[
        "raised_at_sparsity"
    ].notna()
    changes = changes.loc[(~told).sort_values(kind="stable").index]
    limits = ["dense_rank", "pruned_rank"] if images.by == RANK else ["operating_point"]
    at = words.percent(sparsity)
    st.markdown(f"### {plain(title)}")
    ranks = f"Percentage of the test images without the class that it ranks above at {at}"
    number, by = st.column_config.NumberColumn, f"By {LOST_BY[images.by].lower()}"
    text = st.column_config.TextColumn
    st.dataframe(
        changes,
        hide_index=True,
        key="dense_against_pruned",
        row_height=30,
        height=30 * (min(len(changes), 10) + 1) + 2,
        column_order=["class_name", "label", "fate", "dense", "pruned", *limits, "class_place"],
        column_config={
            "class_name": text("Class", width=126),
            "label": text("Label", help="Empty: uncertain", width=42),
            "fate": text("Becomes", help=f"{by}, at which sparsity", width=92),
            "dense": number("Dense", format="%.2g", help="Mean over runs", width=50),
            "pruned": number(f"At {at}", format="%.2g", help="Mean over runs", width=58),
            "class_place": text(
                "Place", help=f"Dense to {at} sparsity; 1 is the image's most probable class",
                width=60,
            ),
            "operating_point": number("Op. point", format="%.2g", help="Operating point", width=70),
            "dense_rank": number("Rank", format="%.1f", help="As the next column, dense", width=54),
            "pruned_rank": number(f"At {at}", format="%.1f", help=ranks, width=58),
        },
    )  # fmt: skip


def _show_others(look: Look, choose: Choose, has_images: bool) -> None:
    """The patient's other X-rays, in the order in which they were taken where that is known."""
    others = gallery.others_of_patient(look.images, look.name)
    patient = plain(str(look.image["patient_id"]))
    here = columns.taken(look.attributes)
    this = f" This one: {plain(here)}." if here else ""
    if others.empty:
        st.caption(f"Patient {patient} has no other test image.{this}")
        return
    st.markdown(f"**{words.count(len(others), 'other test image')} of patient {patient}.**{this}")
    first = others.head(MOST_OTHERS)
    found = [
        cards.Card(image_id, _of_other(look, row))
        for image_id, row in zip(first["image_id"], first["test_order"], strict=True)
    ]
    _show_cards(look, found, choose, has_images, "other")
    if len(others) > MOST_OTHERS:
        st.caption(f"The first {MOST_OTHERS}; filter by the patient to see all.")


def _show_similar(look: Look, choose: Choose, has_images: bool) -> None:
    """Looked for only where somebody asks."""
    with st.expander(
        "X-rays of other patients with the most similar predictions",
        on_change="rerun", key="similar", bind="query-params",
    ) as opened:  # fmt: skip
        if not opened.open:
            return
        st.caption(image_sentences.SIMILAR)
        table = look.images.table
        nearest = similar(look.view, look.row, MOST_SIMILAR)
        found = [
            cards.Card(
                str(table["image_id"].iloc[row]),
                Markup("distance <b>{}</b><br>{}").format(
                    words.number(distance), chips(look.images, row, look.told_until)
                ),
            )
            for row, distance in zip(nearest["test_order"], nearest["distance"], strict=True)
        ]
        _show_cards(look, found, choose, has_images, "similar")


def _of_other(look: Look, row: int) -> Markup:
    said = columns.taken(gallery.attributes_of(look.images, row))
    findings = chips(look.images, row, look.told_until)
    return Markup("{}<br>{}").format(said, findings) if said else findings


def _show_cards(
    look: Look, found: list[cards.Card], choose: Choose, has_images: bool, kind: str
) -> None:
    if has_images:
        cards.show(look.view, found, SMALL, OTHERS_WIDTH)
    else:
        cards.show_names(found, OTHERS_WIDTH, choose, "Look at", f"card-{kind}", kind)


def _show_rest(look: Look) -> None:
    view = look.view
    st.html(markup.facts(columns.told(look.attributes)))
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
