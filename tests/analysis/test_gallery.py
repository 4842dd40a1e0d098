"""Which images a gallery shows, in what order, and what it says where it shows none."""

import numpy as np
import pandas as pd
import pytest

from core.analysis import gallery
from core.analysis.gallery import EVERY, MODAL, ORDERS, Z_SCORE, Gallery
from core.analysis.image_change import image_change
from core.analysis.pie import Pies

NAMES = ("Effusion", "Nodule", "Hernia", "No Finding")
GROUPS = {"Effusion": "head", "Nodule": "medium", "Hernia": "tail", "No Finding": "head"}
# a: Effusion. b: Effusion and Hernia. c: nothing known of Nodule, else clear. d: all three.
LABELS = [[1, 0, 0, 0], [1, 0, 1, 0], [0, np.nan, 0, 1], [1, 1, 1, 0]]
AGREEMENT = [0.2, -0.5, np.nan, 0.9]
LOST = np.array(
    [[0.9, np.nan, 0.1, np.nan], [0.5, np.nan, 0.85, np.nan], [np.nan] * 4, [np.nan] * 4],
    np.float32,
)
# a: Nodule and Hernia; b: Nodule later; c: what may be there, and what is; d: nothing.
RAISED = np.array(
    [[np.nan, 0.5, 0.9, np.nan], [np.nan, 0.85, np.nan, 0.1], [np.nan, 0.1, np.nan, 0.1],
     [np.nan] * 4],
    np.float32,
)  # fmt: skip


@pytest.fixture
def images():
    test = pd.DataFrame(LABELS, columns=NAMES).astype("Int8")
    test.insert(0, "image_id", list("abcd"))
    test.insert(1, "patient_id", ["2", "1", "2", "3"])
    test["path"], test["split"] = test["image_id"], "test"
    test["view"] = ["PA", "AP", "PA", None]
    test["rank"] = "an attribute called as one of our own columns"
    pies = pd.DataFrame({"image_id": list("abcd"), "agreement": AGREEMENT})
    pies["is_pie"] = [True, True, False, False]
    return gallery.at_sparsity(gallery.at_every_sparsity(test, LOST, RAISED, NAMES, GROUPS), pies)


def shown(images, **filters) -> str:
    return "".join(Gallery(**({"definition": EVERY} | filters))(images)["image_id"])


def test_a_definition_takes_its_own_images(images):
    assert shown(images, definition="paper") == "ba"
    assert shown(images) == "badc", "an image without an agreement comes last"
    assert shown(images, definition=MODAL) == "", "not worked out yet"
    assert Gallery(Z_SCORE).needs_comparison(images)
    images.table["is_pie_modal"] = pd.array([None, True, True, False], "boolean")
    images.table["agreement_z"] = [-3, -2, np.nan, -2.5]
    assert shown(images, definition=MODAL) == "bc"
    assert shown(images, definition=Z_SCORE) == "ad"
    assert not Gallery(Z_SCORE).needs_comparison(images)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"labelled": ("Effusion",)}, "bad"),
        ({"labelled": ("Effusion", "Hernia")}, "bd"),
        ({"labelled": ("Nodule",)}, "d"),
        ({"lost": ("Effusion",), "sparsity": 0.9}, "ba"),
        ({"lost": ("Effusion",), "sparsity": 0.85}, "b"),
        ({"lost": ("Hernia",), "sparsity": 0.85}, "b"),
        ({"lost": ("Hernia",), "sparsity": 0.8}, ""),
        ({"lost": ("Effusion", "Hernia"), "sparsity": 0.9}, "ba"),
        ({"raised": ("Nodule",), "sparsity": 0.9}, "ba"),
        ({"raised": ("Nodule",), "sparsity": 0.8}, "a"),
        ({"raised": ("Hernia", "Nodule"), "sparsity": 0.45}, ""),
        ({"raised": ("No Finding",), "sparsity": 0.1}, "b"),
        ({"raised": ("Nodule",), "lost": ("Hernia",), "sparsity": 0.9}, "b"),
        ({"lost": ("Effusion",), "sparsity": 0.1, "until": 0.9}, "ba"),
        ({"lost": ("Effusion",), "sparsity": 0.9, "until": 0.8}, "b"),
        ({"raised": ("Nodule",), "sparsity": 0.9, "until": 0.8}, "a"),
        ({"groups": ("tail",)}, "bd"),
        ({"groups": ("tail", "head")}, "bad"),
        ({"counts": ("0",)}, "c"),
        ({"counts": ("1", "2")}, "ba"),
        ({"agreement": (-0.5, 0.2)}, "ba"),
        ({"agreement": (-1.0, 1.0)}, "badc"),
        ({"patients": "2, 3"}, "adc"),
        ({"patients": "nobody"}, ""),
        ({"by": "view", "value": "PA"}, "ac"),
        ({"by": "view", "value": ""}, "badc"),
        ({"by": "no such column", "value": "x"}, ""),
        ({"labelled": ("Effusion",), "patients": "2"}, "a"),
    ],
)
def test_a_filter_leaves_what_it_says(images, filters, expected):
    assert shown(images, **filters) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("findings", "badc"),
        ("agreement", "badc"),
        ("tail", "bdac"),
        ("lost", "badc"),
        ("most_findings", "dbac"),
        ("raised", "abdc"),
        ("patient", "bacd"),
        ("test_order", "abcd"),
    ],
)
def test_an_order_is_what_it_is_called(images, order, expected):
    assert shown(images, order=order) == expected
    assert order in ORDERS


