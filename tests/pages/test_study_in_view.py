"""The study in the address decides which one a page shows, and a run cut short changes nothing."""

from __future__ import annotations

import os

import pytest
from streamlit.runtime.state.query_params import QueryParams
from streamlit.testing.v1 import AppTest

from core.study import paths, store
from tests.pages.test_pages import open_page
from tests.toys import write_toy_study

PAGE = "class_ap.py"


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    """Of the studies old and new, new is the one a page shows if nobody asks for another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        old = write_toy_study("old", n_images=200, images=False)
        new = write_toy_study("new", n_images=200, images=False)
        for folder, finished in ((old, 1e9), (new, 2e9)):
            os.utime(paths.study_json(folder), (finished, finished))
        yield


def picker(at: AppTest):
    return next(one for one in at.selectbox if one.label == "Study")


def called(label: str) -> str:
    """The name at the end of a study's line in the picker."""
    return label.rpartition(" \u00b7 ")[2]


def shown(at: AppTest) -> set[str]:
    """The study by the session, the address and the picker: one, if they agree."""
    address = at.query_params["study"]
    named = [address] if isinstance(address, str) else address
    return {at.session_state["study"], *named, picker(at).value}


def asks(at: AppTest, name: str) -> AppTest:
    """A run that the browser asks for with this study in its address."""
    at.query_params["study"] = name
    return at.run()


def test_a_browser_that_lost_a_run_still_takes_the_study_in_view() -> None:
    """A browser that knows no value of a picker takes its default, and sends it with the next
    run. The message that sets another value comes once, and is dropped with a run cut short."""
    at = open_page(PAGE, study="old")
    for _ in range(2):
        proto = picker(at).proto
        assert called(proto.options[proto.default]) == "old"
        at.run()
    assert shown(at) == {"old"}


def test_the_address_wins_over_what_the_session_remembers() -> None:
    at = open_page(PAGE, study="old")
    for name in ("new", "old", "new"):
        assert shown(asks(at, name)) == {name}


def test_a_pick_outlives_a_run_that_still_has_the_address_before_it() -> None:
    at = open_page(PAGE, study="old")
    picker(at).select("new").run()
    assert shown(at) == {"new"}
    assert shown(asks(at, "old")) == {"new"}, "sent before the browser heard of the pick"
    assert shown(asks(at, "new")) == {"new"}
    assert shown(asks(at, "old")) == {"old"}, "the pick had arrived, so this was asked for"


def test_a_pick_and_back_shows_what_was_picked_last() -> None:
    at = open_page(PAGE, study="old")
    for name in ("new", "old", "new", "old"):
        picker(at).select(name).run()
        assert shown(at) == {name}


def test_an_address_without_a_study_shows_the_last_one() -> None:
    at = open_page(PAGE, study="old")
    del at.query_params["study"]
    assert shown(at.run()) == {"old"}


def test_a_run_leaves_an_address_alone_that_says_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent is the whole address as the run knows it: it would take back the slider."""
    at = open_page(PAGE, study="old", metric="auroc")
    sent = []
    send = QueryParams._send_query_param_msg
    monkeypatch.setattr(
        QueryParams, "_send_query_param_msg", lambda of: (sent.append(str(of)), send(of))
    )
    at.run()
    assert sent == []


def test_the_id_of_a_study_is_an_address_too() -> None:
    at = open_page(PAGE, study="old")
    folder = store.find_study("new").name
    assert shown(asks(at, folder)) == {"new"}


def test_an_unknown_study_lists_those_that_are_here_and_shows_no_other() -> None:
    at = open_page(PAGE, study="gone")
    assert "no study called gone" in at.warning[0].value
    assert not at.get("plotly_chart")
    assert picker(at).value is None
    assert at.query_params["study"] in ("gone", ["gone"])
    new, old = (button for button in at.button if str(button.key).startswith("open-"))
    assert "Toy study new" in new.label
    old.click().run()
    assert shown(at) == {"old"}
    assert at.get("plotly_chart")


def test_a_study_is_told_by_title_state_date_and_name() -> None:
    new, old = picker(open_page(PAGE)).options
    assert new == "Toy study new \u00b7 finished \u00b7 18 May 2033 \u00b7 new"
    assert old == "Toy study old \u00b7 finished \u00b7 9 Sep 2001 \u00b7 old"
