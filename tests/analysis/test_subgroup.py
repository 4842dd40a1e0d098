"""Subgroups of the test images: what chooses them, their text, and which images they are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.groupings import FINDINGS, groupings, patient_list, values
from core.analysis.subgroup import (
    Between,
    OneOf,
    Subgroup,
    attributes,
    slice_facts,
    subgroup_before,
    with_condition,
)
from core.errors import InputError
from core.study.labels import Labels
from tests.toys import toy_labels

ODD = ["F", "a:b", "x,y", "1|2", "50%", "%2C", "20-39", "60-", "-", "\u00e4 \u00df", "with blanks"]


def odd_labels() -> Labels:
    """Attributes whose names and values hold every sign that the text of a subgroup is made of."""
    table = toy_labels().table
    odd = np.resize(ODD, len(table))
    return Labels(
        table.assign(**{"si:te, |%": odd}, weight=np.linspace(-40.5, 120, len(table))),
        toy_labels().class_names,
    )


LABELS, TEST = odd_labels(), odd_labels().split("test")
NUMBERS = st.none() | st.integers(-99, 99) | st.floats(-1e6, 1e6)


@st.composite
def conditions(draw):
    by = draw(st.sampled_from(["si:te, |%", "view", "patient_id", "age", "weight"]))
    if by in ("age", "weight"):
        low, high = draw(st.tuples(NUMBERS, NUMBERS).filter(lambda ends: ends != (None, None)))
        if low is not None and high is not None:
            low, high = sorted((low, high))
        return Between(by, low, high)
    known = {"view": ["PA", "AP"], "si:te, |%": ODD}.get(by)
    values = st.sampled_from(known) if known else st.text(min_size=1, max_size=9)
    return OneOf(by, tuple(draw(st.lists(values, min_size=1, max_size=4))))


@given(st.lists(conditions(), min_size=1, max_size=4, unique_by=lambda one: one.by))
def test_a_subgroup_reads_back_from_its_text(given_conditions):
    subgroup = Subgroup(tuple(given_conditions))
    assert Subgroup.parse(str(subgroup), LABELS) == subgroup
    assert subgroup == Subgroup(tuple(reversed(given_conditions)))


@given(st.lists(conditions(), min_size=2, max_size=4, unique_by=lambda one: one.by))
def test_conditions_only_ever_take_images_away(given_conditions):
    together = Subgroup(tuple(given_conditions))(LABELS)
    alone = [Subgroup((one,))(LABELS) for one in given_conditions]
    assert (together == np.logical_and.reduce(alone)).all()


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("age:60-", TEST["age"] >= 60),
        ("age:-40", TEST["age"] <= 40),
        ("age:40-59,view:PA", TEST["age"].between(40, 59) & (TEST["view"] == "PA")),
        ("view:PA|AP", TEST["view"].notna()),
        ("weight:-40.5--2.5e0", TEST["weight"] <= -2.5),
        ("age:61", TEST["age"] == 61),
        ("n_findings:0", TEST["No Finding"] == 1),
        ("n_findings:1-", TEST["No Finding"] == 0),
        (" view:PA , age:60- ", (TEST["view"] == "PA") & (TEST["age"] >= 60)),
    ],
)
def test_a_subgroup_holds_what_its_text_says(text, chosen):
    assert (Subgroup.parse(text, LABELS)(LABELS) == chosen.to_numpy(bool)).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sex:F", "cannot be chosen by 'sex'. Attributes: age, view, si:te, |%, weight, n_find"),
        ("image_id:a", "cannot be chosen by 'image_id'"),
        ("", "cannot be chosen by ''"),
        ("view", "What of view? Write a value behind a colon, such as view:AP."),
        ("view:lateral", "view has no value 'lateral' among the test images. Values: AP, PA."),
        ("age:old", "age is a number, from 20 to 89, and 'old' is neither one nor a range"),
        ("age:20-39|60-", "and '20-39' is neither one nor a range, such as age:20-."),
        ("age:nan-", "'nan-' is neither"),
        ("age:60-20", "The range of age begins at 60, above its end at 20."),
        ("view:PA,view:AP", "view stands twice."),
    ],
)
def test_what_a_study_cannot_have_is_refused_in_words(text, words):
    with pytest.raises(InputError) as caught:
        Subgroup.parse(text, LABELS)
    assert words in str(caught.value)


@pytest.mark.parametrize("by", ["view", "age", FINDINGS])
def test_the_old_form_means_the_images_it_meant(by):
    columns = {"view": TEST["view"], "age": TEST["age"], FINDINGS: None}
    for value, n in values(LABELS, by).items():
        now = subgroup_before(by, value, LABELS)
        assert now(LABELS).sum() == n
        assert Subgroup.parse(str(now), LABELS) == now
    assert columns[by] is None or sum(values(LABELS, by).values()) == columns[by].count()


def test_a_condition_is_changed_and_dropped():
    women = with_condition(None, "sex", OneOf("sex", ("F",)))
    older = with_condition(women, "age", Between("age", 60))
    assert str(older) == "age:60-,sex:F"
    assert str(with_condition(older, "age", Between("age", 70, 80))) == "age:70-80,sex:F"
    assert with_condition(women, "sex", None) is None


def test_a_missing_value_meets_no_condition():
    table = toy_labels().table.assign(age=lambda t: t["age"].where(t["age"] < 60).astype("Int64"))
    labels = Labels(
        table.assign(view=lambda t: t["view"].where(t["view"] == "PA")), LABELS.class_names[:5]
    )
    assert not Subgroup((Between("age", 60),))(labels).any()
    assert not Subgroup((OneOf("view", ("AP",)),))(labels).any()


def test_numbers_become_ranges_and_words_stay():
    labels = toy_labels()
    assert groupings(labels) == ["age", "view"]
    assert list(attributes(labels)) == ["age", "view", "n_findings", "patient_id"]
    ages = values(labels, "age")
    assert list(ages) == ["20 to 39", "40 to 59", "60 to 79", "80 and over"]
    assert sum(ages.values()) == 200
    assert set(values(labels, "view")) == {"PA", "AP"}
    assert next(iter(values(labels, FINDINGS))) == "0"


def test_what_means_nothing_is_not_offered():
    number = np.arange(400)
    table = toy_labels().table.assign(
        site="one", note=lambda t: "note " + t["image_id"], weight=np.linspace(40, 120, 400),
        portable=lambda t: t["age"] > 50, empty=pd.NA, follow_up=number % 5,
        image_seed=number * 7, ImageSeed=number % 50, study_id=number // 3, row=number,
        admission=number // 2, body_mass_index=20 + number % 30,
    )  # fmt: skip
    labels = Labels(table, toy_labels().class_names)
    offered = {"age", "view", "weight", "portable", "follow_up", "body_mass_index"}
    assert set(groupings(labels)) == offered
    assert set(attributes(labels)) == offered | {"n_findings", "patient_id"}
    assert len(values(labels, "weight")) == 4
    assert set(values(labels, "portable")) == {"yes", "no"}
    assert set(attributes(labels)["follow_up"].values) == set("01234")


def test_a_slice_counts_the_patients_of_each_class_not_only_its_images():
    table = toy_labels(300).table.copy()
    chosen = (table["split"] == "test").to_numpy()
    table.loc[chosen, "patient_id"] = "one"
    labels = Labels(table, toy_labels(300).class_names)
    facts = slice_facts(labels, np.ones(chosen.sum(), bool))
    assert facts.n_positive["Effusion"] > 1
    assert facts.n_positive_patients["Effusion"] == facts.n_patients == 1


def test_a_pasted_list_of_patients_takes_any_divider():
    assert patient_list(" p1, p2;p3\np1\t ") == ["p1", "p2", "p3"]
    chosen = subgroup_before(
        "Patients", "patient-0150\npatient-0151, nobody", labels := toy_labels()
    )
    facts = slice_facts(labels, chosen(labels))
    assert (facts.n_images, facts.n_patients) == (4, 2)
