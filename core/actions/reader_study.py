"""Whose a reader study is: researchers see, change and delete those they have made; administrators
all. Every change of an existing one passes here. Readers see what they are invited to, see
`readings`.

One that was made in a terminal without an owner is of the machine itself: administrators', and on
a machine where nobody signs in everybody's who sits at it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from core.errors import InputError
from core.people import audit
from core.people.access import GUEST, SEES_STUDIES, Person
from core.reader_study import database, results
from core.reader_study.database import ReaderStudy

NOT_YOURS = "Only the person who made a reader study, or an administrator, can do that."


def visible(study_id: str, person: Person) -> list[ReaderStudy]:
    """The reader studies of a study that are this person's to see, the newest first."""
    return [one for one in database.reader_studies(study_id) if may_manage(one, person)]


def may_manage(of: ReaderStudy, person: Person) -> bool:
    """Guests are nobody in particular, so no reader study is theirs."""
    if person.role == "admin":
        return True
    own = person != GUEST and of.created_by.strip().lower() == person.email
    return own and person.role in SEES_STUDIES


def invite(of: ReaderStudy, person: Person, addresses: Iterable[str]) -> None:
    """Raises InputError where it is not this person's."""
    _refuse_unless_theirs(of, person)
    database.invite(of, addresses)


def remove(of: ReaderStudy, person: Person, reader: str) -> None:
    """Raises InputError where it is not this person's."""
    _refuse_unless_theirs(of, person)
    database.remove(of, reader)


def delete(of: ReaderStudy, person: Person) -> None:
    """Raises InputError where it is not this person's, or has answers."""
    _refuse_unless_theirs(of, person)
    audit.record(person.email, "deletion", {"study": of.study_id, "reader study": of.name})
    database.delete_unread(of)


def export_table(of: ReaderStudy, person: Person, name: str) -> pd.DataFrame:
    """One of `results.TABLES`. Raises InputError where it is not this person's."""
    _refuse_unless_theirs(of, person)
    return results.export_table(of, name)


def _refuse_unless_theirs(of: ReaderStudy, person: Person) -> None:
    if not may_manage(of, person):
        audit.refused(person.email, {"study": of.study_id, "reader study": of.name})
        raise InputError(NOT_YOURS)
