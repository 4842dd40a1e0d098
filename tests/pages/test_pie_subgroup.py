"""The PIE browser of a subgroup: its own PIEs, as all test images define them, and its counts."""

import re

import pytest

from core.results import pies
from core.study.store import find_study
from core.study.study import Study
from tests.pages.test_pages import open_page, said
from tests.toys import write_toy_study


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        write_toy_study()
        yield


def browse(**address: str):
    return open_page("pie_browser.py", study="toy", **address)


def cards(at) -> list[str]:
    grid = next(e.proto.body for e in at.get("html") if 'class="ps-cards"' in e.proto.body)
    return re.findall(r'data-image="([^"]+)"', grid)


def test_a_subgroup_of_other_pages_leaves_its_own_pies_with_their_counts():
    study = Study(find_study("toy"))
    test = study.test.rows
    inside = (test["view"] == "PA").to_numpy()
    is_pie = pies.definitions(study, 0.9)["is_pie"].to_numpy(bool)
    at = browse(subgroup="view:PA", definition="every")
    text = said(at).replace("\\", "")
    assert f"{inside.sum()} test images in this subgroup" in text
    assert f"**{inside.sum()}** of 200 test images" in text
    at = browse(subgroup="view:PA", sparsity="90")
    n_pies = int((is_pie & inside).sum())
    text = said(at).replace("\\", "")
    assert f"PIEs: {n_pies} of {inside.sum()} test images in this subgroup" in text
    assert "by definition" not in text, "5 % are PIEs of all test images, not of a part"
    assert set(cards(at)) <= set(test.loc[is_pie & inside, "image_id"])
    assert len(cards(at)) == n_pies > 0
    next(b for b in at.button if b.label == "Show all test images").click().run()
    assert f"PIEs: {is_pie.sum()} of 200 test images" in said(at).replace("\\", "")
    assert "subgroup" not in at.query_params


def test_what_pies_hold_more_of_says_that_it_leaves_the_subgroup_aside():
    at = browse(subgroup="view:PA", composition="true")
    assert "the subgroup chosen on other pages is not applied" in said(at)
