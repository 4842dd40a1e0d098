"""Labels travel with their class names; patients are never divided; groups follow frequency."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts.classes import frequency_chart
from core.errors import InputError
from core.study.labels import (
    Labels,
    class_frequencies,
    group_of,
    known_split,
    label_matrix,
    split_by_patient,
)
from core.study.settings import GroupSettings
from core.ui import markup
from core.wording import words
from tests.toys import toy_labels


def table_of(**columns):
    rows = {"image_id": ["a", "b", "c"], "patient_id": ["1", "1", "2"], "path": ["a", "b", "c"]}
    return pd.DataFrame({**rows, "split": ["train", "train", "test"], **columns})


def test_labels_are_one_zero_or_uncertain():
    labels = Labels(table_of(Hernia=[1, None, 0], age=[40, 41, 42]), ("Hernia",))
    assert label_matrix(labels.table, ["Hernia"])[[0, 2], 0].tolist() == [1, 0]
    assert labels.table["Hernia"].isna().tolist() == [False, True, False]
    assert labels.attributes == ("age",)


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        ({"Hernia": [1, 2, 0]}, ("Hernia",), "'Hernia' holds"),
        ({"Hernia": [1, "yes", 0]}, ("Hernia",), "'yes'"),
        ({}, ("Hernia",), "lack the column"),
        ({"Hernia": [1, 0, 0], "image_id": ["a", "a", "c"]}, ("Hernia",), "more than once"),
        ({"Hernia": [1, 0, 0], "split": ["train", "dev", "test"]}, ("Hernia",), "dev"),
        ({"A|B": [1, 0, 0]}, ("A|B",), "no class name"),
        ({"split": [1, 0, 0]}, ("split",), "key column"),
        ({}, (), "no classes"),
    ],
)
def test_labels_that_make_no_sense_are_refused_by_name(columns, names, message):
    with pytest.raises(InputError, match=message):
        Labels(table_of(**columns), names)


def test_the_fingerprint_is_of_what_is_learnt_not_of_where_it_lies():
    labels = toy_labels()
    moved = Labels(labels.table.assign(path="elsewhere"), labels.class_names)
    relabelled = labels.table.copy()
    relabelled.loc[0, "Hernia"] = 1 - relabelled.loc[0, "Hernia"]
    assert moved.fingerprint() == labels.fingerprint()
    assert Labels(relabelled, labels.class_names).fingerprint() != labels.fingerprint()


@given(
    st.lists(st.integers(0, 30), min_size=40, max_size=120),
    st.integers(0, 5),
)
def test_no_patient_is_in_two_splits_and_equal_seeds_split_alike(patients, seed):
    ids = pd.Series(patients)
    if ids.nunique() < 3:
        return
    split = split_by_patient(ids, 0.1, 0.2, seed)
    assert pd.DataFrame({"p": ids, "s": split}).groupby("p")["s"].nunique().eq(1).all()
    assert split.equals(split_by_patient(ids, 0.1, 0.2, seed))
    assert set(split) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0, 1), {"test": 10}),
        ((0.3, 0.7), {"test": 7, "validation": 3}),
        ((0, 0.4), {"test": 4, "train": 6}),
        ((0.02, 0.98), {"test": 9, "validation": 1}),
        ((0.1, 0.2), {"train": 7, "test": 2, "validation": 1}),
    ],
)
def test_only_splits_with_a_share_get_patients(shares, expected):
    ids = pd.Series([f"p{number}" for number in range(10)])
    assert split_by_patient(ids, *shares, 0).value_counts().to_dict() == expected


def test_one_patient_is_enough_for_a_test():
    assert set(split_by_patient(pd.Series(["a", "a"]), 0, 1, 0)) == {"test"}
    with pytest.raises(InputError, match="divided into validation and test"):
        split_by_patient(pd.Series(["a", "a"]), 0.5, 0.5, 0)


def test_groups_follow_the_thresholds_of_the_study():
    groups = GroupSettings()
    assert [group_of(f, groups) for f in (0.2, 0.1, 0.01, 0.009)] == [
        "head",
        "medium",
        "medium",
        "tail",
    ]


def test_frequencies_are_positives_over_images_most_frequent_first():
    table = table_of(Rare=[0, 1, 0], Common=[1, 1, 1])
    frequencies = class_frequencies(Labels(table, ("Rare", "Common")), GroupSettings())
    assert frequencies["class_name"].tolist() == ["Common", "Rare"]
    assert frequencies["train_frequency"].tolist() == [1.0, 0.5]
    assert frequencies["test_positives"].tolist() == [1, 0]


def test_without_training_images_groups_and_order_go_by_the_test_images():
    table = table_of(Rare=[0, 1, 0], Common=[1, 1, 1]).assign(split="test")
    frequencies = class_frequencies(Labels(table, ("Rare", "Common")), GroupSettings())
    assert known_split(frequencies) == "test"
    assert frequencies["class_name"].tolist() == ["Common", "Rare"]
    assert frequencies["train_frequency"].tolist() == [0, 0]
    chart = frequency_chart(frequencies, 0.01, 3)
    assert chart.caption == "n = 3 test images."
    assert chart.title.endswith("of test images")
    assert chart.figure.layout.xaxis.title.text == "Share of test images (log scale)"
    assert list(chart.figure.data[0].x) == pytest.approx([100, 100 / 3])


def test_legends_name_the_images_that_groups_go_by():
    groups = GroupSettings()
    assert markup.group_meanings(groups)[0][1] == "head: over 10 % of train images"
    assert markup.group_meanings(groups, "test")[0][1] == "head: over 10 % of test images"
    assert "over 10 % of test images" in markup.group_legend(groups, "test")
    assert words.groups(groups, "test").startswith("Blue: head, over 10 % of test images")
