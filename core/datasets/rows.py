"""How a CSV file is written, and whether its rows fit its header."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

from core.errors import InputError

log = logging.getLogger(__name__)

CHUNK = 2**20
NO_TEXT = (b"\0", b"\x1a")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Excel's own first line, which says how the fields below it are divided.
STATED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
MARKS = ",;\t|"


class Dialect(NamedTuple):
    """What pandas and csv have to know of a CSV file."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    skipped: int = 0  # lines above the header


def dialect(file: IO[bytes]) -> Dialect:
    """How a CSV file is written; `file` is rewound.

    Text is UTF-8 (or UTF-16 with its mark, as Excel's "Unicode text"); what is neither is cp1252,
    as Excel writes CSV on Windows. Fields are divided by what divides the header into most:
    commas, semicolons, tabs or bars, or by what a line `sep=;` above it states. Raises csv.Error
    for bytes that are no text.
    """
    file.seek(0)
    encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    binary = nul = False
    try:
        while chunk := file.read(CHUNK):
            binary = binary or any(byte in chunk for byte in NO_TEXT)
            nul = nul or (encoding != "utf-16" and b"\0" in chunk)
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if binary:
            raise csv.Error("it holds bytes that no text has") from None
        encoding = "cp1252"
    if nul:
        raise csv.Error("it holds zero bytes, as UTF-16 does. Save it as CSV UTF-8")
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        lines = enumerate(iter(lambda: text.readline(CHUNK), ""), start=1)
        number, header = next(((n, line) for n, line in lines if line.strip()), (0, ""))
    finally:
        text.detach()
    file.seek(0)
    if stated := STATED.fullmatch(header):
        return Dialect(encoding, stated[1], number)
    fields = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in MARKS}
    return Dialect(encoding, max(fields, key=lambda mark: fields[mark]))


def refuse_long_rows(file: IO[bytes], path: Path, written: Dialect) -> None:
    """Raise InputError that names the first row with more fields than the header, or a column that
    is there twice; rows with fewer fields are counted in a warning.

    An unquoted comma within a value shifts every later value into the next column. One blank field
    more at the end of *every* row is only a comma too many, and shifts nothing.
    """
    text = io.TextIOWrapper(file, encoding=written.encoding, newline="")
    try:
        reader = csv.reader(text, delimiter=written.delimiter)
        filled = islice((row for row in reader if row), bool(written.skipped), None)
        header: list[str] = next(filled, [])
        counts = Counter(filter(None, map(str.strip, header)))
        if twice := [name for name, n in counts.items() if n > 1]:
            raise InputError(f"{path} has the column {twice[0]!r} twice.")
        long, every, short, n_short = None, True, 0, 0
        for row in filled:
            if len(row) < len(header):
                short, n_short = short or reader.line_num, n_short + 1
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
        if n_short:
            log.warning(
                "%s: rows with fewer fields than the header: %d, the first in line %d; what they "
                "lack is taken as blank", path, n_short, short,
            )  # fmt: skip
    except csv.Error as error:
        raise InputError(f"{path} is not a readable CSV table: {error}.") from error
    finally:
        text.detach()
