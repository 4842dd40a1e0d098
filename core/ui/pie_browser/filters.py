"""The filters of the PIE browser: which X-rays, in what order. All of it stands in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.analysis import gallery
from core.analysis.gallery import EVERY, WHOLE_RANGE, Gallery, Images
from core.analysis.groupings import FINDING_COUNTS
from core.analysis.lost import OPERATING_POINT, RANK, LostBy
from core.study.labels import EVERY_GROUP, GROUPS, UNKNOWN_GROUP
from core.ui import plain, results, set_address, widgets
from core.ui.pie_browser import finding_filter
from core.ui.pie_browser.finding_filter import FindingFilter
from core.ui.switches import choose as choose_in_switch
from core.ui.switches import switch
from core.ui.view import View
from core.wording import columns, image_sentences

# By id, as the switches show them.
DEFINITIONS = {
    gallery.PAPER: "PIEs (paper)",
    gallery.MODAL: "PIEs (modal disagreement)",
    gallery.Z_SCORE: "PIEs (z-score)",
    gallery.EVERY: "Every test image",
}
LOST_BY: dict[str, str] = {RANK: "Rank", OPERATING_POINT: "Operating point"}
ORDERS = {
    gallery.FINDINGS_FIRST: "Lost findings first",
    "agreement": "Lowest agreement",
    "tail": "Tail first",
    "lost": "Lost earliest",
    "raised": "Most raised findings",
    "most_findings": "Most findings",
    "patient": "Patient",
    "test_order": "Test-set order",
}
# The keys of each filter's widgets, and what they hold when the filter is off.
WIDGETS: dict[str, dict[str, Any]] = {
    "finding": {finding_filter.FINDING: []},
    "labelled": {"classes": []},
    "groups": {"group": []},
    "counts": {"findings": []},
    "agreement": {"agreement": WHOLE_RANGE},
    "patients": {"patient": ""},
    "value": {"column": None, "value": None},
}
# By which of them `Gallery` sorts out; the others are called alike.
CALLED = {"lost": "finding", "raised": "finding"}


@dataclass(frozen=True)
class Chosen:
    """What the filters hold. by: what findings are lost and raised by; of: the study with the
    subgroup that goes from page to page."""

    gallery: Gallery
    finding: FindingFilter
    by: LostBy
    of: View


def choose(view: View, sparsities: list[float], has_points: bool) -> Chosen:
    """The filters' widgets, and what is chosen in them; order and subgroup are chosen elsewhere.

    has_points: whether any class has an operating point.
    """
    st.toggle("Filters and order", key="show_filters")  # seen on narrow screens, and beside X-rays
    by_group = results.groups_of_classes(view)
    rarest = sorted(by_group.items(), key=lambda item: EVERY_GROUP[::-1].index(item[1]))
    with st.container(key="filters", horizontal=True, vertical_alignment="bottom", gap="small"):
        definition = switch("definition", "Show", DEFINITIONS, folded=True, width=165)
        with st.container(key="at-sparsity", width=150):
            sparsity = widgets.sparsity_slider(sparsities)
        asked = st.container(
            key="changed", horizontal=True, vertical_alignment="bottom", gap="small"
        )
        with st.popover("More", icon=":material/tune:", help="More filters", key="more-filters"):
            by = _lost_by(view)
            labelled = widgets.class_picker("Labelled with all of these", view.part.class_names)
            known = [one for one in GROUPS[::-1] if UNKNOWN_GROUP not in by_group.values()]
            groups = _pills("group", "Group", known) if known else []
            counts = _pills("findings", "Number of findings", list(FINDING_COUNTS))
            agreement = _range()
            patients = st.text_input(
                "Patient ids, separated by commas", key="patient", bind="query-params"
            )
            column, value = _column(view)
        with asked:
            finding = finding_filter.choose(dict(rarest), sparsities, has_points or by == RANK)
    lost, raised = ((), finding.classes) if finding.raised else (finding.classes, ())
    gallery = Gallery(
        definition, sparsity, tuple(labelled), lost, raised, finding.until, tuple(groups),
        tuple(counts), agreement, patients, column, value,
    )  # fmt: skip
    return Chosen(gallery, finding, by, view)


def choose_order() -> str:
    drawn: dict[str, Any] = {"width": 205, "label_visibility": "collapsed"}
    return switch("sort", "Sort by", ORDERS, folded=True, icon=":material/sort:", **drawn)


def choose_size() -> str:
    sizes = {"small": "Small", "medium": "Medium", "large": "Large"}
    return switch("size", "Thumbnails", sizes, "medium", label_visibility="collapsed")


def show_counts(chosen: Chosen, images: Images, n_shown: int) -> None:
    """How many there are and are shown, a badge for every filter in force, and the way back."""
    gallery = chosen.gallery
    badges = _badges(chosen)
    masks = gallery.masks(images)
    in_force = [CALLED.get(name, name) for name in masks]
    n_defined, n_images = int(gallery.defined(images).sum()), int(images.within.sum())
    of_all = chosen.of.subgroup is None
    said = image_sentences.shown(
        gallery.definition, n_defined, n_images, n_shown, bool(in_force), of_all
    )
    st.markdown(f"**{said}**", width="content")
    for name in in_force:
        st.button(
            plain(badges[name]),
            key=f"remove-{name}",
            icon=":material/close:",
            help="Remove this filter",
            on_click=_clear,
            args=([name],),
        )
    if in_force:
        st.button(
            "Reset all filters",
            key="reset-filters",
            type="tertiary",
            icon=":material/filter_alt_off:",
            on_click=_clear,
            args=(list(WIDGETS),),
        )
        n_every = int(np.logical_and.reduce([images.within, *masks.values()]).sum())
        if n_every > n_shown:
            st.button(
                f"All {n_every:,} that match, PIE or not",
                key="show-every",
                type="tertiary",
                icon=":material/open_in_full:",
                on_click=choose_in_switch,
                args=("definition", EVERY),
            )


def explain_nothing(chosen: Chosen, images: Images) -> None:
    """Why there is no image to show, and which filter to loosen."""
    badges, left = _badges(chosen), chosen.gallery.loosening(images)
    if left:
        called = {CALLED.get(name, name): n for name, n in left.items()}
        st.info(plain(image_sentences.loosen(called, badges)))
    elif chosen.gallery.definition == EVERY:
        st.info("This study has no test image.")
    else:
        where = "No test image of this subgroup" if chosen.of.subgroup else "No test image"
        st.info(f"{where} is a PIE by this definition at this sparsity.")


def _badges(chosen: Chosen) -> dict[str, str]:
    """What each filter says on its badge; names are as given."""
    gallery = chosen.gallery
    low, high = gallery.agreement
    said = {
        "finding": chosen.finding.badge(chosen.by == RANK),
        "labelled": f"Labelled {' and '.join(gallery.labelled)}",
        "groups": f"Group {' or '.join(gallery.groups)}",
        "counts": f"Findings {', '.join(gallery.counts)}",
        "agreement": f"Agreement {low:g} to {high:g}",
        "patients": f"Patient {gallery.patients}",
        "value": columns.slice_title(gallery.by, gallery.value),
    }
    return {name: text[:80] for name, text in said.items()}


def _clear(names: list[str]) -> None:
    for name in names:
        for key, off in WIDGETS[name].items():
            st.session_state[key] = off
    st.session_state["page"] = 1


def _lost_by(view: View) -> LostBy:
    specificity = view.config.operating_point.specificity
    help = image_sentences.ways_to_be_lost(specificity)
    chosen = switch("lost_by", "Lost and raised by", LOST_BY, help=help)
    return OPERATING_POINT if chosen == OPERATING_POINT else RANK


def _pills(key: str, label: str, options: list[str]) -> list[str]:
    widgets.drop_stale(key, options)
    return st.pills(label, options, selection_mode="multi", key=key, bind="query-params")


def _range() -> tuple[float, float]:
    low, high = st.slider(
        "Agreement", *WHOLE_RANGE, value=WHOLE_RANGE, step=0.05, key="agreement",
        bind="query-params",
    )  # fmt: skip
    return round(low, 2), round(high, 2)


def _column(view: View) -> tuple[str, str]:
    """A column of the labels and the value it shall have, or nothing."""
    choices = results.columns_of_labels(view)
    offered = list(choices)
    if not offered:
        st.caption("The labels have no further column to filter by.")
        return "", ""
    # Not bound: the address holds the column's own name, and a bound widget writes what it shows.
    widgets.drop_stale("column", offered)
    if "column" not in st.session_state and st.query_params.get("column") in offered:
        st.session_state["column"] = st.query_params["column"]
    by = st.selectbox(
        "Column of the labels", offered, None, key="column", format_func=columns.column
    )
    if by:
        set_address("column", by)
    else:
        st.query_params.pop("column", None)
    values = list(choices[by]) if by else []
    widgets.drop_stale("value", values)
    value = st.selectbox(
        "Its value", values, None, key="value", bind="query-params", disabled=not by
    )
    return by or "", value or ""
