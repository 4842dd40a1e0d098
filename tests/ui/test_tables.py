"""Tables as pages show them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.study.columns import Column, Columns, Unit
from core.ui import tables
from core.wording import words

COLUMNS = Columns(
    Column("class_name", "The class.", label="Class"),
    Column("n", "Images.", label="Images"),
    Column("b", "A slope."),
    Column("q", "Its q.", Unit.P),
    Column("unstable", "Whether few have it.", label="Unstable"),
    Column("judged", "Whether it is judged."),
)
TABLE = pd.DataFrame(
    {
        "class_name": ["Effusion", "Hernia"], "n": [12345, 7], "b": [0.123456, -1234.5],
        "q": [np.nan, np.nan], "unstable": [False, False],
        "judged": pd.array([True, pd.NA], dtype="boolean"),
    }
)  # fmt: skip


def test_a_column_in_which_no_row_has_anything_is_left_out_and_named():
    """Boxes none of which is ticked say nothing either."""
    assert tables.empty_columns(TABLE) == ["q", "unstable"]
    assert tables.empty_columns(TABLE.assign(unstable=[False, True])) == ["q"]
    assert tables.empty_columns(TABLE.assign(unstable=[False, None])) == ["q", "unstable"]
    assert tables.empty_columns(TABLE.assign(b=[0.0, 0.0])) == ["q", "unstable"], "0 is a number"
    assert tables.empty_columns(TABLE[:0]) == []
    headers = [tables.header(COLUMNS, name) for name in ("q", "unstable")]
    assert tables.left_out(headers) == "Columns without any value are left out: q, Unstable."


def test_whole_numbers_have_a_comma_after_each_thousand():
    config = tables.headers(COLUMNS, table=TABLE)
    assert config["n"]["type_config"]["format"] == "%,d"
    assert config["class_name"]["label"] == "Class"


def test_numbers_have_three_digits_that_mean_something():
    shown = tables.told(TABLE, COLUMNS)
    text = shown.to_html()
    assert "0.123<" in text
    assert "\u22121,234<" in text
    assert "0.123456" not in text
    assert TABLE["b"].iloc[0] == 0.123456, "what is exported keeps every digit"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (0.012345, "0.0123"), (1.0, "1.00"), (12.34, "12.3"), (99999.4, "99,999"),
     (-0.5, "\u22120.500"), (np.nan, "\u2013"), (np.inf, "\u2013")],
)  # fmt: skip
def test_significant_digits(value, expected):
    assert words.significant(value) == expected


def test_no_value_is_a_dash_and_not_none():
    columns = Columns(
        Column("name", "A name."), Column("n", "Images."), Column("ap", "AP.", Unit.METRIC),
    )  # fmt: skip
    table = pd.DataFrame(
        {"name": ["a", None], "n": pd.array([12345, pd.NA], "Int64"), "ap": [0.12345, np.nan]}
    )
    text = tables.told(table, columns).to_html()
    assert text.count(f">{words.NONE}<") == 3
    for shown in (">a<", ">12,345<", ">0.123<"):
        assert shown in text
    assert "None" not in text
    assert "nan" not in text
