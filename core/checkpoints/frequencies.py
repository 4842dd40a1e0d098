"""How frequent each class was in what a given network was trained on, as its owner says it."""

from __future__ import annotations

import math

from core.checkpoints.mapping import in_words_of
from core.checkpoints.small_tables import rows_of
from core.datasets.columns import folded
from core.errors import InputError

LARGEST = 2**20  # characters; a row has about thirty
NAMES = ("classname", "class", "name", "finding", "label")
SHARES = ("trainfrequency", "frequency", "share", "prevalence")
COUNTS = ("trainpositives", "positives", "npositive", "count")
TOTALS = ("trainimages", "images", "nimages", "total")
WANTED = (
    "Give a CSV with a column `class` and either `frequency` (a share from 0 to 1) or `positives` "
    "and `images` (the number of training images)"
)


def read_frequencies(text: str, classes: tuple[str, ...]) -> dict[str, float]:
    """Share of the training images by class, of the classes of a study ("" is left out).

    text: CSV, such as `prunescope export STUDY class_frequencies` writes. Names are compared
    without case, spaces and punctuation; other rows are left aside. Raises InputError that names
    the row, or the classes that are missing.
    """
    names, rows = rows_of(text, "The table of frequencies", LARGEST)
    heads = {folded(one): one for one in names}
    name, share, count, total = (
        next((heads[one] for one in known if one in heads), None)
        for known in (NAMES, SHARES, COUNTS, TOTALS)
    )
    if name is None or (share is None and (count is None or total is None)):
        raise InputError(f"{WANTED}; its columns are {', '.join(names) or 'none'}.")
    wanted = tuple(one for one in classes if one)
    found: dict[str, float] = {}
    for row in rows:
        (of,) = in_words_of(wanted, (str(row[name]),))
        if not of:
            continue
        if of in found:
            raise InputError(f"The table of frequencies has the class {of} twice.")
        found[of] = (
            _share(of, row[share]) if share else _share(of, row[count or ""], row[total or ""])
        )
    if lacking := [one for one in wanted if one not in found]:
        raise InputError(f"The table of frequencies lacks {', '.join(lacking[:4])}. {WANTED}.")
    return found


def _share(name: str, part: object, whole: object = "1") -> float:
    try:
        value = float(str(part)) / float(str(whole))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(
            f"The table of frequencies gives {name} {str(part)[:40]!r} of {str(whole)[:40]!r}; a "
            "share lies between 0 and 1."
        )
    return value
