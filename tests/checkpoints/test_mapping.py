"""What is right of an order of outputs stays in view, and "No Finding" makes no network unfit."""

from __future__ import annotations

import pytest

from core.checkpoints.class_orders import known_orders
from core.checkpoints.mapping import XRV_CLASSES, as_far_as_known, map_outputs
from core.datasets.classes import class_list
from core.errors import InputError
from core.study.labels import NO_FINDING, findings

DATASET = (*findings(class_list("nih-cxr14")), NO_FINDING)
CLASSES = ("Pleural Thickening", "Mass", "Hernia")


def test_fourteen_outputs_fit_fourteen_findings_beside_no_finding():
    outputs = map_outputs(14, DATASET)
    assert outputs.named_by == "order"
    assert outputs.classes == DATASET[:-1]
    assert outputs.classes_without_output == ("No Finding",)
    first = ("no_finding", *DATASET[:-1])  # wherever it stands, and however it is written
    assert map_outputs(14, first).classes == DATASET[:-1]
    with pytest.raises(InputError, match="13 outputs"):
        map_outputs(13, DATASET)


def test_a_class_given_twice_leaves_the_others_as_they_were_given():
    given = ("Hernia", "Hernia", *DATASET[2:14])
    with pytest.raises(InputError, match="Two outputs stand for the class 'Hernia'"):
        map_outputs(14, DATASET, given=given)
    shown = as_far_as_known(14, DATASET, given=given)
    assert (shown.named_by, shown.classes) == ("person", given)


def test_names_in_a_file_stay_in_view_too_and_without_any_there_is_nothing_to_show():
    names = ("mass", "Mass ", "Edema")
    assert as_far_as_known(3, DATASET, names).classes == ("Mass", "Mass", "Edema")
    for given in (None, ("Mass",)):
        shown = as_far_as_known(3, DATASET, given=given)
        assert (shown.named_by, shown.classes) == ("nobody", ("", "", ""))


def test_torchxrayvisions_order_is_offered_for_eighteen_outputs():
    shown = as_far_as_known(18, DATASET)
    orders = known_orders(shown)
    assert "torchxrayvision" in orders
    offered = orders["torchxrayvision"]
    assert offered[:3] == XRV_CLASSES[:3]
    assert offered[14:] == ("", "", "", "")


def test_names_are_matched_without_case_spaces_and_underscores():
    outputs = map_outputs(3, CLASSES, ("hernia", "pleural_thickening", "Gout"))
    assert outputs.classes == ("Hernia", "Pleural Thickening", "")
    assert outputs.classes_without_output == ("Mass",)


def test_torchxrayvisions_eighteen_have_their_own_order():
    outputs = map_outputs(18, CLASSES, one_channel_densenet=True)
    assert outputs.named_by == "torchxrayvision"
    assert outputs.classes[XRV_CLASSES.index("Hernia")] == "Hernia"
    assert sum(map(bool, outputs.classes)) == 3


def test_without_names_the_dataset_s_order_is_taken_and_said():
    assert map_outputs(3, CLASSES).named_by == "order"


@pytest.mark.parametrize(
    ("n", "names", "given", "words"),
    [
        (14, (), None, "14 outputs, the dataset 3 classes.*with - for those that have none"),
        (1, (), None, "1 output, the dataset 3 classes.*which, in order"),
        (2, ("cat", "dog"), None, r"None of the network's outputs \(cat, dog\)"),
        (3, (), ("Mass", "Hernia"), "2 classes were given for 3 outputs"),
        (3, (), ("Mass", "Gout", ""), "no class 'Gout'"),
        (3, (), ("Mass", "mass", ""), "Two outputs stand for the class 'Mass'"),
        (3, (), ("", "", ""), "nothing to measure"),
    ],
)
def test_what_cannot_be_matched_is_explained(n, names, given, words):
    with pytest.raises(InputError, match=words):
        map_outputs(n, CLASSES, names, given)
