"""What a page's results are kept under, and which choices they depend on."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.subgroup import OneOf, Subgroup
from core.study import paths
from core.study.study import Study
from core.ui.results import cached
from core.ui.view import View
from tests.pages.test_pages import open_page
from tests.toys import write_toy_study


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        write_toy_study(n_images=200, images=False)
        yield


@pytest.fixture
def view() -> View:
    return View("toy", Study(write_toy_study(n_images=200, images=False)))


def test_the_key_follows_files_and_subgroup_and_no_choice(view: View) -> None:
    def key(of: View) -> str:
        return replace(of, study=Study(of.folder)).key

    before = view.key
    assert key(replace(view, metric="auroc", sparsity=0.5)) == before
    assert key(replace(view, subgroup=Subgroup((OneOf("view", ("PA",)),)))) != before
    path = paths.prediction_path(view.folder, 0, 0.5)
    os.utime(path, (1e9, 1e9))
    assert key(view) != before
    assert view.key == before, "what one run shows is of one state of the files"


def test_a_result_depends_on_the_choices_it_names_and_sees_no_other_one(view: View) -> None:
    seen: list[View] = []

    @cached("metric", shared=True)
    def kept(of: View, name: str) -> list[View]:
        seen.append(of)
        return seen

    for one in (view.of("ap"), replace(view.of("ap"), sparsity=0.5), view.of("auroc")):
        kept(one, "a")
    assert [of.metric for of in seen] == ["ap", "auroc"]
    assert all(of.sparsity is None for of in seen)


# Switches, whose choice stands in the address by its id


def asks(at: AppTest, **address: str) -> AppTest:
    """A run that the browser asks for with this in its address."""
    for name, value in address.items():
        at.query_params[name] = value
    return at.run()


def test_a_choice_outlives_a_run_that_still_has_the_address_before_it() -> None:
    at = open_page("class_ap.py", study="toy", scale="measured")
    at.segmented_control(key="scale").set_value("relative").run()
    assert "scale" not in at.query_params, "the default"
    asks(at, scale="measured")
    assert at.session_state["scale"] == "relative", "sent before the browser heard of it"
    at.run()
    asks(at, scale="measured")
    assert at.session_state["scale"] == "measured", "the choice had arrived, so this was asked for"


def test_a_choice_goes_with_the_person_from_page_to_page() -> None:
    at = open_page("class_ap.py", study="toy")
    at.segmented_control(key="reading").set_value("paper").run()
    at.switch_page("forgettability.py")
    at.query_params.clear()
    at.run()
    assert at.segmented_control(key="reading").value == "paper"
    assert at.query_params["reading"] in ("paper", ["paper"])
