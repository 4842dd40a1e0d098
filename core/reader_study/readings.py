"""The reader's side: what is shown next, and answers that are kept the moment they are given.

Nothing here tells a reader whether an image is a PIE, until the reader has closed their readings
of a study that reveals it; nor whether it is shown to them for the second time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, select, update

from core.errors import InputError, WorkError
from core.people.access import ReadingClaim
from core.reader_study.database import ReaderStudy, reader_study_of
from core.reader_study.schedule import blocks_of, reader_order
from core.reader_study.schema import (
    answers,
    images,
    nothing_kept,
    readers,
    reading,
    showings,
    studies,
    writing,
)
from core.wording.questions import Question, questions_of

Given = dict[int, dict[str, int]]
Asked = dict[str, Question]


@dataclass(frozen=True)
class Sheet:
    """What a reader has to read: the positions in their own order, what they have answered by
    position and question, the place (from 0) to go on at, whether they have closed it, and what is
    asked at each position.

    A position from the number of images on is that of an image shown for the second time.
    """

    order: list[int]
    given: Given
    place: int
    closed: bool
    asked: Mapping[int, Asked] = field(repr=False)

    def complete(self, position: int) -> bool:
        return self.asked[position].keys() <= self.given.get(position, {}).keys()

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
        found = sheet_of(connection, of, reader, closed)
        last = connection.execute(
            select(showings.c.position)
            .where(showings.c.reader_study == of.id, showings.c.reader == reader)
            .order_by(showings.c.id.desc())
            .limit(1)
        ).scalar()
    left_at = found.order.index(last) if last in found.order else 0
    open_place = found.next_open(left_at)
    place = left_at if open_place is None else open_place
    return Sheet(found.order, found.given, place, closed, found.asked)


def sheet_of(connection: Connection, of: ReaderStudy, reader: str, closed: bool = False) -> Sheet:
    """The sheet of anybody ever invited, opened at its first place."""
    kept = select(images.c.position, images.c.labelled, images.c.block).where(
        images.c.reader_study == of.id
    )
    known = {row.position: row for row in connection.execute(kept)}
    blocks: frozenset[int | None] = frozenset()
    if of.design.n_blocks:
        here = (readers.c.reader_study == of.id) & (readers.c.reader == reader)
        number = int(connection.execute(select(readers.c.number).where(here)).scalar_one())
        blocks = blocks_of(number, of.design.n_blocks, of.design.readers_per_image)
    mine = [at for at in sorted(known) if known[at].block is None or known[at].block in blocks]
    order = reader_order(of.seed, reader, mine, len(known), of.design.repeats)
    asked = {at: questions_of(of.design.form, known[at % len(known)].labelled) for at in order}
    return Sheet(order, _given(connection, of, reader), 0, closed, asked)


def judged(of: ReaderStudy, position: int) -> Judged:
    with reading() as connection:
        query = select(images.c.image_id, images.c.labelled).where(
            images.c.reader_study == of.id, images.c.position == _first(connection, of, position)
        )
        row = connection.execute(query).one()
    return Judged(row.image_id, list(row.labelled))


def to_read(claim: ReadingClaim) -> tuple[str, str] | None:
    """Study and image at a place of a reader study; None where this reader has no such place, and
    where nobody can tell."""
    with suppress(InputError, WorkError):
        if nothing_kept():
            return None
        with reading() as connection:
            row = connection.execute(select(studies).where(studies.c.id == claim.reader_study))
            kept = row.one_or_none()
            if kept is None:
                return None
            of = reader_study_of(kept)
            _invitation(connection, of, claim.reader)
            if claim.position in sheet_of(connection, of, claim.reader).order:
                return of.study_id, judged(of, claim.position).image_id
    return None


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
    with writing() as connection:
        # Of two tabs of one reader the second waits here, and then sees the first one's answer.
        closed = _invitation(connection, of, reader, lock=True)
        if closed:
            raise InputError("You have closed your readings, so answers can no longer change.")
        known = sheet_of(connection, of, reader)
        _refuse_odd(of, known, position, question, value)
        if known.given.get(position, {}).get(question) == value:
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
        truth = {row.position: row.is_pie for row in connection.execute(query)}
        order = sheet_of(connection, of, reader).order
    return {position: truth[position % len(truth)] for position in order}


def _refuse_odd(of: ReaderStudy, known: Sheet, position: int, question: str, value: int) -> None:
    """Raises InputError for what cannot be an answer."""
    if position not in known.asked:
        raise InputError(f"{of.name} has no image {position}.")
    asked = known.asked[position]
    if question not in asked:
        raise InputError(f"There is no question {question!r}; there are: {', '.join(asked)}.")
    if value not in asked[question].answers:
        allowed = ", ".join(map(str, sorted(asked[question].answers)))
        raise InputError(f"{value!r} is no answer to {question}; allowed are {allowed}.")


def _first(connection: Connection, of: ReaderStudy, position: int) -> int:
    """The position of the image itself, of one that may be shown for the second time."""
    counted = select(func.count()).select_from(images).where(images.c.reader_study == of.id)
    return position % int(connection.execute(counted).scalar_one())


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