def test_an_image_without_a_finding_comes_last_however_far_it_moved(images):
    images.table["agreement"] = [0.9, 0.5, -0.9, 0.2]
    assert shown(images, order="agreement") == "cdba"
    assert shown(images, order="findings", sparsity=0.9) == "badc"
    assert shown(images, order="findings", sparsity=0.5) == "bdac", "a loses at 90 % only"
    assert list(gallery.order_fates(images, 0.9)) == [0, 0, 2, 1]


def test_no_finding_is_no_finding_that_is_lost(images):
    images.lost[2, 3] = 0.1
    again = gallery.at_every_sparsity(images.test, images.lost, RAISED, NAMES, GROUPS)
    assert gallery.order_fates(again, 0.9)[2] == 2


def test_what_is_told_of_an_image_reaches_as_far_as_the_filter_asks():
    assert Gallery(sparsity=0.5, until=0.9).told_until == 0.5, "no finding is asked for"
    assert Gallery(sparsity=0.5, lost=("Hernia",), until=0.9).told_until == 0.9
    assert Gallery(sparsity=0.9, raised=("Hernia",), until=0.8).told_until == 0.9


def test_without_a_result_the_filter_to_blame_is_known(images):
    chosen = Gallery(EVERY, labelled=("Nodule",), patients="2", counts=("1", "3"))
    assert len(chosen(images)) == 0
    assert chosen.loosening(images) == {"patients": 1, "labelled": 1, "counts": 0}


def test_only_labelled_classes_are_lost_on_a_card(images):
    a, b = 0, 1
    assert gallery.lost_by(a, images, 0.9) == {"Effusion": 0.9}, "Hernia is no label of a"
    assert gallery.lost_by(b, images, 0.85) == {"Effusion": 0.5, "Hernia": 0.85}
    assert gallery.lost_by(b, images, 0.8) == {"Effusion": 0.5}


def test_raised_is_said_of_what_an_image_is_certain_not_to_have(images):
    assert list(gallery.raised_by(0, images, 0.9).items()) == [("Nodule", 0.5), ("Hernia", 0.9)]
    assert gallery.raised_by(0, images, 0.6) == {"Nodule": 0.5}
    assert gallery.raised_by(2, images, 0.9) == {}, "Nodule is uncertain, No Finding is there"
    assert gallery.n_raised(images, 0.9).tolist() == [2, 1, 0, 0], "No Finding is no finding"
    shown_ = Gallery(EVERY)(images)
    assert gallery.count_raised(images, shown_, 0.9) == 2
    assert gallery.count_raised(images, shown_.iloc[2:], 0.9) == 0
    np.testing.assert_allclose(gallery.false_alarms(images, 1), [np.nan, 0.85, np.nan, 0.1])


def test_an_image_knows_its_neighbours_patient_and_labels(images):
    chosen = Gallery(EVERY)(images)
    assert gallery.neighbours(chosen, "a") == (2, "b", "d")
    assert gallery.neighbours(chosen.iloc[:1], "a") == (None, None, None)
    assert list(gallery.others_of_patient(images, "a")["image_id"]) == ["c"]
    assert gallery.labels_of(images, 2)["Nodule"] is None
    assert gallery.labels_of(images, 2)["No Finding"] is True
    described = gallery.attributes_of(images, 0)
    assert described["rank"] == "an attribute called as one of our own columns"
    assert "Effusion" not in described


def test_ranks_begin_with_the_most_probable_class(images):
    curves = pd.DataFrame(
        [(name, s, mean) for s, means in ((0.0, (0.9, 0.1, 0.2, 0.3)), (0.9, (0.2,) * 4))
         for name, mean in zip(NAMES, means, strict=True)],
        columns=["class_name", "sparsity", "mean"],
    )  # fmt: skip
    curves["rank"] = 1 - curves["mean"]
    table = image_change(curves, gallery.labels_of(images, 2), 0.9)
    first = table.iloc[0]
    assert first[["dense_rank", "pruned_rank"]].tolist() == pytest.approx([0.1, 0.8])
    assert first[["class_name", "class_place", "label"]].tolist() == [
        "Effusion",
        "1 \u2192 2.5",
        "no",
    ]
    assert table.set_index("class_name")["label"].isna()["Nodule"]


def test_the_paper_counts_its_pies(images):
    ids = pd.Series([f"{n}" for n in range(40)])
    values = np.random.default_rng(0).random((2, 40, 5))
    assert gallery.count_pies(Pies()(ids, *values)).n_pies == 2
    assert gallery.count_pies(images.table).n_constant == 1
