"""A reader study for its researchers: how far the readers are, what they found, and its tables."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core.actions import reader_study as reader_study_rules
from core.analysis.reader import BY_READER
from core.charts.reader import question_chart
from core.people.access import Person
from core.reader_study import database, design, results
from core.reader_study import words as reader_words
from core.reader_study.codebook import READERS
from core.reader_study.database import ReaderStudy
from core.ui import plain, tables, widgets
from core.ui.view import View
from core.wording.questions import QUESTIONS


def show_readers(of: ReaderStudy, person: Person) -> None:
    table = results.reader_table(of)
    progress = st.column_config.ProgressColumn(
        "answered", format="%d", min_value=0, max_value=int(table["n_images"].max())
    )
    config = tables.headers(READERS) | {"address": "e-mail or name", "n_complete": progress}
    st.dataframe(table, hide_index=True, column_config=config)
    with st.expander("Invite, remove, delete"):
        _show_changes(of, person, list(table.loc[~table["removed"], "address"]))


def _show_changes(of: ReaderStudy, person: Person, present: list[str]) -> None:
    with st.form("invite", border=False, clear_on_submit=True):
        more = st.text_input("Invite by e-mail, or by name without sign-in", key="rs-invite")
        if st.form_submit_button("Invite") and more:
            reader_study_rules.invite(of, person, design.split_addresses(more))
            st.rerun()
    with st.form("remove", border=False):
        leaving = st.selectbox("Remove a reader", present, index=None, key="rs-remove")
        st.caption("Answers of a removed reader are kept and left out of the statistics.")
        if st.form_submit_button("Remove") and leaving:
            reader_study_rules.remove(of, person, leaving)
            st.rerun()
    if database.is_frozen(of):
        st.caption("There are answers, so images, labels and questions can no longer change.")
    elif st.button("Delete this reader study", icon=":material/delete:"):
        reader_study_rules.delete(of, person)
        st.rerun()


def show_results(opened: View, of: ReaderStudy) -> None:
    given = results.answer_table(of)
    counted = results.counted(given)
    if counted.empty:
        st.info("No answers yet. Results appear here with the first.", icon=":material/info:")
        return
    st.markdown(plain(reader_words.standing(counted, results.reader_table(of))))
    removed = tuple(one.number for one in database.invited(of) if one.removed)
    newest = str(given["given_at"].max())
    table = _results((of.id, of.created_at, len(given), newest, *removed), given)
    st.markdown(plain(reader_words.answer(table)))
    cells = st.grid(3, min_column_width=280, gap="medium")
    for _, row in table.iterrows():
        with cells.cell():
            chart = question_chart(QUESTIONS[row["question"]], row, counted)
            key = f"reader-{row['question']}"
            widgets.draw(chart, key, level=3, of=opened, about=(of.name,))
    st.markdown("## Paper and corrected, side by side")
    st.dataframe(reader_words.side_by_side(table), hide_index=True, height="content")
    st.caption(reader_words.METHODS)
    st.markdown("## Each reader")
    tables.show(results.results_by_reader(given), BY_READER)


def show_downloads(opened: View, of: ReaderStudy, person: Person) -> None:
    st.markdown("## Downloads")
    cells = st.grid(3, min_column_width=280, gap="small")
    for name in results.TABLES:
        with cells.cell():
            make = partial(reader_study_rules.export_table, of, person, name)
            widgets.downloads(opened, name, make, of.name)


@st.cache_data(max_entries=32, show_spinner="Fitting the mixed models …")
def _results(key: tuple, _given: pd.DataFrame) -> pd.DataFrame:
    """Kept until another answer comes in."""
    return results.results(_given)
