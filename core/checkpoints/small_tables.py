"""Small CSV tables that people write by hand, or paste into a page."""

from __future__ import annotations

import csv
import io

from core.errors import InputError


def rows_of(text: str, what: str, most: int) -> tuple[tuple[str, ...], list[dict[str, str | None]]]:
    """The header, and each row by it; None where a row is shorter.

    what: the table's name in a sentence; most: characters. Raises InputError for text that is
    longer or no CSV, and for a row longer than the header: with a decimal comma, 0,01 would be 0.
    """
    if len(text) > most:
        raise InputError(f"{what} has more than {most:,} characters; a small table is enough.")
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    try:
        names, rows = tuple(reader.fieldnames or ()), list(reader)
    except csv.Error as error:
        raise InputError(f"{what} is no CSV: {error}.") from error
    for row in rows:
        if any(field.strip() for field in row.pop(None, ())):
            first = next(iter(row.values()), "")
            raise InputError(
                f"{what}: the row of {str(first)[:60]!r} has more fields than the header. Write "
                "numbers with a point, such as 0.01, or in quotes."
            )
    return names, rows
