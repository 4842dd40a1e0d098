"""A new reader study: which images, how many, and for whom."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.people.access import Person
from core.reader_study import database, design
from core.reader_study import words as reader_words
from core.study import paths
from core.study.paths import percent
from core.ui.view import View, modified

WHAT_IT_IS = (
    "A reader study asks people whether PIEs differ from other X-rays to the eye: is the label "
    "correct, how good is the image, how difficult is the diagnosis. Readers judge a mix of PIEs "
    "and non-PIEs in an order of their own, without knowing which is which or what any model said."
)


def show(opened: View, person: Person, first: bool) -> None:
    """The way to make one; open, with what it is, where it would be the first of the study."""
    if first:
        st.markdown(WHAT_IT_IS)
    grid = opened.study.grid
    with st.expander("Make a reader study", expanded=first, icon=":material/add:"):
        if 0 in grid and len(grid) > 1:
            _form(opened, person, grid[1:])
        else:
            st.info("PIEs need the dense model and one sparsity above 0, finished for every run.")


def _form(opened: View, person: Person, pruned: list[float]) -> None:
    offered = [percent(sparsity) for sparsity in pruned]
    near = min(offered, key=lambda option: abs(option - 90))
    at = st.select_slider("Sparsity (%) that defines the PIEs", offered, value=near, key="rs-at")
    sparsity = pruned[offered.index(at)]
    times = tuple(modified(paths.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
    st.caption(reader_words.stock(_candidates(str(opened.folder), times, sparsity)))
    with st.form("make-reader-study", border=False):
        name = st.text_input(
            "Name", f"{opened.config.study.name[:50]}-readers", max_chars=63, key="rs-name"
        )
        readers = st.text_area(
            "Readers, by e-mail",
            key="rs-readers",
            help="Parted by commas or lines. Without sign-in write `local` for whoever sits here.",
        )
        with st.container(horizontal=True):
            n_pies = st.number_input("PIEs", 2, 500, 20, key="rs-pies")
            n_non_pies = st.number_input("Non-PIEs", 2, 500, 20, key="rs-non-pies")
            seed = st.number_input("Seed", 0, 2**32 - 1, 0, key="rs-seed")
        matched = st.checkbox(
            "Match each PIE with a non-PIE of the same number of findings and the same group "
            "(head, medium, tail) of its rarest finding",
            key="rs-matched",
        )
        reveal = st.checkbox(
            "Tell readers which images were PIEs once they have closed their readings",
            key="rs-reveal",
        )
        if not st.form_submit_button("Make the reader study"):
            return
    wanted = design.plan(
        name=name.strip(),
        readers=tuple(design.split_addresses(readers)),
        n_pies=n_pies,
        n_non_pies=n_non_pies,
        sparsity=sparsity,
        matched=matched,
        seed=seed,
        reveal=reveal,
    )
    made = database.create(opened.folder, wanted, person.email)
    st.session_state["reader-study"] = made.name
    st.rerun()


@st.cache_data(max_entries=64, show_spinner=False)
def _candidates(folder: str, times: tuple[int, ...], sparsity: float) -> design.Candidates:
    return design.count_candidates(design.candidates(Path(folder), sparsity))
