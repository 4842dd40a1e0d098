"""A reader study over the toy study, and readers who answer by a rule."""

from __future__ import annotations

from pathlib import Path

from core.reader_study import database, design, readings
from core.reader_study.database import ReaderStudy
from tests.toys import write_toy_study

FIRST = {"matched": False, "form": "image", "repeats": 0.0}
READERS = ("ada@clinic.org", "local", "grace@clinic.org")


def write_reader_study(folder: Path | None = None, **settings: object) -> ReaderStudy:
    """Five PIEs and five non-PIEs of the toy study, as reader studies were at first, unless
    `settings` say otherwise."""
    folder = folder or write_toy_study()
    asked = {"name": "first", "readers": READERS, "n_pies": 5, "n_non_pies": 5, **FIRST, **settings}
    return database.create(folder, design.plan(**asked), "boss@clinic.org")


def answer_all(of: ReaderStudy, reader: str, shift: int = 0) -> None:
    """Answers that follow from the position, moved by `shift`, with their showings."""
    known = readings.sheet(of, reader)
    for position in known.order:
        showing = readings.show(of, reader, position)
        for at, question in enumerate(known.asked[position].values()):
            values = list(question.answers)
            value = values[(position + at + shift) % len(values)]
            readings.answer(of, reader, position, question.name, value, showing)
