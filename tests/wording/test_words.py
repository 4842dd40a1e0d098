"""The words on the pages."""

import os

import pandas as pd
import pytest

from core.analysis.safe_sparsity import ALL, SafeAnswer, SafeSparsity
from core.study.config import parse_config
from core.study.known_settings import known_settings
from core.study.settings import PRUNING_METHODS
from core.wording import columns, safety_sentences, words
from tests.pages.test_pages import report


def test_a_running_report_of_a_silent_process_is_an_interruption():
    now = 1_800_000_000.0
    mine = os.getpid()
    assert words.standing(report(updated=now - 1, pid=2**22 + 1), now) == "running"
    assert words.standing(report(updated=now - 30, pid=mine), now) == "running"
    assert words.standing(report(updated=now - 30, pid=2**22 + 1), now) == "interrupted"
    assert words.standing(report(updated=now - 601, pid=mine), now) == "interrupted"
    assert words.standing(report(updated=now - 999, state="finished"), now) == "finished"


@pytest.mark.parametrize(
    ("share", "text"), [(0.57, "57 %"), (0.042, "4.2 %"), (0.0018, "0.18 %"), (0, "0 %")]
)
def test_a_frequency_has_the_digits_it_needs(share, text):
    assert words.frequency(share) == text


def test_what_is_known_of_a_model_depends_on_who_trained_it():
    ours = {
        "study": {"name": "s"},
        "dataset": {"kind": "phantom"},
        "model": {"architecture": "resnet18", "image_size": 64},
        "runs": {"count": 1},
    }
    assert words.model(parse_config(ours, "test")) == "resnet18, from scratch, 64 px"
    given = ours | {"checkpoint": {"sha256": "0" * 64, "classes": ["Mass"]}}
    config = parse_config(given, "test")
    assert words.model(config) == "resnet18, a given checkpoint, training not known, 64 px"
    assert words.pruning(config) == f"{PRUNING_METHODS['l1_global']} (l1_global)"  # we prune it
    assert words.precision(config) == "fp32"  # and compute with it
    assert not known_settings(config).keys() & {"training"}
    assert parse_config(known_settings(config), "test").id == config.id


def test_a_change_is_told_as_what_happened():
    assert words.loss(-0.804, "ap") == "loses 80 % of its AP"
    assert words.loss(0.05, "auroc") == "gains 5 % of its AUROC"
    assert words.loss(float("nan"), "ap") == "has no AP"


def test_progress_says_stage_count_and_time_left():
    text = words.progress(report())
    assert text.startswith("training run 1, stage 1 of 4: 50 of 100 images, about 10 s left")
    assert text.endswith("in this stage; 3 more stages follow, of unknown length")
    assert words.progress(report(stage_number=4)).endswith("no stage follows")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (-0.804, "\u221280 %"),
        (0.031, "+3.1 %"),
        (-0.0004, "0 %"),
        (0.0, "0 %"),
        (float("nan"), "\u2013"),
    ],
)
def test_a_percentage_has_one_shape(change, text):
    assert words.signed(change) == text


def test_nothing_is_no_negative_nothing():
    assert words.percent(-0.001) == "0 %"
    assert words.percent(-0.85) == "\u221285 %"
    assert words.signed(-0.0001, 1) == "0.0 %"


def test_a_column_is_told_in_human_words():
    told = columns.told({"poor_quality": "True", "view": "PA", "true_findings": "Mass|Nodule"})
    assert told == {"Poor image quality": "yes", "View": "PA", "Findings drawn": "Mass, Nodule"}
    alike = columns.told({"patient_id": "1", "Patient": "Ann", "note": ""})
    assert alike == {"patient_id": "1", "Patient": "Ann", "Note": words.NONE}


def test_images_that_are_their_own_patients_are_said_to_be_of_unknown_patients():
    def of(n: int, per_patient: int, prefix: str = "image-"):
        return pd.DataFrame(
            {
                "image_id": [f"image-{i}" for i in range(n)],
                "patient_id": [f"{prefix}{i // per_patient}" for i in range(n)],
            }
        )

    said = words.unknown_patients(of(51, 1))
    assert said == "Each image counts as its own patient: no patient ids are known."
    assert words.unknown_patients(of(50, 1)) == ""  # too few to matter
    assert words.unknown_patients(of(51, 2)) == ""
    assert words.unknown_patients(of(51, 1, "patient-")) == ""  # ids are known, one image each


def test_a_safe_sparsity_of_unknown_patients_says_so_first():
    answer = SafeAnswer(ALL, 3, ("Hernia",), (), (), 0.5, None, None, 0.9, 3, 0.5, 0.1)
    known = safety_sentences.safe_caveats(answer, SafeSparsity())
    assert len(known) == 1
    said = safety_sentences.safe_caveats(answer, SafeSparsity(), words.OWN_PATIENTS)
    assert said == [words.OWN_PATIENTS, *known]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"sex": "F", "view": "PA", "follow_up": "3"}, "PA · follow-up 3"),  # NIH
        ({"ViewPosition": "AP", "StudyDate": "20140302"}, "AP · 2014-03-02"),  # MIMIC-CXR
        ({"Frontal/Lateral": "Frontal", "AP/PA": "AP", "Age": "61"}, "Frontal · AP"),  # CheXpert
        ({"view": words.NONE, "age": "3"}, ""),
    ],
)
def test_how_an_xray_was_taken_stands_in_its_corner(attributes, expected):
    assert columns.taken(attributes) == expected
