import pandas as pd
import pytest

from core.wording import words
from core.wording.data_sentences import caveats, one_valued

CHEXPERT_READ_LITERALLY = pd.DataFrame(  # blanks are not negatives there
    {"image_id": list("abc"), "patient_id": list("ppq"), "Edema": [1, None, 1], "Mass": [1, 0, 0]}
)


def test_a_class_without_negatives_is_named_with_what_becomes_of_its_ap():
    assert one_valued(CHEXPERT_READ_LITERALLY, ("Edema", "Mass")) == [
        "No negative test image, so AP is 1 whatever a network answers: Edema."
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0, 0, None], ["No positive test image, so nothing can be said: Mass."]),
        ([None] * 3, ["No certain label in the test images, so nothing can be said: "
                      "Mass."]),
        ([0, 1, None], []),
    ],
)  # fmt: skip
def test_a_class_of_one_value_is_named(values, said):
    rows = pd.DataFrame({"Mass": pd.array(values, "Int8")})
    assert one_valued(rows, ["Mass"]) == said


def test_unknown_patients_are_said_beside_and_a_whole_table_gives_nothing():
    ids = [f"{n}.png" for n in range(60)]
    rows = pd.DataFrame({"image_id": ids, "patient_id": ids, "Mass": [0, 1] * 30})
    assert caveats(rows, ["Mass"]) == [words.OWN_PATIENTS]
    rows["patient_id"] = [str(n // 2) for n in range(60)]
    assert caveats(rows, ["Mass"]) == []
    assert caveats(rows.iloc[:0], ["Mass"]) == []
