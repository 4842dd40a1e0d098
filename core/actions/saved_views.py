"""Views that people save under a name: what they had chosen on the PIE browser of a study.

They are each person's own; without sign-in they belong to the person at the machine. They lie
in the database of reader studies.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import InputError
from core.people.access import GUEST, SEES_STUDIES, Person
from core.reader_study.schema import nothing_kept, reading, saved_views, writing

LONGEST_NAME = 80
MOST_VIEWS = 100  # of a person, in a study


@dataclass(frozen=True)
class SavedView:
    """settings: by the name that a choice has in the address, what JSON can hold."""

    name: str
    settings: dict[str, Any]
    saved_at: float


def may_save(person: Person) -> bool:
    """Guests are nobody in particular: what one saved, all would see."""
    return person != GUEST and person.role in SEES_STUDIES


def saved(person: Person, study_id: str) -> list[SavedView]:
    """A person's views of a study, by name."""
    if nothing_kept() or not may_save(person):
        return []
    query = select(saved_views).where(_theirs(person, study_id))
    with reading() as connection:
        rows = connection.execute(query.order_by(func.lower(saved_views.c.name))).all()
    return [SavedView(row.name, row.settings, row.saved_at) for row in rows]


def save(person: Person, study_id: str, name: str, settings: dict[str, Any]) -> SavedView:
    """Raises InputError for a guest, a name that is empty, too long or taken, and one view too
    many."""
    name = " ".join(name.split())
    if not may_save(person):
        raise InputError("Sign in to save views: without sign-in, everybody would share them.")
    if not 0 < len(name) <= LONGEST_NAME:
        raise InputError(f"A view needs a name of 1 to {LONGEST_NAME} characters.")
    kept = SavedView(name, settings, time.time())
    row = {"person": person.email, "study_id": study_id} | vars(kept)
    with writing() as connection:
        mine = select(func.count()).select_from(saved_views).where(_theirs(person, study_id))
        if connection.execute(mine).scalar_one() >= MOST_VIEWS:
            raise InputError(f"You have {MOST_VIEWS} views of this study. Delete one first.")
        taken = select(saved_views.c.name).where(_theirs(person, study_id, name))
        if connection.execute(taken).first():
            raise InputError(f"You have a view {name!r} already. Choose another name.")
        try:
            connection.execute(insert(saved_views).values(row))
        except IntegrityError as error:  # another tab of theirs was sooner
            raise InputError(f"You have a view {name!r} already.") from error
    return kept


def remove(person: Person, study_id: str, name: str) -> None:
    """Delete one of a person's own views; `save` brings it back."""
    with writing() as connection:
        connection.execute(delete(saved_views).where(_theirs(person, study_id, name)))


@contextmanager
def forgetting_study(study_id: str) -> Iterator[None]:
    """Delete everybody's views of a study that the block deletes, as they may name its patients;
    they stay where the block fails."""
    if nothing_kept():
        yield
        return
    with writing() as connection:
        connection.execute(delete(saved_views).where(saved_views.c.study_id == study_id))
        yield


def _theirs(person: Person, study_id: str, name: str | None = None) -> ColumnElement[bool]:
    mine = and_(saved_views.c.person == person.email, saved_views.c.study_id == study_id)
    return mine if name is None else and_(mine, saved_views.c.name == name)
