"""Subgroups, paper and corrected readings, downloads, compositions of PIEs, imported studies."""

import pandas as pd
import pytest

from core import results
from core.results import export
from core.study.study import Study
from tests import page_studies
from tests.pages.test_pages import open_page, said
from tests.toys import toy_labels, write_toy_study


def plainly(at) -> str:
    """What a page says, without the backslashes that keep Markdown out of it."""
    return said(at).replace("\\", "")


FILTERED = ("class_ap.py", "forgettability.py")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        write_toy_study()
        page_studies.write_odd_study()
        page_studies.write_imported_study()
    return folder


@pytest.fixture(autouse=True)
def _cache(cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


@pytest.mark.parametrize("script", FILTERED)
@pytest.mark.parametrize("name", ["toy", "odd", "published"])
@pytest.mark.parametrize("reading", ["paper", "corrected"])
def test_both_readings_draw_and_say_what_differs(script, name, reading):
    at = open_page(script, study=name, reading=reading, metric="calibrated_ap")
    assert f"{reading.capitalize()}: " in at.segmented_control(key="reading").help
    assert [badge.value for badge in at.markdown if "orange-badge" in badge.value] == (
        [":orange-badge[Paper]"] if reading == "paper" else []
    )
    assert at.get("plotly_chart")
    assert not at.error


@pytest.mark.parametrize("script", FILTERED)
def test_a_subgroup_in_the_address_recomputes_and_can_be_left(script):
    at = open_page(script, study="toy", by="view", **{"is": "PA"})
    n = int((toy_labels().split("test")["view"] == "PA").sum())
    assert f"**{n}** of 200 test images" in said(at)
    assert "Positives in it" in said(at)
    next(b for b in at.button if b.label == "Show all test images").click().run()
    assert "Positives in it" not in said(at)
    assert "by" not in at.query_params


def test_few_positives_of_a_subgroup_are_marked():
    at = open_page("class_ap.py", study="toy", by="age", **{"is": "80 and over"})
    assert "\\*" in said(at)
    assert at.dataframe[0].value["unstable"].any()


def test_an_empty_subgroup_is_explained():
    at = open_page("class_ap.py", study="toy", by="view", **{"is": "lateral"})
    assert "No test image belongs to the subgroup" in at.info[0].value
    assert not at.get("plotly_chart")


def test_a_subgroup_that_a_study_cannot_have_is_named_and_dropped():
    at = open_page("class_ap.py", study="toy", by="blood type", **{"is": "A"})
    assert "cannot be divided by blood type" in at.info[0].value
    assert at.get("plotly_chart")


def test_choosing_an_attribute_takes_its_first_value_and_goes_to_the_next_page():
    at = open_page("class_ap.py", study="toy")
    at.selectbox(key="subgroup_by").set_value("view").run()
    assert at.query_params["by"] == "view"
    at.radio(key="subgroup_is").set_value("PA").run()
    assert at.query_params["is"] == "PA"
    at.switch_page("forgettability.py")
    at.run()
    assert "Positives in it" in said(at)


def test_a_list_of_patients_is_a_subgroup():
    at = open_page("class_ap.py", study="toy")
    at.selectbox(key="subgroup_by").set_value("Patients").run()
    assert at.get("plotly_chart"), "without a list everything is shown"
    at.text_area(key="subgroup_patients").set_value("patient-0150 patient-0151").run()
    assert "2 listed patients" in said(at)
    assert "**4** of 200 test images" in said(at)


def test_published_values_stand_beside_ours_for_the_papers_data_alone():
    text = plainly(open_page("class_ap.py", study="published", reading="paper"))
    assert "Published: r = 0.64" in text
    assert "Published: r" not in said(open_page("class_ap.py", study="toy", reading="paper"))
    paper = plainly(open_page("forgettability.py", study="published", reading="paper"))
    assert "Published: r = 0.71" in paper


def test_the_overview_says_where_the_drop_is_significant_and_over_what():
    text = plainly(open_page("overview.py", study="toy"))
    assert "Corrected (paired over runs" in text
    assert "Paper (Welch" in text
    assert "95 % intervals over 2 runs and patients" in text
    assert "One run: no interval" in plainly(open_page("overview.py", study="odd"))


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("overview.py", {"overall", "claims"}),
        (
            "class_ap.py",
            {"class_metrics", "forgettability", "class_summary", "trends", "class_effects"},
        ),
        ("forgettability.py", {"class_pairs", "correlations", "interaction"}),
    ],
)
def test_every_table_can_be_taken_along(script, names):
    at = open_page(script, study="toy", **({"reading": "paper"} if "interaction" in names else {}))
    labels = [(e.proto.label, e.proto.help) for e in at.get("download_button")]
    for name in names:
        assert ("CSV", f"The table {name} as CSV") in labels
        assert ("Parquet", f"The table {name} as Parquet") in labels


def test_a_download_holds_the_export(tmp_path):
    from core.study.store import find_study

    table = results.table(Study(find_study("toy")), "class_summary")
    out = tmp_path / "table.csv"
    export.export("toy", "class_summary", out)
    assert export.FORMATS[".csv"](table) == out.read_bytes()
    pd.testing.assert_frame_equal(
        pd.read_parquet(_written(tmp_path / "t.parquet", export.FORMATS[".parquet"](table))), table
    )


def _written(path, content):
    path.write_bytes(content)
    return path


def test_what_pies_hold_more_of_is_held_against_dense_models():
    at = open_page("pie_browser.py", study="toy", composition="true")
    text = said(at)
    assert "it would find as many had pruning changed nothing" in text
    label = "Compare dense models with each other"
    asked = [b for b in at.button if b.label == label]
    if asked:  # another page of this study may have asked before
        assert "not compared with dense models" in text or "carry nothing clearly" in text
        asked[0].click().run()
    assert not at.exception, at.exception
    again = open_page("pie_browser.py", study="toy", composition="true")
    assert not [b for b in again.button if b.label == label], "what was worked out is kept"
    assert "it takes 3 runs" in said(again), "the toy study has two"
    assert "training again would lose these too" in said(again)
    assert "No z-score: below 3 runs" in said(again)


def test_an_import_without_images_lists_its_pies_by_name():
    at = open_page("pie_browser.py", study="published")
    assert "No images were given at import" in said(at)
    assert "/xray/" not in said(at)
    next(b for b in at.button if b.label.startswith("Open")).click().run()
    assert "1 of" in said(at)
    assert "/xray/" not in said(at)


@pytest.mark.parametrize("script", ["class_ap.py", "forgettability.py", "safe_sparsity.py"])
def test_somers_d_is_a_metric_of_the_switch(script):
    at = open_page(script, study="toy", metric="somers_d", reading="paper")
    assert not at.exception
    assert at.session_state["metric"] == "somers_d"
    assert "Somers\u2019 D" in said(at)


@pytest.mark.parametrize(
    "script", ["overview.py", "class_ap.py", "forgettability.py", "pie_browser.py"]
)
def test_imported_studies_draw(script):
    at = open_page(script, study="published")
    assert not at.error
    assert "imported predictions" in said(at)
