"""Tables as pages show them: headers and their help from the columns' declarations, numbers in the
shape in which sentences say them, and no column that is empty. Exports have every column and digit.

Streamlit's own formats write 85%, -0% and a hyphen for a minus. A styled table shows other words
than it holds, and is still sorted by the number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from pandas.api.types import infer_dtype, is_float_dtype, is_integer_dtype
from streamlit.elements.lib.column_types import ColumnConfig

from core.study.columns import Column, Columns, Unit
from core.ui import plain, replayed
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
    "p": words.bare_p,
    "significant": words.significant,
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
    empty = empty_columns(shown)
    shown = shown.drop(columns=empty)

    def draw() -> None:
        st.dataframe(
            told(shown, columns),
            hide_index=True,
            column_config=headers(columns, labels, shown),
            **options,
        )

    # Told in words, a table takes 40 ms to be handed over.
    replayed.element(f"{_content(shown)} {list(columns.values())} {labels} {options}", draw)
    if empty:
        st.caption(plain(left_out([header(columns, name, labels) for name in empty])))


def _content(table: pd.DataFrame) -> str:
    rows = pd.util.hash_pandas_object(table).to_numpy().tobytes()
    return f"{list(table.dtypes.items())} {hashlib.blake2b(rows).hexdigest()}"


def empty_columns(table: pd.DataFrame) -> list[str]:
    """The columns in which no row has anything: no value, or a yes to no row. An empty table keeps
    all of them."""
    if table.empty:
        return []
    yes_or_no = [name for name, column in table.items() if infer_dtype(column) == "boolean"]
    nothing = table.isna()
    nothing[yes_or_no] |= table[yes_or_no].eq(False).fillna(True)
    return [str(name) for name in table.columns[nothing.all()]]


def left_out(headers: list[str]) -> str:
    """Which columns are not there."""
    return f"Columns without any value are left out: {', '.join(headers)}."


def told(table: pd.DataFrame, columns: Columns) -> pd.DataFrame | Styler:
    """`table` with the numbers whose unit has words in words, and three digits of those without a
    unit; the others as they are. A dash stands for no value, where a grid would write None."""
    tellings = {
        name: TELLINGS[how]
        for name in table.columns
        if name in columns and (how := _shown(columns[name], table[name])) in TELLINGS
    }
    for name in table.columns[table.isna().any()]:
        if name not in tellings and (tell := _plainly(columns.get(name), table[name])):
            tellings[name] = tell
    if not tellings:
        return table
    return table.style.format(tellings, na_rep=words.NONE, subset=list(tellings))


def _plainly(column: Column | None, values: pd.Series) -> Callable[[Any], str] | None:
    """How a value is written in a column that lacks some; None of ticks and times."""
    if infer_dtype(values) == "boolean" or (column and column.unit == Unit.TIME):
        return None
    if is_integer_dtype(values):
        return "{:,}".format
    shown = column.unit.shown if column else ""
    return (lambda value: shown % value) if shown.startswith("%") else str


def _shown(column: Column, values: pd.Series) -> str:
    without_unit = not column.unit.shown and is_float_dtype(values)
    return "significant" if without_unit else column.unit.shown


def headers(
    columns: Columns,
    labels: Mapping[str, str] | None = None,
    table: pd.DataFrame | None = None,
) -> dict[str, ColumnConfig | str | None]:
    """Header, help and number format of each column; without a label it has its name. table: the
    columns that are shown, whose whole numbers get a comma after each thousand."""
    shown = columns if table is None else [name for name in columns if name in table]
    return {
        name: _header(
            columns[name],
            header(columns, name, labels),
            table is not None and is_integer_dtype(table[name]),
        )
        for name in shown
    }


def header(columns: Columns, name: str, labels: Mapping[str, str] | None = None) -> str:
    """What stands above a column."""
    return (labels or {}).get(name) or (columns[name].label if name in columns else "") or name


def _header(column: Column, label: str, whole: bool) -> ColumnConfig:
    if whole and not column.unit.shown:
        return st.column_config.NumberColumn(label, help=column.meaning, format="%,d")
    if column.unit == Unit.TIME:
        return st.column_config.DatetimeColumn(label, help=column.meaning, format=column.unit.shown)
    if column.unit.shown.startswith("%"):
        return st.column_config.NumberColumn(label, help=column.meaning, format=column.unit.shown)
    return st.column_config.Column(label, help=column.meaning, width=WIDTHS.get(column.name))
