"""What a page that is drawn again does not make again."""

from __future__ import annotations

import json
from threading import Event

import plotly.io
import pytest
from pandas.io.formats.style import Styler
from streamlit.testing.v1 import AppTest

from core.study.store import find_study
from core.study.study import Study
from core.ui import curves as ui_curves
from core.ui import replayed, results
from core.ui.ahead import Ahead, ahead, neighbours
from core.ui.class_ap import sparsity
from core.ui.view import View
from tests.pages.test_pages import open_page
from tests.toys import write_toy_study

# Handing these over is what took most of a rerun.
PAGES = {
    "class_ap.py": {"summary": "true", "losses": "true"},
    "forgettability.py": {"goes_with": "true"},
    "overview.py": {},
}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        write_toy_study("toy", images=False)
        yield


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which figures were written as JSON, and which tables put into words, meanwhile."""
    found: list[str] = []
    to_json, translate = plotly.io.to_json, Styler._translate

    def write(figure, *args, **kwargs):
        if not isinstance(figure, replayed._Parts):  # which are JSON already
            found.append("figure")
        return to_json(figure, *args, **kwargs)

    def tell(*args, **kwargs):
        found.append("table")
        return translate(*args, **kwargs)

    monkeypatch.setattr(plotly.io, "to_json", write)
    monkeypatch.setattr(Styler, "_translate", tell)
    return found


def drawn(page: AppTest) -> list[str]:
    charts = [chart.proto.spec for chart in page.get("plotly_chart")]
    return charts + [table.value.to_json() for table in page.dataframe]


@pytest.mark.parametrize("script", PAGES)
def test_charts_and_tables_are_handed_over_once(script: str, made: list[str]) -> None:
    page = open_page(script, study="toy", **PAGES[script])
    before = drawn(page)
    assert before
    made.clear()
    page.run()
    assert drawn(page) == before
    assert made == []


def test_charts_that_take_clicks_keep_their_identity_and_their_json() -> None:
    """Streamlit sends a browser what it has already as a hash."""
    page = open_page("forgettability.py", study="toy")
    clicked = [c.proto for c in page.get("plotly_chart") if c.proto.selection_mode]
    page.run()
    again = [c.proto for c in page.get("plotly_chart") if c.proto.selection_mode]
    assert len(clicked) == 3
    assert [c.SerializeToString() for c in again] == [c.SerializeToString() for c in clicked]
    assert {"data", "layout"} <= set(json.loads(clicked[0].spec))


def test_another_sparsity_shows_other_charts(made: list[str]) -> None:
    page = open_page("class_ap.py", study="toy", sparsity="50", losses="true")
    before = drawn(page)
    page.select_slider(key="sparsity").set_value(90).run()
    assert drawn(page) != before
    page.select_slider(key="sparsity").set_value(50).run()
    assert drawn(page) == before


def test_a_sliders_neighbours_are_ready_before_anybody_moves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = open_page("class_ap.py", study="toy", sparsity="50", losses="true")
    assert ahead.settle()
    grid = [int(option) for option in page.select_slider(key="sparsity").options]

    def refuse(*args: object) -> None:
        raise AssertionError("a chart is made while somebody waits")

    for place, made in ((ui_curves, "class_curves_chart"), (sparsity, "losses_chart")):
        monkeypatch.setattr(place, made, refuse)
    for near in neighbours(grid, 50)[:2]:
        page.select_slider(key="sparsity").set_value(near).run()
        assert not page.exception


def test_the_nearest_neighbours_come_first_and_ends_have_fewer() -> None:
    assert neighbours([0, 1, 2, 3, 4, 5], 3) == [4, 2, 5, 1]
    assert neighbours([0, 1, 2], 0) == [1, 2]
    assert neighbours([0], 0) == []


def test_what_was_asked_for_last_is_made_first() -> None:
    done: list[str] = []
    begun, waits, helper = Event(), Event(), Ahead()
    helper.prepare(lambda: begun.set() or waits.wait())
    assert begun.wait(60)
    helper.prepare(lambda: done.append("old"))
    helper.prepare(lambda: done.append("new"), lambda: 1 / 0, lambda: done.append("then"))
    waits.set()
    assert helper.settle()
    assert done == ["new", "then", "old"]


def test_a_table_is_the_callers_own() -> None:
    folder = find_study("toy")
    view = View("toy", Study(folder), metric="ap")
    table = results.table(view, "class_summary")
    table.loc[:, "n_positive"] = -1
    table["more"] = 0
    again = results.table(view, "class_summary")
    assert "more" not in again
    assert (again["n_positive"] >= 0).all()
