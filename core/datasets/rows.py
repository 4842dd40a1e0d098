"""How a CSV file is written, and whether its rows fit its header."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import IO, NamedTuple

from core.errors import InputError

CHUNK = 2**20
NO_TEXT = (b"\0", b"\x1a")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Dialect(NamedTuple):
    """What pandas and csv have to know of a CSV file."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","


def dialect(file: IO[bytes]) -> Dialect:
    """How a CSV file is written; `file` is rewound.

    Text is UTF-8 (or UTF-16 with its mark, as Excel's "Unicode text"); what is neither is cp1252,
    as Excel writes CSV on Windows. Fields are divided by what divides the header into most:
    commas, semicolons or tabs. Raises csv.Error for bytes that are no text.
    """
    file.seek(0)
    encoding = "utf-16" if file.read(2) in UTF_16 else "utf-8-sig"
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    binary = False
    try:
        while chunk := file.read(CHUNK):
            binary = binary or any(byte in chunk for byte in NO_TEXT)
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if binary:
            raise csv.Error("it holds bytes that no text has") from None
        encoding = "cp1252"
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        header = next((line for line in iter(lambda: text.readline(CHUNK), "") if line.strip()), "")
    finally:
        text.detach()
    file.seek(0)
    fields = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in ",;\t"}
    return Dialect(encoding, max(fields, key=lambda mark: fields[mark]))


def refuse_long_rows(file: IO[bytes], path: Path, written: Dialect) -> None:
    """Raise InputError that names the first row with more fields than the header.

    An unquoted comma within a value shifts every later value into the next column. One blank field
    more at the end of *every* row is only a comma too many, and shifts nothing.
    """
    text = io.TextIOWrapper(file, encoding=written.encoding, newline="")
    try:
        reader = csv.reader(text, delimiter=written.delimiter)
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
