"""Tables as pages show them: headers and their help from the columns' declarations, numbers in the
shape in which sentences say them.

Streamlit's own formats write 85%, -0% and a hyphen for a minus. A styled table shows other words
than it holds, and is still sorted by the number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from core.study.columns import Column, Columns, Unit
from core.ui import replayed
from core.wording import words

if TYPE_CHECKING:  # it loads a template engine, which the first page need not wait for
    from pandas.io.formats.style import Styler

# What a `Unit` names as the way in which it is shown.
TELLINGS: dict[str, Callable[[float], str]] = {
    "sparsity": words.percent,  # whole, also between grid points
    "change": words.signed,
    "share": words.frequency,
    "bound": lambda value: words.signed(value, 1),  # one digit throughout
    "margin": lambda value: words.percent(value, 1),
    "points": words.points,
    "tenths": lambda value: words.number(value, 1),
}
WIDTHS = {"class_name": 190}


def show(
    table: pd.DataFrame,
    columns: Columns,
    names: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
    **options: Any,
) -> None:
    """`names` of a table, or all of it, by the declarations of its columns.

    labels: headers of this page in place of the declared ones. options: of `st.dataframe`.
    """
    shown = table[list(names) or list(table.columns)]

    def draw() -> None:
        st.dataframe(
            told(shown, columns),
            hide_index=True,
            column_config=headers(columns, labels),
            **options,
        )

    # Told in words, a table takes 40 ms to be handed over.
    replayed.element(f"{_content(shown)} {list(columns.values())} {labels} {options}", draw)


def _content(table: pd.DataFrame) -> str:
    rows = pd.util.hash_pandas_object(table).to_numpy().tobytes()
    return f"{list(table.dtypes.items())} {hashlib.blake2b(rows).hexdigest()}"


def told(table: pd.DataFrame, columns: Columns) -> pd.DataFrame | Styler:
    """`table` with the numbers whose unit has words in words, a dash for none; the others as they
    are."""
    shown = {name: columns[name].unit.shown for name in table.columns if name in columns}
    tellings = {name: TELLINGS[how] for name, how in shown.items() if how in TELLINGS}
    if not tellings:
        return table
    return table.style.format(tellings, na_rep=words.NONE, subset=list(tellings))


def headers(
    columns: Columns, labels: Mapping[str, str] | None = None
) -> dict[str, ColumnConfig | str | None]:
    """Header, help and number format of each column; without a label it has its name."""
    given = labels or {}
    return {name: _header(one, given.get(name, one.label) or None) for name, one in columns.items()}


def _header(column: Column, label: str | None) -> ColumnConfig:
    if column.unit == Unit.TIME:
        return st.column_config.DatetimeColumn(label, help=column.meaning, format=column.unit.shown)
    if column.unit.shown.startswith("%"):
        return st.column_config.NumberColumn(label, help=column.meaning, format=column.unit.shown)
    return st.column_config.Column(label, help=column.meaning, width=WIDTHS.get(column.name))
