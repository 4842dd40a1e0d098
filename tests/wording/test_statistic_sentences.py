"""What the pages say of a number."""

import math

import pandas as pd
import pytest

from core.study.config import StudyConfig
from core.wording import pair_sentences, statistic_sentences
from core.wording.published import FIRST_DROP, published
from tests.toys import toy_config


@pytest.mark.parametrize(
    ("frequency", "both", "told"),
    [
        (0.25, -0.5, ("+0.250 of FCD", "\u22120.500 per unit")),
        (-0.25, 0.5, ("\u22120.250 of FCD", "+0.500 per unit")),
        (0.0001, -0.0001, ("with 0.000 of FCD", ": 0.000 per unit")),
    ],
)
def test_coefficients_carry_their_sign_and_a_proper_minus(frequency, both, told):
    rows = pd.DataFrame(
        {
            "plain_term": list(pair_sentences.TERMS),
            "coefficient": [0.1, frequency, 0.1, both],
            "permutation_p": [0.01] * 4,
            "ols_p": [0.01] * 4,
        }
    )
    said = pair_sentences.interaction(rows)
    for part in told:
        assert part in said
    assert "-" not in said.replace("e-fold", "")


def pair(**columns) -> dict:
    row = {
        "class_a": "Edema", "class_b": "Mass", "fcd_corrected": 0.154, "difference": 0.095,
        "difference_ci_low": 0.06, "difference_ci_high": 0.131, "q_value": 0.001,
    }  # fmt: skip
    return row | columns


@pytest.mark.parametrize(
    ("row", "short"),
    [
        (pair(), "FCD 0.15, told apart"),
        (pair(q_value=0.2), "FCD 0.15, not told apart"),
        (pair(fcd_corrected=0.0, q_value=0.9), "FCD 0, within noise, not told apart"),
        (pair(q_value=math.nan), "FCD 0.15, not tested"),
        (pair(fcd_corrected=math.nan, q_value=math.nan), "FCD not judged"),
    ],
)
def test_a_pair_is_told_apart_by_its_test_alone(row, short):
    assert pair_sentences.pair_in_short(row) == short


@pytest.mark.parametrize(
    ("row", "title"),
    [
        (pair(), "Mass loses more than Edema: FCD 0.15"),
        (pair(difference=-0.1), "Edema loses more than Mass: FCD 0.15"),
        (pair(q_value=0.2), "Edema and Mass are not told apart: FCD 0.15"),
        (pair(q_value=math.nan), "Edema and Mass: FCD 0.15, not tested"),
        (pair(fcd_corrected=math.nan, q_value=math.nan), "Edema and Mass: FCD not judged"),
    ],
)
def test_which_class_loses_more_is_said_only_of_two_that_are_told_apart(row, title):
    assert pair_sentences.pair_title("Edema", "Mass", row) == title


def test_a_pair_is_told_with_interval_null_and_over_what():
    said = pair_sentences.pair_apart(pair(), n_runs=3)
    assert said == (
        "Averaged over sparsities, Mass loses 9.5 points more of its Somers\u2019 D "
        "than Edema (95 % interval over runs and patients 6.0 to 13.1; q = 0.001)."
    )
    assert "over patients 6.0 to 13.1" in pair_sentences.pair_apart(pair(), n_runs=1)
    less = pair(difference=-0.02, difference_ci_low=-0.06, difference_ci_high=0.011)
    assert "Edema loses 2.0 points more" in pair_sentences.pair_apart(less, 3)
    assert "\u22121.1 to 6.0;" in pair_sentences.pair_apart(less, 3)
    assert "Not judged" in pair_sentences.pair_apart(pair(fcd_corrected=math.nan), 3)


def test_the_title_of_the_map_counts_the_pairs_that_are_told_apart():
    pairs = "153 pairs of classes"
    assert pair_sentences.pairs_apart(2, 153, ("A", "B")) == (
        f"2 of {pairs} are forgotten differently, A and B most of all"
    )
    assert pair_sentences.pairs_apart(1, 153, ("A", "B")) == (
        f"1 of {pairs} is forgotten differently: A and B"
    )
    assert pair_sentences.pairs_apart(0, 153, ("A", "B")) == (
        f"None of {pairs} is shown to be forgotten differently"
    )
    assert pair_sentences.pairs_apart(0, 0) == "No pair of classes can be judged"
    assert "Blank: 37 pairs" in pair_sentences.pairs_caption([], 153, 190, 19, 3)
    said = pair_sentences.pairs_caption([("A", "B")] * 5, 190, 190, 19, 1)
    assert "Blank" not in said
    assert "one run: nothing of other trainings" in said
    assert "Told apart: A and B; A and B; A and B; 2 more." in said


def test_a_map_explains_the_signs_that_it_draws_and_no_others():
    every = pd.DataFrame({"q_value": [0.01, 0.2, math.nan], "fcd_corrected": [0.3, 0.0, math.nan]})
    assert list(pair_sentences.signs("fcd", every)) == ["scale", "dot", "blank", "pair"]
    assert list(pair_sentences.signs("fcd", every[:1])) == ["scale", "pair"]
    for which in ("fcd", "iou", "frequency"):
        assert list(pair_sentences.signs(which, None)) == ["scale", "pair"]
    assert list(pair_sentences.signs("iou", every)) == ["scale", "pair"]


@pytest.mark.parametrize(
    ("p", "expected"), [(0.01, "rises"), (0.2, "No clear"), (None, "No clear")]
)
def test_a_relation_is_claimed_only_where_its_p_carries_it(p, expected):
    row = {"pearson_r": 0.5, "spearman_rho": 0.4, "pearson_p": p, "permutation_p": 0.01}
    assert statistic_sentences.relation(row, "rises", "falls").startswith(expected)


def test_published_figures_stand_beside_the_papers_datasets_only():
    assert published(toy_config()) == {}
    raw = toy_config().model_dump(mode="json")
    raw["dataset"] = {"kind": "cxr-lt", "name": "mimic-cxr-lt", "images": "i", "labels": "l"}
    assert published(StudyConfig.model_validate(raw))[FIRST_DROP].rho == 0.93
