"""The reader's side: what is shown next, and answers that are kept the moment they are given.

Nothing here tells a reader whether an image is a PIE, until the reader has closed their readings
of a study that reveals it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from core.errors import InputError
from core.reader_study.database import ReaderStudy
from core.reader_study.design import reader_order
from core.reader_study.schema import answers, images, readers, reading, showings, writing
from core.wording.questions import QUESTIONS

Given = dict[int, dict[str, int]]


@dataclass(frozen=True)
class Sheet:
    """What a reader has to read: the positions in their own order, what they have answered by
    position and question, the place (from 0) to go on at, and whether they have closed it."""

    order: list[int]
    given: Given
    place: int
    closed: bool

    def complete(self, position: int) -> bool:
        return len(self.given.get(position, {})) == len(QUESTIONS)

    @property
    def n_complete(self) -> int:
        return sum(self.complete(position) for position in self.order)

    def next_open(self, place: int) -> int | None:
        """The first place from `place` on, going round, that lacks an answer."""
        n = len(self.order)
        after = [(place + step) % n for step in range(n)]
        return next((at for at in after if not self.complete(self.order[at])), None)


@dataclass(frozen=True)
class Judged:
    """An image as a reader gets it: the X-ray, and the labels to judge."""

    image_id: str
    labelled: list[str]


def sheet(of: ReaderStudy, reader: str) -> Sheet:
    """Where a reader stands. Raises InputError where they are not, or no longer, invited."""
    with reading() as connection:
        closed = _invitation(connection, of, reader)
        positions = select(func.count()).select_from(images).where(images.c.reader_study == of.id)
        order = reader_order(of.seed, reader, int(connection.execute(positions).scalar_one()))
        given = _given(connection, of, reader)
        last = connection.execute(
            select(showings.c.position)
            .where(showings.c.reader_study == of.id, showings.c.reader == reader)
            .order_by(showings.c.id.desc())
            .limit(1)
        ).scalar()
    left_at = order.index(last) if last is not None else 0
    found = Sheet(order, given, left_at, closed)
    open_place = found.next_open(left_at)
    return found if open_place is None else Sheet(order, given, open_place, closed)


def judged(of: ReaderStudy, position: int) -> Judged:
    query = select(images.c.image_id, images.c.labelled).where(
        images.c.reader_study == of.id, images.c.position == position
    )
    with reading() as connection:
        row = connection.execute(query).one()
    return Judged(row.image_id, list(row.labelled))


def show(of: ReaderStudy, reader: str, position: int) -> int:
    """Note that an image is now before the reader; the time of its answers counts from here."""
    with writing() as connection:
        _invitation(connection, of, reader)
        row = {"reader_study": of.id, "reader": reader, "position": position}
        noted = insert(showings).values(row | {"shown_at": time.time()})
        return int(connection.execute(noted.returning(showings.c.id)).scalar_one())


def answer(
    of: ReaderStudy, reader: str, position: int, question: str, value: int, showing: int | None
) -> None:
    """Keep an answer. It is on disk when this returns; an earlier one stays in the history, and
    the same one again adds nothing.

    Raises InputError for what cannot be an answer, of a reader who is not invited or has closed
    their readings; WorkError where the database did not take it, and then it is not kept.
    """
    if question not in QUESTIONS:
        raise InputError(f"There is no question {question!r}; there are: {', '.join(QUESTIONS)}.")
    if value not in QUESTIONS[question].answers:
        allowed = ", ".join(map(str, sorted(QUESTIONS[question].answers)))
        raise InputError(f"{value!r} is no answer to {question}; allowed are {allowed}.")
    with writing() as connection:
        # Of two tabs of one reader the second waits here, and then sees the first one's answer.
        closed = _invitation(connection, of, reader, lock=True)
        if closed:
            raise InputError("You have closed your readings, so answers can no longer change.")
        there = select(images.c.position).where(
            images.c.reader_study == of.id, images.c.position == position
        )
        if connection.execute(there).first() is None:
            raise InputError(f"{of.name} has no image {position}.")
        if _given(connection, of, reader).get(position, {}).get(question) == value:
            return
        row = {
            "reader_study": of.id,
            "reader": reader,
            "position": position,
            "question": question,
            "value": value,
            "showing": showing,
            "given_at": time.time(),
        }
        connection.execute(insert(answers).values(row))


def close(of: ReaderStudy, reader: str) -> None:
    """The reader is done: answers can no longer change, and `revealed` tells.

    Raises InputError while an answer is missing.
    """
    known = sheet(of, reader)
    if known.next_open(0) is not None:
        left = len(known.order) - known.n_complete
        raise InputError(f"{left} images still lack an answer.")
    with writing() as connection:
        here = (readers.c.reader_study == of.id) & (readers.c.reader == reader)
        connection.execute(update(readers).where(here).values(closed_at=time.time()))


def revealed(of: ReaderStudy, reader: str) -> dict[int, bool]:
    """Whether each position is a PIE: only where the study reveals it, and only to a reader who
    has closed their readings; else empty."""
    query = select(images.c.position, images.c.is_pie).where(images.c.reader_study == of.id)
    with reading() as connection:
        closed = _invitation(connection, of, reader)
        if not (of.reveal and closed):
            return {}
        return {row.position: row.is_pie for row in connection.execute(query)}


def _invitation(connection: Connection, of: ReaderStudy, reader: str, lock: bool = False) -> bool:
    """Whether the reader has closed their readings; raises InputError without an invitation."""
    query = select(readers.c.closed_at).where(
        readers.c.reader_study == of.id,
        readers.c.reader == reader,
        readers.c.removed_at.is_(None),
    )
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise InputError(f"You are not, or no longer, a reader of {of.name}.")
    return row.closed_at is not None


def _given(connection: Connection, of: ReaderStudy, reader: str) -> Given:
    """The latest answers. Answers are only ever added, so the last of a question counts."""
    query = (
        select(answers.c.position, answers.c.question, answers.c.value)
        .where(answers.c.reader_study == of.id, answers.c.reader == reader)
        .order_by(answers.c.id)
    )
    given: Given = {}
    for row in connection.execute(query):
        given.setdefault(row.position, {})[row.question] = row.value
    return given
