"""Class frequencies as the owner of a network says them."""

from __future__ import annotations

import pytest

from core.checkpoints.frequencies import read_frequencies
from core.errors import InputError
from core.study.config import parse_config

CLASSES = ("Mass", "", "Pleural_Thickening")


@pytest.mark.parametrize(
    "text",
    [
        "class,frequency\nMass,0.05\nPleural Thickening,0.002\n",
        "class_name,group,train_frequency\nmass,head,0.05\npleural thickening,tail,0.002\nEdema,x,",
        "\ufeffFinding,positives,images\nMass,50,1000\nPleural_Thickening,2,1000\n",
    ],
)
def test_shares_or_counts_of_the_studys_classes_are_read(text):
    assert read_frequencies(text, CLASSES) == {"Mass": 0.05, "Pleural_Thickening": 0.002}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class,frequency\nMass,0.05\n", "lacks Pleural_Thickening"),
        ("class,frequency\nMass,5\nPleural Thickening,0.1\n", "gives Mass '5' of '1'"),
        ("class,positives,images\nMass,5,0\n", "gives Mass '5' of '0'"),
        ("class,frequency\nMass,0.1\nmass,0.2\n", "the class Mass twice"),
        ("class,positives\nMass,5\n", "Give a CSV with a column `class`"),
        ("class,frequency\nMass,0,05\nPleural Thickening,0,1\n", "'Mass' has more fields than"),
        ("", "its columns are none"),
    ],
)
def test_what_is_missing_or_impossible_is_named(text, why):
    with pytest.raises(InputError, match=why):
        read_frequencies(text, CLASSES)


def test_a_study_needs_all_of_them_and_without_any_its_id_is_as_before():
    raw = {
        "study": {"name": "s"}, "dataset": {"kind": "phantom"},
        "model": {"architecture": "resnet_small", "image_size": 32}, "runs": {"count": 1},
        "checkpoint": {"sha256": "0" * 64, "classes": ["Mass", "Edema"]},
    }  # fmt: skip

    def given(frequencies: object) -> dict:
        return raw | {"checkpoint": raw["checkpoint"] | {"class_frequencies": frequencies}}

    plain = parse_config(raw, "test")
    assert parse_config(given("unknown"), "test").id == plain.id
    assert parse_config(given("train"), "test").id != plain.id
    with pytest.raises(InputError, match=r"class_frequencies lacks Edema"):
        parse_config(given({"Mass": 0.1}), "test")
