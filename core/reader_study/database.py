"""Reader studies and their readers: made, listed, invited to, removed, deleted."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import InputError
from core.people.access import LOCAL
from core.reader_study.design import Plan, needs_no_sign_in, reader_address
from core.reader_study.drawing import draw_images
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
from core.wording.questions import IMAGE, Form

# The columns of `drawing.draw_images` that are kept.
DRAWN = ["image_id", "is_pie", "labelled", "finding_count", "group", "pair", "matched_on", "block"]


@dataclass(frozen=True)
class Design:
    """What reader studies could not choose at first; the defaults are what they had.

    See `design.Plan`. n_blocks: 0 where every reader reads every image. n_passed_over: PIEs that
    were left out because no non-PIE is like them.
    """

    form: Form = IMAGE
    repeats: float = 0.0
    readers_per_image: int = 0
    n_blocks: int = 0
    n_passed_over: int = 0


@dataclass(frozen=True)
class ReaderStudy:
    """A reader study as it was made; `study_id` is the folder name of the study it shows."""

    id: int
    name: str
    study_id: str
    sparsity: float
    matched: bool
    seed: int
    reveal: bool
    created_by: str
    created_at: float
    design: Design = Design()


@dataclass(frozen=True)
class Reader:
    """An invited person; `number` counts invitations from 1 and names them in exports."""

    address: str
    number: int
    removed: bool
    closed: bool


def create(folder: Path, wanted: Plan, created_by: str) -> ReaderStudy:
    """Draw the images of a plan and keep them, their labels and the readers, all or nothing.

    Raises InputError where the name is taken or the study cannot give what is wanted.
    """
    drawn = draw_images(folder, wanted)
    settings = wanted.model_dump(include={"name", "sparsity", "matched", "seed", "reveal"})
    settings |= {"study_id": folder.name, "created_by": created_by, "created_at": time.time()}
    chosen = wanted.model_dump(include={"form", "repeats", "readers_per_image"})
    made_so = Design(**chosen, n_blocks=wanted.n_blocks, n_passed_over=drawn.n_passed_over)
    settings |= {"design": asdict(made_so)}
    rows = drawn.images[DRAWN].to_dict("records")
    with writing() as connection:
        if _named(connection, wanted.name):
            raise InputError(f"There is a reader study {wanted.name!r} already; choose a name.")
        try:
            row = insert(studies).values(settings).returning(studies.c.id)
            made = connection.execute(row).scalar_one()
        except IntegrityError as error:
            raise InputError(f"There is a reader study {wanted.name!r} already.") from error
        key = {"reader_study": made}
        connection.execute(
            insert(images), [{**key, "position": at, **row} for at, row in enumerate(rows)]
        )
        _invite(connection, made, wanted.readers)
    return find(wanted.name)


def reader_studies(study_id: str | None = None) -> list[ReaderStudy]:
    """All, or those of one study; the newest first."""
    if nothing_kept():
        return []
    query = select(studies).order_by(studies.c.created_at.desc(), studies.c.id.desc())
    if study_id is not None:
        query = query.where(studies.c.study_id == study_id)
    with reading() as connection:
        return [reader_study_of(row) for row in connection.execute(query)]


def find(name: str) -> ReaderStudy:
    """Raises InputError that lists what there is."""
    known = reader_studies()
    for one in known:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in known) or "none yet"
    raise InputError(f"There is no reader study {name!r}. There are: {names}.")


def delete_unread(of: ReaderStudy) -> None:
    """Delete a reader study that nobody has answered in yet.

    Raises InputError once the first answer is in: from then on its images, labels and questions
    stay as they are.
    """
    with writing() as connection:
        _lock(connection, of)
        if _n_answers(connection, of):
            raise InputError(f"{of.name} has answers, so it can no longer be changed or deleted.")
        for table in (showings, readers, images):
            connection.execute(delete(table).where(table.c.reader_study == of.id))
        connection.execute(delete(studies).where(studies.c.id == of.id))


def is_frozen(of: ReaderStudy) -> bool:
    with reading() as connection:
        return _n_answers(connection, of) > 0


def invited(of: ReaderStudy) -> list[Reader]:
    """Everybody ever invited, in that order; those removed are marked."""
    query = select(readers).where(readers.c.reader_study == of.id).order_by(readers.c.number)
    with reading() as connection:
        return [
            Reader(row.reader, row.number, row.removed_at is not None, row.closed_at is not None)
            for row in connection.execute(query)
        ]


def invite(of: ReaderStudy, addresses: Iterable[str]) -> None:
    """Add readers; one who was removed comes back, with what they had answered."""
    checked = list(dict.fromkeys(reader_address(address) for address in addresses))
    with writing() as connection:
        _lock(connection, of)
        _invite(connection, of.id, checked)


def remove(of: ReaderStudy, address: str) -> None:
    """The reader may no longer read. Their answers are kept and left out of the statistics."""
    with writing() as connection:
        _lock(connection, of)
        connection.execute(
            update(readers)
            .where(readers.c.reader_study == of.id, readers.c.reader == address)
            .values(removed_at=time.time())
        )


def invitations(address: str) -> list[ReaderStudy]:
    """The reader studies this person reads in; the newest first."""
    if nothing_kept():
        return []
    query = (
        select(studies)
        .join(readers, readers.c.reader_study == studies.c.id)
        .where(readers.c.reader == address.strip().lower(), readers.c.removed_at.is_(None))
        .order_by(studies.c.created_at.desc(), studies.c.id.desc())
    )
    with reading() as connection:
        return [reader_study_of(row) for row in connection.execute(query)]


def read_by_name() -> bool:
    """Whether anybody is invited by a name, to read where nobody signs in."""
    if nothing_kept():
        return False
    query = select(readers.c.reader).where(readers.c.removed_at.is_(None)).distinct()
    with reading() as connection:
        everybody = connection.execute(query).scalars().all()
    return any(needs_no_sign_in(one) and one != LOCAL.email for one in everybody)


def _invite(connection: Connection, study: int, addresses: Iterable[str]) -> None:
    known = select(readers.c.reader).where(readers.c.reader_study == study)
    there = set(connection.execute(known).scalars())
    number = len(there)
    for address in addresses:
        if address in there:
            here = (readers.c.reader_study == study) & (readers.c.reader == address)
            connection.execute(update(readers).where(here).values(removed_at=None))
            continue
        number += 1
        row = {"reader_study": study, "reader": address, "number": number}
        connection.execute(insert(readers).values(row))


def _lock(connection: Connection, of: ReaderStudy) -> None:
    """Others who change the same reader study wait (SQLite's BEGIN IMMEDIATE does so anyway).

    Raises InputError where it was deleted meanwhile.
    """
    row = select(studies.c.id).where(studies.c.id == of.id).with_for_update()
    if connection.execute(row).first() is None:
        raise InputError(f"The reader study {of.name} no longer exists.")


def _named(connection: Connection, name: str) -> bool:
    query = select(studies.c.id).where(studies.c.name == name)
    return connection.execute(query).first() is not None


def _n_answers(connection: Connection, of: ReaderStudy) -> int:
    counted = select(func.count()).select_from(answers).where(answers.c.reader_study == of.id)
    return int(connection.execute(counted).scalar_one())


def reader_study_of(row: Row) -> ReaderStudy:
    """A row of `schema.studies`."""
    kept = dict(row._mapping)
    return ReaderStudy(**kept | {"design": Design(**kept["design"] or {})})
