"""The screen of a reader: one X-ray, its labels, three questions. Nothing of a model."""

from __future__ import annotations

import streamlit as st

from core.people.access import Person
from core.reader_study import database, readings
from core.reader_study.database import ReaderStudy
from core.reader_study.readings import Sheet
from core.ui import people, plain, widgets
from core.ui.reader_study.room import Room
from core.ui.viewer import ViewerImage, xray_viewer
from core.wording import words
from core.wording.questions import QUESTIONS, Question

AGAIN = {"image_quality": "Q", "difficulty": "T"}
# What the viewer leaves to the questions while it has the focus.
PAGE_KEYS = "yn12345qt"
KEYS = (
    "Keys: Y or N, then 1 to 5 for image quality, then 1 to 5 for difficulty. The next image comes "
    "by itself; left and right arrow go back and on. Q and T ask again for quality and difficulty."
)


def choose_study(person: Person) -> ReaderStudy:
    """One that this person is invited to; says so and ends the page where there is none."""
    mine = {one.name: one for one in database.invitations(person.email)}
    if not mine:
        st.title("My readings")
        st.info(
            f"There is nothing for you to read. X-rays appear here once a researcher invites "
            f"{plain(person.email)} to a reader study.",
            icon=":material/inbox:",
        )
        st.stop()
    names = list(mine)
    if len(names) == 1:
        return mine[names[0]]
    chosen = widgets.addressed("reader-study", names, names[0])
    st.selectbox("Reader study", names, key="reader-study")
    return mine[chosen]


def show_xray(room: Room, known: Sheet) -> None:
    """The X-ray in view, and its neighbours to step to. They are called by their place: an image's
    own name may tell where it comes from."""
    places = range(max(room.place - 1, 0), min(room.place + 2, len(known.order)))
    images = [readings.judged(room.study, known.order[at]).image_id for at in places]
    shown = [
        ViewerImage(_called(at, known), people.xray_address(room.study.study_id, image_id))
        for at, image_id in zip(places, images, strict=True)
    ]
    stepped = xray_viewer(
        shown,
        places.index(room.place),
        "reading_xray",
        source=f"reader study {room.study.id}",
        page_keys=PAGE_KEYS,
    )
    if stepped is not None and stepped != _called(room.place, known):
        room.go(next(at for at in places if _called(at, known) == stepped))
        st.rerun()


def show_questions(room: Room, known: Sheet) -> None:
    """How far the reader is, the labels to judge, the questions, and the ways to other images."""
    position = known.order[room.place]
    answered = known.given.get(position, {})
    st.title(_called(room.place, known).capitalize())
    _show_progress(room, known)
    if room.unsaved:
        st.error(plain(room.unsaved), icon=":material/error:")
    revealed = readings.revealed(room.study, room.reader)
    if revealed:
        st.info(_was(revealed[position], room.study.sparsity))
    labelled = readings.judged(room.study, position).labelled
    named = ", ".join(f"**{plain(name)}**" for name in labelled)
    st.markdown(f"Labelled: {named or '**nothing for certain**'}")
    for number, question in enumerate(QUESTIONS.values(), start=1):
        _show_question(number, question, room, known, answered)
    _show_moves(room, known, answered)
    if room.last:
        st.caption(plain(room.last))
    st.caption(KEYS)
    st.caption("For research only, not for diagnosis. Every answer is saved as you give it.")


def _show_progress(room: Room, known: Sheet) -> None:
    done, all_of_them = known.n_complete, len(known.order)
    st.progress(done / all_of_them, text=f"{done} of {all_of_them} answered")
    if done == all_of_them and not known.closed:
        st.success(
            "All images are answered. Thank you. You can still look through them and change "
            "answers.",
            icon=":material/check:",
        )
        if room.study.reveal:
            st.button(
                "Close my readings and see what each image was",
                on_click=readings.close,
                args=(room.study, room.reader),
            )
            st.caption("Answers can no longer change then.")


def _show_question(
    number: int, question: Question, room: Room, known: Sheet, answered: dict[str, int]
) -> None:
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
                    args=(known.order[room.place], question.name, value),
                )


def _show_moves(room: Room, known: Sheet, answered: dict[str, int]) -> None:
    place, last = room.place, len(known.order) - 1
    with st.container(horizontal=True, gap="xsmall"):
        for label, to, end, key in (
            ("Back", place - 1, 0, "Left"),
            ("Next", place + 1, last, "Right"),
        ):
            st.button(label, on_click=room.go, args=(to,), disabled=place == end, shortcut=key)
        for name, key in AGAIN.items():
            if name in answered and not known.closed:
                label = f"{QUESTIONS[name].measure.capitalize()} again"
                st.button(label, on_click=room.ask, args=(name,), shortcut=key)


def _called(place: int, known: Sheet) -> str:
    return f"image {place + 1} of {len(known.order)}"


def _was(is_pie: bool, sparsity: float) -> str:
    """What a reader who has closed their readings is told of an image."""
    if not is_pie:
        return "This image was not a PIE."
    return (
        "This image was a PIE: one of those whose classes dense and pruned models "
        f"({words.percent(sparsity)} sparsity) rank most differently."
    )
