"""Class AP says how often findings are called in vain, or why it cannot."""

import pandas as pd
import pytest

from core.analysis.subgroup import OneOf, Subgroup
from core.charts.operating import operating_chart
from core.results.operating import characteristics_of, operating_characteristics
from core.results.query import query
from core.results.slices import Slice
from core.study import store
from core.study.store import find_study
from core.study.study import Study
from core.wording import operating_sentences
from tests import page_studies
from tests.pages.test_pages import open_page, said
from tests.toys import write_toy_study


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    """Four studies: with validation at every sparsity, of the dense model only, without, imported;
    and one of odd class names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        page_studies.with_validation(rising := write_toy_study("rising", images=False))
        page_studies.with_rising(rising)
        page_studies.with_validation(write_toy_study("older", images=False))
        write_toy_study("bare", images=False)
        page_studies.write_imported_study(n_images=200)
        page_studies.with_validation(odd := page_studies.write_odd_study())
        page_studies.with_rising(odd)
        yield


def words_of(**address: str) -> str:
    return said(open_page("class_ap.py", **address)).replace("\\", "").replace("\u00a0", " ")


def test_a_sentence_a_chart_and_what_a_new_threshold_mends_stand_in_their_section():
    at = open_page("class_ap.py", folded=True, study="rising", sparsity="90", operating="true")
    text = said(at).replace("\\", "").replace("\u00a0", " ")
    table = operating_characteristics(Study(find_study("rising")))
    sentence = operating_sentences.false_alarms_sentence(table, 0.9)
    assert sentence.startswith("At 90 % sparsity")
    assert f"## {sentence.removesuffix('.')}" in text
    assert operating_sentences.refixed_sentence(table, 0.9) in text
    shown = at.dataframe[0].value
    assert set(shown["threshold"]) == {"dense", "re-fixed"}
    assert set(shown["sparsity"]) == {0.0, 0.9}
    assert any(button.key.startswith("download_operating") for button in at.get("download_button"))


def test_a_study_of_an_older_version_says_which_command_makes_the_rest():
    text = words_of(study="older")
    assert "prunescope run older" in text
    assert "validation predictions of its dense models only" in text


def test_a_sparsity_is_known_where_no_finding_is_the_only_class_with_a_point():
    table = operating_characteristics(Study(find_study("rising")))
    only = table[table["class_name"] == "Nodule"].assign(class_name="No Finding")
    assert (
        operating_sentences.false_alarms_sentence(only, 0.9)
        == operating_sentences.refixed_sentence(only, 0.9)
        == ""
    )
    title = operating_chart(only, 0.9, 0.9, 200, 100).title
    assert title == "Sensitivity and specificity at 90 % sparsity"
    assert operating_sentences.has_sparsity(only, 0.9)
    assert operating_sentences.has_sparsity(only, 0.9, "re-fixed")
    assert not operating_sentences.has_sparsity(only, 0.31)
    assert not operating_sentences.has_sparsity(table.iloc[:0], 0.9)


def test_a_study_that_cannot_have_them_says_why():
    assert "these predictions were imported" in words_of(study="published")
    assert "no validation images to fix them on" in words_of(study="bare")


def test_a_subgroup_has_its_own_numbers_at_the_same_points():
    folder = find_study("rising")
    labels = store.read_labels(folder)
    test = labels.split("test")
    rows = (test["view"] == "PA").to_numpy()
    whole = operating_characteristics(Study(folder))
    pd.testing.assert_frame_equal(characteristics_of(Slice(Study(folder))), whole)
    table = characteristics_of(Slice(Study(folder), Subgroup((OneOf("view", ("PA",)),))))
    assert table["operating_point"].tolist() == whole["operating_point"].tolist()
    values = query(Study(folder), "select image_id, Nodule from ensembles where sparsity = 0.9")
    joined = test[rows].merge(values, on="image_id", suffixes=("", "_value"))
    negative = joined[joined["Nodule"] == 0]
    row = table[(table["class_name"] == "Nodule") & (table["sparsity"] == 0.9)].iloc[0]
    assert row["specificity"] == (negative["Nodule_value"] < row["operating_point"]).mean()
    text = words_of(study="rising", by="view", sparsity="90", **{"is": "PA"})
    assert operating_sentences.false_alarms_sentence(table, 0.9).removesuffix(".") in text


def test_odd_class_names_and_classes_without_positives_are_drawn():
    table = operating_characteristics(Study(find_study("odd")))
    without = table["class_name"] == "42"  # as if no test image carried it
    table.loc[without, [name for name in table if name.startswith("sensitivity")]] = float("nan")
    table.loc[without, "unstable"] = True
    chart = operating_chart(table, 0.9, 0.9, 200, 100)
    assert chart.title
    assert "42 *" in chart.figure.layout.yaxis.ticktext
    assert "<img" not in str(chart.figure.to_json())
    assert "unstable" in chart.caption


def test_a_class_that_no_training_image_carries_is_left_out_and_counted():
    table = operating_characteristics(Study(find_study("odd")))
    never = table[table["class_name"] == "Never seen"]
    assert never["n_negative"].gt(0).all()
    assert never[["operating_point", "sensitivity", "specificity"]].isna().all(axis=None)
    chart = operating_chart(table, 0.9, 0.9, 200, 100)
    assert not any("Never seen" in name for name in chart.figure.layout.yaxis.ticktext)
    assert "1 class without an operating point left out." in chart.caption
    whole = operating_characteristics(Study(find_study("rising")))
    assert "without an operating" not in operating_chart(whole, 0.9, 0.9, 200, 100).caption
