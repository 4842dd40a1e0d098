"""A reader's own readings: one X-ray at a time, its labels, three questions. Nothing of a model."""

import streamlit as st

from core import ui
from core.reader_study import database, readings
from core.ui import people, reading_room, widgets
from core.wording.questions import QUESTIONS, Question

KEYS = (
    "Keys: Y or N, then 1 to 5 for image quality, then 1 to 5 for difficulty. The next image comes "
    "by itself; left and right arrow go back and on. Q and T ask again for quality and difficulty."
)


def choose_study() -> database.ReaderStudy:
    mine = {one.name: one for one in database.invitations(person.email)}
    if not mine:
        st.title("My readings")
        st.info(
            f"There is nothing for you to read. X-rays appear here once a researcher invites "
            f"{ui.plain(person.email)} to a reader study.",
            icon=":material/inbox:",
        )
        st.stop()
    names = list(mine)
    if len(names) == 1:
        return mine[names[0]]
    chosen = widgets.addressed("reader-study", names, names[0])
    st.selectbox("Reader study", names, key="reader-study")
    return mine[chosen]


def show_progress() -> None:
    done, all_of_them = known.n_complete, len(known.order)
    st.progress(done / all_of_them, text=f"{done} of {all_of_them} answered")
    if done == all_of_them and not known.closed:
        st.success(
            "All images are answered. Thank you. You can still look through them and change "
            "answers.",
            icon=":material/check:",
        )
        if of.reveal:
            st.button("Close my readings and see what each image was", on_click=close)
            st.caption("Answers can no longer change then.")


def close() -> None:
    readings.close(of, person.email)


def show_labels() -> None:
    named = ", ".join(f"**{ui.plain(name)}**" for name in image.labelled)
    st.markdown(f"Labelled: {named or '**nothing for certain**'}")


def show_question(number: int, question: Question) -> None:
    keys = room.keys(question.name, answered)
    asked = keys and (question.name not in answered or room.asking == question.name)
    kind = "asked" if asked else "question"
    with st.container(key=f"{kind}-{question.name}", gap="xsmall"):
        text = f"{number}\\. {question.asked}"
        st.markdown(f"**{text}**" if asked else text)
        with st.container(horizontal=True, gap="xsmall"):
            for value in question.answers:
                chosen = answered.get(question.name) == value
                st.button(
                    question.word(value),
                    key=f"{question.name}-{value}-{room.image_key}",
                    type="primary" if chosen else "secondary",
                    icon=":material/check:" if chosen else None,
                    shortcut=keys.get(value),
                    disabled=known.closed,
                    on_click=room.keep,
                    args=(position, question.name, value),
                )


def show_moves() -> None:
    last = len(known.order) - 1
    with st.container(horizontal=True, gap="xsmall"):
        place = room.place
        st.button("Back", on_click=room.go, args=(place - 1,), disabled=place == 0, shortcut="Left")
        st.button(
            "Next", on_click=room.go, args=(place + 1,), disabled=place == last, shortcut="Right"
        )
        for name, key in reading_room.AGAIN.items():
            if name in answered and not known.closed:
                label = f"{QUESTIONS[name].measure.capitalize()} again"
                st.button(label, on_click=room.ask, args=(name,), shortcut=key)


st.set_page_config(initial_sidebar_state="collapsed")  # room for the X-ray
person = people.require("reader", "researcher", "admin")
of = choose_study()
room, known = reading_room.enter(of, person.email)
position = known.order[room.place]
answered = known.given.get(position, {})
image = readings.judged(of, position)
room.note_showing(position)

with st.container(key="reading-room"):
    left, right = st.columns([5, 3], gap="medium")
with left:
    reading_room.xray(room, known)
with right:
    st.title(reading_room.called(room.place, known).capitalize())
    show_progress()
    if room.unsaved:
        st.error(ui.plain(room.unsaved), icon=":material/error:")
    revealed = readings.revealed(of, person.email)
    if revealed:
        st.info(reading_room.was(revealed[position], of.sparsity))
    show_labels()
    for number, question in enumerate(QUESTIONS.values(), start=1):
        show_question(number, question)
    show_moves()
    if room.last:
        st.caption(ui.plain(room.last))
    st.caption(KEYS)
    st.caption("For research only, not for diagnosis. Every answer is saved as you give it.")
room.settle()
