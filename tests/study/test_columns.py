"""Columns are declared once, and tables are put together from them."""

from __future__ import annotations

import pytest

from core.study.columns import SHARED, Column, Columns, Unit, interval


def test_columns_are_put_together_in_order_and_found_by_name() -> None:
    ends = Columns(interval("ci", "its 95 % interval over patients", Unit.SHARE))
    table = Columns(
        SHARED["class_name"], ends, SHARED["sparsity"], what="What is lost.", row="a class"
    )
    assert table.names == ["class_name", "ci_low", "ci_high", "sparsity"]
    assert table["ci_low"].meaning == "Lower end of its 95 % interval over patients."
    assert table["ci_high"].label == "Upper 95 %"
    assert table.but("ci_low", "ci_high").names == ["class_name", "sparsity"]


def test_a_column_can_mean_something_else_in_a_table_and_is_there_once() -> None:
    shared = SHARED["class_name"]
    here = shared.meaning_here("A class that the image lacks.")
    assert (here.name, here.label) == ("class_name", shared.label)
    with pytest.raises(ValueError, match="class_name is there twice"):
        Columns(shared, here)
    assert Column("x", "A number.").unit.words == ""
