"""Reader studies for those who make them: a new one, how far the readers are, what they found."""

from functools import partial

import pandas as pd
import streamlit as st

from core import ui
from core.actions import reader_study as reader_study_rules
from core.analysis.reader import BY_READER
from core.charts.reader import question_chart
from core.reader_study import database, design, results
from core.reader_study import words as reader_words
from core.reader_study.codebook import READERS
from core.study.paths import percent
from core.ui import people, reader_results, tables, widgets
from core.wording.questions import QUESTIONS

WHAT_IT_IS = (
    "A reader study asks people whether PIEs differ from other X-rays to the eye: is the label "
    "correct, how good is the image, how difficult is the diagnosis. Readers judge a mix of PIEs "
    "and non-PIEs in an order of their own, without knowing which is which or what any model said."
)


def show_form() -> None:
    offered = [percent(s) for s in ensembles[1:]]
    near = min(offered, key=lambda option: abs(option - 90))
    at = st.select_slider("Sparsity (%) that defines the PIEs", offered, value=near, key="rs-at")
    sparsity = ensembles[1:][offered.index(at)]
    st.caption(reader_words.stock(reader_results.candidates(opened, sparsity)))
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


def show_readers() -> None:
    table = results.reader_table(of)
    progress = st.column_config.ProgressColumn(
        "answered", format="%d", min_value=0, max_value=int(table["n_images"].max())
    )
    config = tables.headers(READERS) | {"address": "e-mail", "n_complete": progress}
    st.dataframe(table, hide_index=True, column_config=config)
    with st.expander("Invite, remove, delete"):
        show_changes(table)


def show_changes(table: pd.DataFrame) -> None:
    with st.form("invite", border=False, clear_on_submit=True):
        more = st.text_input("Invite by e-mail", key="rs-invite")
        if st.form_submit_button("Invite") and more:
            reader_study_rules.invite(of, person, design.split_addresses(more))
            st.rerun()
    present = list(table.loc[~table["removed"], "address"])
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


def show_results() -> None:
    given = results.answer_table(of)
    counted = results.counted(given)
    if counted.empty:
        st.info("No answers yet. Results appear here with the first.", icon=":material/info:")
        return
    st.markdown(ui.plain(reader_words.standing(counted, results.reader_table(of))))
    table = reader_results.statistics(of, given)
    cells = st.grid(3, min_column_width=280, gap="medium")
    for _, row in table.iterrows():
        with cells.cell():
            chart = question_chart(QUESTIONS[row["question"]], row, counted)
            key = f"reader-{row['question']}"
            widgets.draw(chart, key, level=3, of=opened, about=(of.name,))
    st.markdown("## Paper and corrected, side by side")
    st.dataframe(reader_words.side_by_side(table), hide_index=True)
    st.caption(reader_words.METHODS)
    st.markdown("## Each reader by themselves")
    tables.show(results.results_by_reader(given), BY_READER)


def show_downloads() -> None:
    st.markdown("## Take it along")
    cells = st.grid(3, min_column_width=280, gap="small")
    for name in results.TABLES:
        with cells.cell():
            make = partial(reader_study_rules.export_table, of, person, name)
            widgets.downloads(opened, name, make, of.name)


person = people.require("researcher", "admin")
opened = ui.open_study()
ui.page_head("Reader results", opened)
if people.visitor().synthetic_only:
    st.info(
        "Reader studies are for people who sign in, or who sit at the server's own machine.",
        icon=":material/lock:",
    )
    st.stop()
ensembles = opened.study.grid
known = {one.name: one for one in reader_study_rules.visible(opened.folder.name, person)}
if not known:
    st.markdown(WHAT_IT_IS)
with st.expander("Make a reader study", expanded=not known, icon=":material/add:"):
    if 0 not in ensembles or len(ensembles) < 2:
        st.info("PIEs need the dense model and one sparsity above 0, finished for every run.")
    else:
        show_form()
if not known:
    st.stop()

names = list(known)
of = known[widgets.addressed("reader-study", names, names[0])]
st.selectbox("Reader study", names, key="reader-study")
# Not a caption, in whose grey the address of who made it, a link, is hard to read.
st.markdown(f":small[{ui.plain(reader_words.made(of, results.image_table(of)))}]")
show_readers()
show_results()
show_downloads()
