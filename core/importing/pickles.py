"""Reading a pickled table from a stranger: in a limited process, which runs nothing in it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from core.errors import InputError
from core.processes import limited

CHILD = "core.importing.pickle_child"
# Python's objects for a text are some times larger than what a pickle takes to write it.
MEMORY_BYTES, MEMORY_PER_BYTE = 2**28, 16
# Measured on honest tables: 20 ns of processor time a byte.
SECONDS, SECONDS_PER_BYTE = 1.0, 2e-7


def read_pickled_frame(path: Path, n_rows: int, n_columns: int) -> pd.DataFrame:
    """The table in a pickle of about `n_rows` rows and `n_columns` columns; nothing runs.

    Names of rows become the column `index`; of an array, columns are numbered 0, 1, ... Whatever is
    neither number nor boolean is text. Raises InputError that says what in the file is refused: a
    name that is not allowed, something else than a table of numbers and text, a damaged file, or
    one far larger than the expected table.
    """
    most_bytes = 2**20 + n_rows * (16 * (n_columns + 8) + 1024)
    size = path.stat().st_size
    if size > most_bytes:
        raise InputError(
            f"{path} has {size:,} bytes, far more than {n_rows:,} images of {n_columns} classes "
            f"take (at most {most_bytes:,}); it is not read."
        )
    seconds, memory = SECONDS + SECONDS_PER_BYTE * size, MEMORY_BYTES + MEMORY_PER_BYTE * size
    try:
        table = limited.ask(CHILD, path.read_bytes(), seconds, memory)
    except ValueError as error:
        raise InputError(f"{path} is refused: {error}.") from error
    found = pa.ipc.open_stream(table).read_all()
    frame = found.replace_schema_metadata().to_pandas()
    if found.schema.metadata:  # only a bare array's
        frame.columns = pd.RangeIndex(frame.shape[1])
    return frame
