"""Whether the rows of a CSV file fit its header."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import IO

from core.errors import InputError


def refuse_long_rows(file: IO[bytes], path: Path) -> None:
    """Raise InputError that names the first row with more fields than the header.

    An unquoted comma within a value shifts every later value into the next column. One blank field
    more at the end of *every* row is only a comma too many, and shifts nothing.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(text)
        header: list[str] = next((row for row in reader if row), [])
        long, every = None, True
        for row in reader:
            if not row:
                continue
            extra = row[len(header) :]
            every = every and len(extra) == 1 and not extra[0].strip()
            if extra and long is None:
                long = (reader.line_num, len(row), row[0])
            if long is not None and not every:
                break
        if long is not None and not every:
            line, n_fields, first = long
            raise InputError(
                f"{path}: line {line} ({first[:60]!r}) has {n_fields:,} fields, and the header "
                f"names {len(header):,}, so its values would stand in the wrong columns. Put a "
                'value that holds a comma in quotes ("1,5"), or name every column in the header.'
            )
    except csv.Error as error:
        raise InputError(f"{path} is not a readable CSV table: {error}.") from error
    finally:
        text.detach()
