"""What the reading page keeps between two answers: the image in view, and since when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import streamlit as st

from core.errors import InputError, WorkError
from core.reader_study import readings
from core.reader_study.database import ReaderStudy
from core.reader_study.readings import Asked
from core.ui import people
from core.wording.questions import Question

YES_NO = {1: "Y", 0: "N"}
# Nobody judges an X-ray, or thinks again, within this time: a key that comes sooner was meant for
# what was on the screen before.
SLIP_SECONDS = 0.4
TOO_SOON = "That key came before the page had changed, so it was not counted."


@dataclass
class Room:
    """One reader at one reader study; kept in the browser session, while all that counts is in
    the database. `person` is who signed in: the reader, unless somebody reads by a name where
    nobody signs in."""

    study: ReaderStudy
    reader: str
    person: str
    place: int
    showing: int | None = None
    unsaved: str = ""
    asking: str = ""
    last: str = ""
    # When the page showed the image, and each answer to it; None until it has been drawn.
    since: float | None = None
    drawn_at: dict[str, float | None] = field(default_factory=dict)

    @property
    def image_key(self) -> str:
        """Names the image in view in the keys of its buttons, by its place in the reader's order. A
        button pressed on the screen of one image then never answers for another one, however late
        the press arrives."""
        return f"{self.study.id}-{self.place}"

    def go(self, place: int) -> None:
        """To another place in the reader's own order."""
        self.place, self.showing, self.asking = place, None, ""
        self.since, self.drawn_at = None, {}

    def note_showing(self, position: int) -> None:
        """Start the clock of the image in view, once. Without it answers are kept all the same,
        only their time is not."""
        if self.showing is None:
            try:
                self.showing = readings.show(self.study, self.reader, position)
            except WorkError:
                self.showing = None

    def keep(self, position: int, question: str, value: int, queued: bool = False) -> None:
        """Keep an answer; after the last one of an image go on to the next that lacks any.
        queued: the browser has seen to it that it was not pressed too soon."""
        if not queued and self.too_soon(question):
            self.last = TOO_SOON
            return
        said = str(value)
        try:
            before = readings.sheet(self.study, self.reader)
            said = before.asked[position][question].word(value)
            if getattr(people.look(), "email", None) != self.person:  # the page has not looked yet
                self.unsaved = f"{said} was NOT saved. Sign in again."
                return
            if before.order[self.place] != position:  # pressed on the screen of another image
                self.last = TOO_SOON
                return
            readings.answer(self.study, self.reader, position, question, value, self.showing)
            after = readings.sheet(self.study, self.reader)
        except (InputError, WorkError) as error:
            self.unsaved = f"{said} was NOT saved. {error}"
            return
        asked = before.asked[position]
        again = self.asking == question and question in labels(asked)[:-1]
        self.asking = labels(asked)[labels(asked).index(question) + 1] if again else ""
        self.unsaved, self.last = "", ""
        self.drawn_at[question] = None
        if after.complete(position) and not before.complete(position):
            self.last = _told(self.place, asked, after.given[position])
            following = after.next_open(self.place)
            if following is not None:
                self.go(following)

    def too_soon(self, question: str) -> bool:
        """Whether a key meant something else on the screen that its reader saw."""
        drawn = self.since, self.drawn_at.get(question, 0.0)
        return any(at is None or time.monotonic() - at < SLIP_SECONDS for at in drawn)

    def settle(self) -> None:
        """The page is drawn."""
        now = time.monotonic()
        self.since = now if self.since is None else self.since
        self.drawn_at = {name: now if at is None else at for name, at in self.drawn_at.items()}

    def ask(self, question: str) -> None:
        """Let the number keys answer this question."""
        self.asking = question

    def keys(self, question: Question, asked: Asked, answered: dict[str, int]) -> dict[int, str]:
        """The key of each answer: Y and N for the label that is asked now, or the only one there
        is; 1 to 5 for the scale that is asked now."""
        alike = [name for name, one in asked.items() if one.level == question.level]
        now = next((name for name in alike if name not in answered), "")
        if self.asking in alike:
            now = self.asking
        if question.level == "nominal":
            return YES_NO if question.name == now or len(alike) == 1 else {}
        return {value: str(value) for value in question.answers} if question.name == now else {}


def labels(asked: Asked) -> list[str]:
    """The questions that are answered by yes or no."""
    return [name for name, one in asked.items() if one.level == "nominal"]


def enter(of: ReaderStudy, reader: str, person: str) -> tuple[Room, readings.Sheet]:
    """The room as it was left, in this session or, in a new one, as the database knows it."""
    known = readings.sheet(of, reader)
    room = st.session_state.get("reading_room")
    here = (of, reader, person)
    if not isinstance(room, Room) or (room.study, room.reader, room.person) != here:
        room = Room(*here, known.place)
        st.session_state["reading_room"] = room
    return room, known


def _told(place: int, asked: Asked, answers: dict[str, int]) -> str:
    said = ", ".join(
        f"{question.measure} {question.word(answers[name]).lower()}"
        for name, question in asked.items()
    )
    return f"Saved for image {place + 1}: {said}."
