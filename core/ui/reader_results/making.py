"""A new reader study: which images, how many, and for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.analysis import reader_power
from core.people.access import Person
from core.reader_study import database, design, drawing
from core.reader_study import words as reader_words
from core.study import paths
from core.study.paths import percent
from core.ui import plain
from core.ui.view import View, modified
from core.wording.dense_sentences import nothing_pruned
from core.wording.questions import IMAGE, LABELS, Form

WHAT_IT_IS = (
    "A reader study asks people whether PIEs differ from other X-rays to the eye: does the image "
    "show its labels, how good is it, how difficult is the diagnosis. Readers judge a mix of PIEs "
    "and non-PIEs in an order of their own, without knowing which is which or what any model said."
)
FORM_LABELS: dict[Form, str] = {
    LABELS: "A yes or no to each label of the image",
    IMAGE: "One yes or no to all labels of the image, as in the paper",
}


def show(opened: View, person: Person, first: bool) -> None:
    """The way to make one; open, with what it is, where it would be the first of the study."""
    if first:
        st.markdown(WHAT_IT_IS)
    grid = opened.study.grid
    with st.expander("Make a reader study", expanded=first, icon=":material/add:"):
        if 0 in grid and len(grid) > 1:
            _form(opened, person, grid[1:])
        else:
            needs = "PIEs need the dense model and one sparsity above 0, finished for every run."
            st.info(nothing_pruned(opened.config, needs))


def _form(opened: View, person: Person, pruned: list[float]) -> None:
    offered = [percent(sparsity) for sparsity in pruned]
    near = min(offered, key=lambda option: abs(option - 90))
    at = st.select_slider("Sparsity (%) that defines the PIEs", offered, value=near, key="rs-at")
    sparsity = pruned[offered.index(at)]
    times = tuple(modified(paths.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
    found = _candidates(str(opened.folder), times, sparsity)
    st.caption(reader_words.stock(found))
    name = st.text_input(
        "Name", f"{opened.config.study.name[:50]}-readers", max_chars=63, key="rs-name"
    )
    typed = st.text_area(
        "Readers, by e-mail",
        key="rs-readers",
        help="Separated by commas or lines. On a machine without sign-in, write names, such as "
        "`anna`, or `local` for yourself.",
    )
    readers = tuple(design.split_addresses(typed))
    images = _images(found)
    chosen = _choices(len(readers))
    per_image = chosen["readers_per_image"] or len(readers) or reader_power.N_READERS[1]
    _show_size(per_image, images["n_pies"], shared=bool(chosen["readers_per_image"]))
    if st.button("Make the reader study", type="primary"):
        settings = {"name": name.strip(), "readers": readers, "sparsity": sparsity}
        wanted = design.plan(**settings, **images, **chosen)
        made = database.create(opened.folder, wanted, person.email)
        st.session_state["reader-study"] = made.name
        st.rerun()


def _images(found: drawing.Candidates) -> dict[str, Any]:
    """How many images of each kind, and whether they are matched."""
    matched = st.checkbox(
        "Match each PIE with a non-PIE that has the same labels or, if there is none, as many "
        "findings and the same group (head, medium, tail)",
        True,
        key="rs-matched",
        help="Often 9 of 10 PIEs have no finding, but only 4 of 10 other images. Unmatched, "
        "readers would compare images with findings with images without.",
    )
    most = max(min(20, found.n_pairs if matched else found.n_pie_patients), 2)
    with st.container(horizontal=True):
        n_pies = int(st.number_input("PIEs", 2, 500, most, key="rs-pies"))
        if matched:
            n_non_pies = n_pies
        else:
            n_non_pies = int(st.number_input("Non-PIEs", 2, 500, most, key="rs-non-pies"))
    return {"matched": matched, "n_pies": n_pies, "n_non_pies": n_non_pies}


def _choices(n_readers: int) -> dict[str, Any]:
    """What most reader studies can leave as it is."""
    with st.expander("More choices"):
        form = st.selectbox(
            "Questions about labels", list(FORM_LABELS), format_func=_form_label, key="rs-form"
        )
        repeats = st.slider(
            "Images that each reader sees twice (%)",
            0,
            30,
            round(100 * design.REPEATS),
            key="rs-repeats",
            help="They show whether readers agree with themselves. Readers do not know which.",
        )
        with st.container(horizontal=True):
            per_image = st.number_input(
                "Readers per image",
                0,
                max(n_readers - 1, 0),
                0,
                key="rs-per-image",
                help="0: every reader reads every image. Otherwise images are shared out in "
                "blocks, and this many readers read each.",
            )
            anchors = st.number_input(
                "Anchor images, read by all",
                0,
                1000,
                0,
                key="rs-anchors",
                disabled=not per_image,
                help="They make the readers' scales comparable.",
            )
            seed = st.number_input("Seed", 0, 2**32 - 1, 0, key="rs-seed")
        reveal = st.checkbox(
            "Tell readers which images were PIEs once they have closed their readings",
            key="rs-reveal",
        )
    return {
        "form": form,
        "repeats": repeats / 100,
        "readers_per_image": int(per_image),
        "anchors": int(anchors) if per_image else 0,
        "seed": int(seed),
        "reveal": reveal,
    }


def _form_label(form: Form) -> str:
    return FORM_LABELS[form]


def _show_size(n_readers: int, n_pairs: int, shared: bool) -> None:
    """What a study of this size would find."""
    difference = st.number_input(
        "Difference to find (points on a scale of 1 to 5)", 0.1, 2.0, reader_power.DIFFERENCE, 0.1,
        key="rs-difference", width=280,
    )  # fmt: skip
    if n_readers >= 2:
        (row,) = _power(difference, (n_readers,), (n_pairs,)).to_dict("records")
        st.markdown(plain(reader_words.power(row, difference, shared)))
    with st.expander("How many readers and images does it take?"):
        table = _power(difference, reader_power.N_READERS, reader_power.N_PAIRS)
        st.table(reader_words.power_table(table).set_index("Readers"))
        st.caption(reader_words.ASSUMED)


@st.cache_data(max_entries=64, show_spinner="Simulating reader studies …")
def _power(difference: float, readers: tuple[int, ...], pairs: tuple[int, ...]) -> pd.DataFrame:
    return reader_power.ReaderPower(difference)(readers, pairs)


@st.cache_data(max_entries=64, show_spinner=False)
def _candidates(folder: str, times: tuple[int, ...], sparsity: float) -> drawing.Candidates:
    return drawing.count_candidates(drawing.candidates(Path(folder), sparsity))
