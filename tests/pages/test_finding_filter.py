"""One filter finds what pruning takes or adds: which finding, which way, by which sparsity."""

import pandas as pd
import pytest

from core.actions import saved_views
from core.analysis.lost import IN_TABLES, RANK
from core.people import access
from core.results import image_curves
from core.study.store import find_study
from core.study.study import Study
from tests import page_studies
from tests.pages.test_pages import said
from tests.pages.test_pie_browser import browse, button, cards
from tests.toys import write_toy_study


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        page_studies.with_validation(write_toy_study())
        page_studies.with_validation(rising := write_toy_study("rising"))
        page_studies.with_rising(rising)
        yield


def lost_in_rank() -> pd.DataFrame:
    table = image_curves.lost_findings(Study(find_study("toy")))
    labelled = table["labelled"].fillna(False).astype(bool)
    by_rank = table[labelled & (table["lost_by"] == IN_TABLES[RANK])]
    return by_rank[by_rank["class_name"] != "No Finding"]


def images_of(table: pd.DataFrame) -> int:
    return table["image_id"].nunique()


def test_a_tail_finding_lost_by_a_sparsity_of_its_own():
    tail = lost_in_rank().query("class_name == 'Hernia'")  # the only tail finding of the toy
    by = float(tail["lost_at_sparsity"].min())
    assert by > 0.5, "the sparsity must matter"
    n = images_of(tail[tail["lost_at_sparsity"] <= by])
    address = {"definition": "every", "finding": "any tail finding", "until": f"{by * 100:.0f}"}
    assert "**0 shown of" in said(browse(sparsity="95", **address | {"until": "50"}))
    for sparsity in ("50", "95"):
        at = browse(sparsity=sparsity, **address)
        assert f"**{n} shown of 200 test images**" in said(at)
        assert f"Lost: any tail finding, by {by * 100:.0f} % in rank" in [
            b.label.replace("\\", "") for b in at.button
        ]
    assert f"lost at {by * 100:.0f} %" in said(browse(sparsity="50", **address)), "on the card too"


def test_any_finding_is_every_finding_and_no_finding_is_none():
    every = {"definition": "every", "until": "95"}
    n = images_of(lost_in_rank())
    assert f"**{n} shown of 200 test images**" in said(browse(finding="any finding", **every))


def test_what_was_raised_is_found_like_what_was_lost():
    table = image_curves.raised_findings(Study(find_study("rising")))
    table = table[(table["raised_by"] == IN_TABLES[RANK]) & (table["class_name"] != "No Finding")]
    assert len(table)
    address = {"study": "rising", "definition": "every", "finding": "any finding"}
    at = browse(fate="raised", until="95", **address)
    assert f"**{images_of(table)} shown of 200 test images**" in said(at)


def test_outside_the_pies_the_same_finding_is_a_click_away():
    at = browse(finding="any finding")
    n = images_of(lost_in_rank())
    button(at, f"All {n}").click().run()
    assert f"**{n} shown of 200 test images**" in said(at)
    assert at.query_params["definition"] in ("every", ["every"])
    assert not [b for b in at.button if b.key == "show-every"]


@pytest.mark.parametrize("fate", ["lost", "raised"])
def test_an_address_from_before_it_was_one_filter_shows_the_same(fate):
    at = browse(study="rising", definition="every", sparsity="50", **{fate: "Hernia"})
    assert at.multiselect(key="finding").value == ["Hernia"]
    assert at.segmented_control(key="fate").value == fate
    assert at.select_slider(key="until").value == 50
    assert "lost" not in at.query_params
    assert "raised" not in at.query_params
    sparsity = at.select_slider(key="sparsity").set_value(95).run()
    assert sparsity.select_slider(key="until").value == 50


def test_a_view_saved_before_it_was_one_filter_shows_the_same():
    of = find_study("toy").name
    settings = {"definition": "every", "sparsity": 50, "lost": ["Hernia"], "raised": []}
    saved_views.save(access.LOCAL, of, "old", settings)
    at = browse(finding="Effusion", fate="raised", until="90")
    button(at, "old").click().run()
    assert at.multiselect(key="finding").value == ["Hernia"]
    assert at.segmented_control(key="fate").value == "lost"
    assert at.select_slider(key="until").value == 50
    saved_views.remove(access.LOCAL, of, "old")


def test_its_badge_takes_it_away():
    at = browse(definition="every", finding="Hernia", until="80")
    few = cards(at)
    button(at, "Lost").click().run()
    assert len(cards(at)) > len(few)
    assert at.multiselect(key="finding").value == []
