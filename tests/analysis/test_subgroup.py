"""Slices of the test images: which there are, and that their metrics are those of the slice."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.metrics import metrics_table
from core.analysis.subgroup import (
    FINDINGS,
    PATIENTS,
    Subgroup,
    even_ranks,
    groupings,
    patient_list,
    slice_facts,
    slice_metrics,
    slice_truth,
    values,
)
from core.study.labels import Labels
from tests.toys import toy_labels

NAMES = list("abcdef")


def predictions(n: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Classes of every prevalence, none, all, and uncertain labels; probabilities of some kind."""
    rng = np.random.default_rng(n)
    labels = (rng.random((n, 6)) < [0.5, 0.1, 0.02, 0, 1, 0.3]).astype(float)
    labels[rng.random(n) < 0.1, 5] = np.nan
    probabilities = rng.random((n, 6)).astype(np.float32)
    if kind == "tied":
        probabilities = np.round(probabilities, 1)
    if kind == "constant":
        probabilities[:] = 0.5
    return labels, probabilities


@pytest.mark.parametrize("kind", ["distinct", "tied", "constant"])
@pytest.mark.parametrize("n", [1, 7, 400])
def test_metrics_of_a_slice_are_those_of_its_probabilities(kind, n):
    labels, probabilities = predictions(n, kind)
    chosen = np.random.default_rng(1).random(n) < 0.6
    chosen[0] = True
    expected = metrics_table(labels[chosen], probabilities[chosen], NAMES)
    found = slice_metrics(slice_truth(labels[chosen].T), even_ranks(probabilities)[:, chosen])
    for name, column in found.items():
        wanted = expected[name].to_numpy(float, na_value=np.nan)
        np.testing.assert_allclose(column, wanted, atol=1e-12, err_msg=name)


def test_ranks_are_small_where_they_fit_and_whole_where_they_do_not():
    assert even_ranks(np.random.default_rng(0).random((32_000, 1))).dtype == np.uint16
    large = even_ranks(np.random.default_rng(0).random((40_000, 1)))
    assert large.dtype == np.uint32
    assert large.max() == 80_000


def test_numbers_become_ranges_and_words_stay():
    labels = toy_labels()
    assert groupings(labels) == ["age", "view", FINDINGS, PATIENTS]
    ages = values(labels, "age")
    assert list(ages) == ["20 to 39", "40 to 59", "60 to 79", "80 and over"]
    assert sum(ages.values()) == 200
    assert set(values(labels, "view")) == {"PA", "AP"}
    assert next(iter(values(labels, FINDINGS))) == "0"


def test_a_subgroup_holds_what_its_value_says():
    labels = toy_labels()
    test = labels.split("test")
    assert (test["age"][Subgroup("age", "40 to 59")(labels)].between(40, 59)).all()
    assert Subgroup("view", "PA")(labels).sum() == (test["view"] == "PA").sum()
    none = Subgroup(FINDINGS, "0")(labels)
    assert (test["No Finding"][none] == 1).all()
    assert not Subgroup("view", "lateral")(labels).any()


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
    chosen = Subgroup(PATIENTS, "patient-0150\npatient-0151, nobody")(labels := toy_labels())
    facts = slice_facts(labels, chosen)
    assert (facts.n_images, facts.n_patients) == (4, 2)


def test_columns_that_divide_nothing_are_not_offered():
    table = toy_labels().table.assign(
        site="one", note=lambda t: "note " + t["image_id"], weight=np.linspace(40, 120, 400),
        portable=lambda t: t["age"] > 50, empty=pd.NA,
    )  # fmt: skip
    labels = Labels(table, toy_labels().class_names)
    offered = groupings(labels)
    assert {"weight", "portable"} < set(offered)
    assert not {"site", "note", "empty"} & set(offered)
    assert len(values(labels, "weight")) == 4
    assert set(values(labels, "portable")) == {"yes", "no"}
