"""What is said of difficulty: a finding only where the slope is above nothing."""

import pandas as pd

from core.analysis.class_evidence import ONE_RUN
from core.wording.claim_sentences import difficulty


def trends(low: float = 0.33, reason: str = "") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["onset_by_difficulty"],
            "slope": [0.465],
            "ci_low": [low],
            "ci_high": [0.6],
            "reason": reason,
        }
    )


def test_difficulty_is_said_for_a_tenth_of_somers_d():
    assert difficulty(trends()) == (
        "Classes that are hard for the dense model are forgotten first.",
        "Of equally frequent classes, one with 0.1 more dense Somers\u2019 D is forgotten 4.7 "
        "points of sparsity later (95 % interval 3.3 to 6.0 later).",
    )


def test_a_slope_that_may_be_nothing_is_no_finding():
    said, number = difficulty(trends(low=-0.1))
    assert said == "No effect of difficulty is shown."
    assert "interval 1.0 earlier to 6.0 later" in number


def test_nothing_is_said_where_no_trend_is_known():
    assert difficulty(trends(reason=ONE_RUN)) == ("", "")
