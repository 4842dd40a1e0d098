"""What the pages say of a number."""

import pandas as pd
import pytest

from core.study import StudyConfig
from core.wording import findings
from core.wording.published import FIRST_DROP, published
from tests.toys import toy_config


@pytest.mark.parametrize(
    ("frequency", "both", "told"),
    [
        (0.25, -0.5, ("+0.250 of FCD, RMS", "\u22120.500 per unit")),
        (-0.25, 0.5, ("\u22120.250 of FCD, RMS", "+0.500 per unit")),
        (0.0001, -0.0001, ("with 0.000 of FCD, RMS", ": 0.000 per unit")),
    ],
)
def test_coefficients_carry_their_sign_and_a_proper_minus(frequency, both, told):
    rows = pd.DataFrame(
        {
            "plain_term": list(findings.TERMS),
            "coefficient": [0.1, frequency, 0.1, both],
            "permutation_p": [0.01] * 4,
            "ols_p": [0.01] * 4,
        }
    )
    said = findings.interaction(rows, corrected=True)
    for part in told:
        assert part in said
    assert "-" not in said.replace("e-fold", "")


@pytest.mark.parametrize(
    ("p", "corrected_p", "corrected", "expected"),
    [(0.01, 0.2, True, "No clear"), (0.01, 0.2, False, "rises"), (None, None, True, "No clear")],
)
def test_a_relation_is_claimed_only_where_its_reading_carries_it(
    p, corrected_p, corrected, expected
):
    row = {"pearson_r": 0.5, "spearman_rho": 0.4, "pearson_p": p, "permutation_p": corrected_p}
    assert findings.relation(row, corrected, "rises", "falls").startswith(expected)


def test_published_figures_stand_beside_the_papers_datasets_only():
    assert published(toy_config()) == {}
    raw = toy_config().model_dump(mode="json")
    raw["dataset"] = {"kind": "cxr-lt", "name": "mimic-cxr-lt", "images": "i", "labels": "l"}
    assert published(StudyConfig.model_validate(raw))[FIRST_DROP].rho == 0.93
