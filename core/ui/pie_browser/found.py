"""What is said of the images that are found, above them; and why there are none."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis import gallery
from core.analysis.gallery import Gallery, Images
from core.analysis.lost import RANK
from core.study.paths import percent
from core.ui import plain
from core.ui.pie_browser.images import compare_runs, has_points
from core.ui.results import table
from core.ui.view import View
from core.wording import image_sentences, operating_sentences, words


def explain_unknown(view: View, chosen: Gallery, images: Images) -> None:
    """Ends the page where the definition compares the runs and that has not been done, with an
    offer to do it, or where it has no answer for any image."""
    if chosen.needs_comparison(images):
        st.info(
            "This definition compares the runs with each other, which takes a while the first "
            "time at each sparsity. The results are kept."
        )
        if st.button("Work it out", icon=":material/calculate:"):
            compare_runs(view)
            st.rerun()
        st.stop()
    if chosen.unknown(images):
        st.info(image_sentences.NO_ANSWER[chosen.definition])
        st.stop()


def say_what_is_first(view: View, images: Images, shown: pd.DataFrame) -> None:
    fates = gallery.order_fates(images, view.at)[shown["test_order"]]
    can_be_lost = images.by == RANK or has_points(view)
    n_raised = gallery.count_raised(images, shown, view.at)
    st.caption(image_sentences.findings_first(fates, n_raised, view.at, images.by, can_be_lost))


def link_to_numbers(view: View) -> None:
    """To the section of Class AP that says how many are called falsely, with its sentence."""
    known = table(view, "operating_characteristics")
    if said := operating_sentences.false_alarms_sentence(known, view.at):
        at = {"study": view.name, "sparsity": str(percent(view.at))}
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(said), width="content")
            st.page_link(
                "class_ap.py", label=image_sentences.NUMBERS, query_params=at,
                icon=":material/arrow_forward:",
            )  # fmt: skip


def count_constant(images: Images) -> None:
    if n_constant := gallery.count_pies(images.table[images.within]).n_constant:
        st.caption(words.constant_vectors(n_constant))
