"""The filters of the PIE browser: which X-rays, in what order. All of it stands in the address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.analysis import gallery
from core.analysis.gallery import EVERY, WHOLE_RANGE, Gallery, Images
from core.analysis.lost import OPERATING_POINT, RANK, LostBy
from core.analysis.subgroup import FINDING_COUNTS, FINDINGS, PATIENTS
from core.study.labels import GROUPS
from core.ui import plain, results, set_address, widgets
from core.ui.switches import switch
from core.ui.view import View
from core.wording import columns, image_sentences, words

# By id, as the switches show them.
DEFINITIONS = {
    gallery.PAPER: "Paper",
    gallery.MODAL: "Modal disagreement",
    gallery.Z_SCORE: "z-score",
    gallery.EVERY: "Every test image",
}
LOST_BY: dict[str, str] = {RANK: "Rank", OPERATING_POINT: "Operating point"}
ORDERS = {
    gallery.FINDINGS_FIRST: "Findings",
    "agreement": "Lowest agreement",
    "tail": "Tail first",
    "lost": "Earliest lost",
    "raised": "Most raised",
    "most_findings": "Most findings",
    "patient": "Patient",
    "test_order": "Test-set order",
}
# The keys of each filter's widgets, and what they hold when the filter is off.
WIDGETS: dict[str, dict[str, Any]] = {
    "labelled": {"classes": []},
    "lost": {"lost": []},
    "raised": {"raised": []},
    "groups": {"group": []},
    "counts": {"findings": []},
    "agreement": {"agreement": WHOLE_RANGE},
    "patients": {"patient": ""},
    "value": {"column": None, "value": None},
}


def choose(
    view: View, sparsities: list[float], has_points: bool, beside: Callable[[], None]
) -> tuple[Gallery, LostBy]:
    """The filters' widgets, and what is chosen in them; the order is chosen elsewhere.

    has_points: whether any class has an operating point. beside: draws what else shall stand in
    the last row.
    """
    names = view.part.class_names
    by_group = results.groups_of_classes(view)
    ordered = sorted(names, key=lambda name: GROUPS[::-1].index(by_group[name]))
    st.toggle("Filters and order", key="show_filters")  # seen on narrow screens alone
    with st.container(key="filters"):
        with st.container(horizontal=True, gap="medium"):
            definition = switch("definition", "Show", DEFINITIONS)
            chosen = switch(
                "lost_by",
                "Lost and raised by",
                LOST_BY,
                help=image_sentences.ways_to_be_lost(view.config.operating_point.specificity),
            )
        by: LostBy = OPERATING_POINT if chosen == OPERATING_POINT else RANK
        can_be_lost = has_points or by == RANK
        reason = None if can_be_lost else image_sentences.NO_OPERATING_POINTS
        able: dict[str, Any] = {"disabled": not can_be_lost, "help": reason}
        with st.grid(4, min_column_width=190, gap="medium"):
            with st.container():
                sparsity = widgets.sparsity_slider(sparsities)
            labelled = widgets.class_picker("Labelled with all of these", names)
            lost = _several("lost", "A label of these lost by this sparsity", ordered, **able)
            raised = _several("raised", "One of these raised by it, not a label", ordered, **able)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            groups = _pills("group", "Group", list(GROUPS[::-1]))
            counts = _pills("findings", "Number of findings", list(FINDING_COUNTS))
            with st.popover("More filters", icon=":material/tune:"):
                agreement = _range()
                patients = st.text_input(
                    "Patient ids, divided by commas", key="patient", bind="query-params"
                )
                column, value = _column(view)
            beside()
    filters = Gallery(
        definition, sparsity, tuple(labelled), tuple(lost), tuple(raised), tuple(groups),
        tuple(counts), agreement, patients, column, value,
    )  # fmt: skip
    return filters, by


def choose_order() -> str:
    return switch("sort", "Sort by", ORDERS, help=image_sentences.ORDER)


def choose_size() -> str:
    sizes = {"small": "Small", "medium": "Medium", "large": "Large"}
    return switch("size", "Thumbnails", sizes, "medium")


def show_counts(chosen: Gallery, images: Images, n_shown: int) -> None:
    """How many there are and are shown, a badge for every filter in force, and the way back."""
    badges = _badges(chosen, images)
    in_force = [name for name in badges if name in chosen.masks(images)]
    n_defined, n_images = int(chosen.defined(images).sum()), len(images.table)
    said = image_sentences.shown(chosen.definition, n_defined, n_images, n_shown, bool(in_force))
    with st.container(key="counts", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{said}**", width="content")
        for name in in_force:
            st.button(
                plain(badges[name]),
                key=f"remove-{name}",
                icon=":material/close:",
                help="Take this filter away",
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


def explain_nothing(chosen: Gallery, images: Images) -> None:
    """Why there is no image to show, and which filter to loosen."""
    left = chosen.loosening(images)
    if left:
        st.info(plain(image_sentences.loosen(left, _badges(chosen, images))))
    elif chosen.definition == EVERY:
        st.info("This study has no test image.")
    else:
        st.info("No test image is a PIE by this definition at this sparsity.")


def _badges(chosen: Gallery, images: Images) -> dict[str, str]:
    """What each filter says on its badge; names are as given."""
    low, high = chosen.agreement
    texts = {
        "labelled": " and ".join(chosen.labelled),
        "lost": f"{' or '.join(chosen.lost)} by {words.percent(chosen.sparsity)}"
        + (" in rank" if images.by == RANK else ""),
        "raised": f"{' or '.join(chosen.raised)} by {words.percent(chosen.sparsity)}"
        + (" in rank" if images.by == RANK else ""),
        "groups": " or ".join(chosen.groups),
        "counts": ", ".join(chosen.counts),
        "agreement": f"{low:g} to {high:g}",
        "patients": chosen.patients,
        "value": columns.slice_title(chosen.by, chosen.value),
    }
    return {
        name: (f"{title} {texts[name]}" if title else texts[name])[:80]
        for name, title in image_sentences.FILTERS.items()
    }


def _clear(names: list[str]) -> None:
    for name in names:
        for key, off in WIDGETS[name].items():
            st.session_state[key] = off
    st.session_state["page"] = 1


def _several(key: str, label: str, options: list[str], **more: Any) -> list[str]:
    widgets.drop_stale(key, options)
    return st.multiselect(label, options, key=key, bind="query-params", **more)


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
    choices = results.subgroup_choices(view)
    offered = [by for by in choices if by not in (FINDINGS, PATIENTS)]
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
