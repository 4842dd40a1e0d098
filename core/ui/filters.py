"""The subgroup filter: which test images a page's numbers are of. It stands in the address as
`by` and `is`, and goes with the person from page to page."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.analysis.subgroup import EVERYTHING, PATIENTS, Subgroup
from core.results import slices
from core.study.study import Study
from core.ui import plain, results, set_address
from core.ui.view import View
from core.wording import columns, words

LONGEST_ADDRESS = 2000  # characters of a patient list that still make an address to send around
Choices = dict[str, dict[str, int]]


def subgroup_filter(view: View) -> View:
    """The study with the chosen subgroup; ends the page, with a way back, where it is empty."""
    choices = results.subgroup_choices(view)
    chosen = _chosen(choices)
    _set_address(chosen)
    with st.popover(_title(chosen) if chosen else EVERYTHING, icon=":material/filter_alt:"):
        _choose(choices, chosen)
    return replace(view, subgroup=chosen if chosen and chosen.value else None)


def show_subgroup(view: View) -> None:
    """The badge of the subgroup in view, what it holds, and one click back to everything."""
    if view.subgroup is None:
        return
    facts = results.facts_of_slice(view)
    title = _title(view.subgroup)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(title, icon=":material/filter_alt:", color="blue")
        st.markdown(
            f"**{facts.n_images:,}** of {len(view.study.test):,} test images, "
            f"**{facts.n_patients:,}** patients"
        )
        st.button("Show all test images", icon=":material/close:", on_click=_reset)
    if not facts.n_images:
        st.info(
            f"No test image belongs to the subgroup {title}, so there is nothing to compute. "
            "Choose another one above, or show all test images."
        )
        st.stop()
    st.caption(plain(words.positives(facts.n_positive, results.unstable_classes(view))))
    _prepare(view)


def _title(chosen: Subgroup) -> str:
    said = chosen.title if chosen.by == PATIENTS else columns.slice_title(chosen.by, chosen.value)
    return plain(said)


def _chosen(choices: Choices) -> Subgroup | None:
    if "subgroup" not in st.session_state and (by := st.query_params.get("by")):
        st.session_state["subgroup"] = Subgroup(by, st.query_params.get("is", ""))
    chosen = st.session_state.get("subgroup")
    if chosen and chosen.by not in choices:
        st.info(f"The test images of this study cannot be divided by {plain(chosen.by[:80])}.")
        _reset()
        return None
    return chosen


def _choose(choices: Choices, chosen: Subgroup | None) -> None:
    options = [EVERYTHING, *choices]
    st.session_state["subgroup_by"] = chosen.by if chosen else EVERYTHING
    st.selectbox(
        "Divide the test images by",
        options,
        key="subgroup_by",
        format_func=columns.column,
        on_change=_take_by,
        args=(choices,),
    )
    if chosen is None:
        st.caption("Every metric is recomputed for the images you choose.")
    elif chosen.by == PATIENTS:
        st.session_state["subgroup_patients"] = chosen.value
        st.text_area(
            "Patient ids, divided by commas, blanks or lines",
            key="subgroup_patients",
            on_change=_take_value,
            args=("subgroup_patients",),
        )
        if len(chosen.value) > LONGEST_ADDRESS:
            st.caption("This list is too long for the page's address: it is not part of it.")
    else:
        counts = choices[chosen.by]
        st.session_state["subgroup_is"] = chosen.value if chosen.value in counts else None
        st.radio(
            plain(columns.column(chosen.by)),
            list(counts),
            key="subgroup_is",
            captions=[words.count(n, "test image") for n in counts.values()],
            on_change=_take_value,
            args=("subgroup_is",),
        )


def _take_by(choices: Choices) -> None:
    by = st.session_state["subgroup_by"]
    if by == EVERYTHING:
        _reset()
    else:
        st.session_state["subgroup"] = Subgroup(by, next(iter(choices[by]), ""))


def _take_value(key: str) -> None:
    by = st.session_state["subgroup_by"]
    st.session_state["subgroup"] = Subgroup(by, st.session_state[key] or "")


def _reset() -> None:
    st.session_state["subgroup"] = None
    _set_address(None)


def _set_address(chosen: Subgroup | None) -> None:
    if chosen is None or len(chosen.value) > LONGEST_ADDRESS:
        st.query_params.pop("by", None)
        st.query_params.pop("is", None)
    else:
        set_address("by", chosen.by)
        set_address("is", chosen.value)


def _prepare(view: View) -> None:
    if known := _known_ready(view.whole):
        return
    bar = st.empty()
    while cells := slices.unprepared(study := Study(view.folder)):  # more may be finished meanwhile
        for done in slices.prepare(study, cells):
            text = f"Preparing subgroups, once per study: {done:,} of {len(cells):,} cells"
            bar.progress(done / len(cells), text=text)
    bar.empty()
    known.append(True)


@results.cached(shared=True)
def _known_ready(view: View) -> list[bool]:
    """Holds something once every cell was seen to be ready: looking at 600 files takes a while."""
    return []
