"""Tables whose numbers are told as the sentences tell them: one shape of a percentage everywhere.

Streamlit's own formats write 85%, -0% and a hyphen for a minus. A styled table shows other words
than it holds, and is still sorted by the number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from core.wording import words

if TYPE_CHECKING:  # it loads a template engine, which the first page need not wait for
    from pandas.io.formats.style import Styler

Telling = Callable[[float | None], str]


def sparsity(value: float | None) -> str:
    """In whole percent, also between grid points."""
    return words.NONE if value is None or pd.isna(value) else words.percent(value)


def change(value: float | None) -> str:
    """A change against dense, with its sign."""
    return words.NONE if value is None or pd.isna(value) else words.signed(value)


def share(value: float | None) -> str:
    """A share of images, with a dash for none."""
    return words.NONE if value is None or pd.isna(value) else words.frequency(value)


def bound(value: float | None) -> str:
    """A change that is held against a margin: one digit throughout."""
    return words.NONE if value is None or pd.isna(value) else words.signed(value, 1)


def margin(value: float | None) -> str:
    """A margin, which has no sign."""
    return words.NONE if value is None or pd.isna(value) else words.percent(value, 1)


def points(value: float | None) -> str:
    """A difference of two shares, in percentage points."""
    return words.NONE if value is None or pd.isna(value) else words.points(value)


def told(table: pd.DataFrame, tellings: Mapping[str, Telling]) -> Styler:
    """`table` with the columns of `tellings` in words; the others as they are."""
    there = {name: telling for name, telling in tellings.items() if name in table.columns}
    return table.style.format(there)
