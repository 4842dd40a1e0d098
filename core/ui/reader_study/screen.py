"""The screen of a reader: one X-ray, its labels, the questions. Nothing of a model."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.errors import InputError, WorkError
from core.people.access import LOCAL, Person
from core.reader_study import database, readings
from core.reader_study.database import ReaderStudy
from core.reader_study.readings import Sheet
from core.ui import people, plain, widgets
from core.ui.reader_study import room as rooms
from core.ui.reader_study.key_queue import queue_keys
from core.ui.reader_study.room import Room, labels
from core.ui.viewer import ViewerImage, xray_viewer
from core.wording import words
from core.wording.questions import IMAGE, QUESTIONS, Question

AGAIN = {"image_quality": "Q", "difficulty": "T"}
LABELS_AGAIN = "B"
# What the viewer leaves to the questions while it has the focus.
PAGE_KEYS = "yn12345qtb"
KEYS_HELP = (
    ("Y, N", "yes, no to each label"),
    ("1 to 5", "image quality, then difficulty"),
    ("B, Q, T", "labels, image quality, difficulty again"),
)
STEPS = {"left": -1, "right": 1}
KEYS = (
    "Keys: Y or N for each label, then 1 to 5 for image quality, then 1 to 5 for difficulty. The "
    "next image appears by itself; the left and right arrows go back and forward. B, Q and T ask "
    "again for labels, quality and difficulty."
)
NAME = "reader"  # of a person who reads without signing in: in the address and in the session


def who_reads(person: Person) -> str:
    """The reader: who signed in; or, on a machine where nobody does, the name that somebody typed.

    Only somebody who sits at that machine can read by a name: from elsewhere everybody is a guest.
    """
    if person != LOCAL:
        return person.email
    if name := st.session_state.get(NAME) or st.query_params.get("reader"):
        st.session_state[NAME] = name
        widgets.set_address(NAME, name)
        return str(name).strip().lower()
    if not database.invitations(LOCAL.email) and database.read_by_name():
        st.title("My readings")
        with st.form("who-reads", border=False):
            typed = st.text_input("Your name, as the researcher who invited you wrote it")
            if st.form_submit_button("Read", type="primary") and typed.strip():
                st.session_state[NAME] = typed.strip()
                st.rerun()
        st.stop()
    return LOCAL.email


def show_name(reader: str) -> None:
    """Under which name somebody reads who has not signed in, and the way to another."""
    if st.session_state.get(NAME) is None and not database.read_by_name():
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"You are reading as {plain(reader)}.")
        st.button("Somebody else", type="tertiary", on_click=_forget_name)


def _forget_name() -> None:
    st.session_state.pop(NAME, None)
    st.query_params.pop("reader", None)
    st.session_state["reading_room"] = None


def choose_study(reader: str) -> ReaderStudy:
    """One that this reader is invited to; says so and ends the page where there is none."""
    mine = {one.name: one for one in database.invitations(reader)}
    if not mine:
        st.title("My readings")
        st.info(
            f"There is nothing for you to read. X-rays appear here once a researcher invites "
            f"{plain(reader)} to a reader study.",
            icon=":material/inbox:",
        )
        if st.session_state.get(NAME):
            show_name(reader)
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
    shown = [
        ViewerImage(
            _called(at, known),
            people.reading_address(room.study.id, known.order[at], room.reader),
        )
        for at in places
    ]
    stepped = xray_viewer(
        shown,
        places.index(room.place),
        "reading_xray",
        source=f"reader study {room.study.id}",
        page_keys=PAGE_KEYS,
        page_help=KEYS_HELP,
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
    if room.study.design.form == IMAGE or not labelled:
        named = ", ".join(f"**{plain(name)}**" for name in labelled)
        st.markdown(f"Labelled: {named or '**nothing for certain**'}")
    for number, question in enumerate(known.asked[position].values(), start=1):
        _show_question(number, question, room, known, answered)
    _show_moves(room, known, answered)
    if room.last:
        st.caption(plain(room.last))
    st.caption(KEYS)
    st.caption("For research only, not for diagnosis. Every answer is saved as you give it.")


def listen(room: Room, known: Sheet) -> None:
    """To the keys, wherever the focus is."""
    keys = "" if known.closed else PAGE_KEYS
    queue_keys(room.image_key, keys, rooms.SLIP_SECONDS, partial(take_key, room))


def take_key(room: Room, key: str, image: str) -> None:
    """A key of the queue: a step, or what it says about the image it was pressed for. What it
    answers goes by what is answered by then."""
    try:
        known = readings.sheet(room.study, room.reader)
    except (InputError, WorkError) as error:
        room.unsaved = f"{key.upper()} was NOT saved. {error}"
        return
    if key in STEPS:
        if 0 <= room.place + STEPS[key] < len(known.order):
            room.go(room.place + STEPS[key])
        return
    if image != room.image_key:
        room.last = rooms.TOO_SOON
        return
    position = known.order[room.place]
    answered = known.given.get(position, {})
    asked = known.asked[position]
    again = {AGAIN[name].lower(): name for name in AGAIN if name in answered}
    if (many := labels(asked)) and many[-1] in answered:
        again[LABELS_AGAIN.lower()] = many[0]
    if key in again:
        room.ask(again[key])
        return
    for name, question in asked.items():
        for value, said in room.keys(question, asked, answered).items():
            if said.lower() == key:
                room.keep(position, name, value, queued=True)
                return


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
    keys = room.keys(question, known.asked[known.order[room.place]], answered)
    asked = keys and (question.name not in answered or room.asking == question.name)
    kind = "asked" if asked else "question"
    with st.container(key=f"{kind}-{question.name}", gap="xsmall"):
        text = f"{number}\\. {plain(question.asked)}"
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
        many = labels(known.asked[known.order[place]])
        if len(many) > 1 and many[-1] in answered and not known.closed:
            st.button("Labels again", on_click=room.ask, args=(many[0],), shortcut=LABELS_AGAIN)
        for name, key in AGAIN.items():
            if name in answered and not known.closed:
                label = f"{QUESTIONS[name].measure.capitalize()} again"
                st.button(label, on_click=room.ask, args=(name,), shortcut=key)


def _called(place: int, known: Sheet) -> str:
    return f"image {place + 1} of {len(known.order)}"


def _was(is_pie: bool, sparsity: float) -> str:
    """What readers who have closed their readings learn about an image."""
    if not is_pie:
        return "This image was not a PIE."
    return (
        "This image was a PIE: one of those whose classes dense and pruned models "
        f"({words.percent(sparsity)} sparsity) rank most differently."
    )
