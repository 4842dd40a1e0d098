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


PA = toy_labels().split("test")["view"] == "PA"
OVER_60 = toy_labels().split("test")["age"] >= 60


def leave(at, label: str):
    next(button for button in at.button if button.label.replace("\\", "") == label).click().run()


@pytest.mark.parametrize("script", FILTERED)
def test_a_subgroup_in_the_address_recomputes_and_can_be_left(script):
    at = open_page(script, study="toy", subgroup="age:60-,view:PA")
    assert f"**{int((PA & OVER_60).sum())}** of 200 test images" in said(at)
    assert "Positives in it" in said(at)
    assert "All test images, over the same" in said(at)
    leave(at, "Age: 60 and over")
    assert f"**{int(PA.sum())}** of 200 test images" in said(at)
    assert at.query_params["subgroup"] in ("view:PA", ["view:PA"])
    leave(at, "Show all test images")
    assert "Positives in it" not in said(at)
    assert "subgroup" not in at.query_params


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ({"by": "view", "is": "PA"}, "view:PA"),
        ({"by": "age", "is": "40 to 59"}, "age:40-59"),
        ({"by": "Number of findings", "is": "1"}, "n_findings:1"),
        ({"by": "Patients", "is": "patient-0150 patient-0151"},
         "patient_id:patient-0150|patient-0151"),
    ],
)  # fmt: skip
def test_an_old_address_of_one_value_shows_what_it_showed(old, now):
    at = open_page("class_ap.py", study="toy", **old)
    assert at.query_params["subgroup"] in (now, [now])
    assert not {"by", "is"} & set(at.query_params)
    assert "Positives in it" in said(at)


def test_few_positives_of_a_subgroup_are_marked():
    at = open_page("class_ap.py", study="toy", subgroup="age:80-")
    assert "\\*" in said(at)
    assert at.dataframe[0].value["unstable"].any()


def test_an_empty_subgroup_is_explained():
    at = open_page("class_ap.py", study="toy", subgroup="age:60-,patient_id:nobody")
    assert "No test image belongs to the subgroup" in at.info[0].value
    assert not at.get("plotly_chart")


@pytest.mark.parametrize(
    ("subgroup", "words"),
    [
        ("blood type:A", "cannot be chosen by 'blood type'. Attributes: age, view, n_findings"),
        ("view:lateral", "view has no value 'lateral' among the test images. Values: AP, PA."),
        ("age:60-20", "The range of age begins at 60, above its end at 20."),
    ],
)
def test_a_subgroup_that_a_study_cannot_have_is_named_and_dropped(subgroup, words):
    at = open_page("class_ap.py", study="toy", subgroup=subgroup)
    assert words in at.info[0].value.replace("\\", "")
    assert "You are looking at all test images." in at.info[0].value
    assert "subgroup" not in at.query_params
    assert at.get("plotly_chart")


def test_conditions_add_up_and_go_to_the_next_page():
    at = open_page("class_ap.py", study="toy")
    at.button_group(key="subgroup-view").set_value(["PA"]).run()
    at.number_input(key="subgroup-age-low").set_value(60).run()
    assert at.query_params["subgroup"] in ("age:60-,view:PA", ["age:60-,view:PA"])
    at.number_input(key="subgroup-age-high").set_value(50).run()
    assert "above its end at 50" in said(at).replace("\\", "")
    at.switch_page("forgettability.py")
    at.run()
    assert f"**{int((PA & OVER_60).sum())}** of 200 test images" in said(at)


def test_a_list_of_patients_is_a_subgroup():
    at = open_page("class_ap.py", study="toy")
    at.text_area(key="subgroup-patient_id").set_value("patient-0150 patient-0151").run()
    assert any(button.label == "2 listed patients" for button in at.button)
    assert "**4** of 200 test images" in said(at)


@pytest.mark.parametrize("script", ["overview.py", "safe_sparsity.py"])
def test_other_pages_say_that_they_show_all_images(script):
    at = open_page("class_ap.py", study="toy", subgroup="view:PA")
    at.switch_page(script)
    at.run()
    assert "the subgroup chosen on other pages is not applied" in said(at)


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
