"""What the pages say of a number."""

import pandas as pd
import pytest

from core.analysis.first_forgotten import first_forgotten
from core.study import StudyConfig
from core.wording import findings
from core.wording.published import FIRST_DROP, published
from tests.toys import toy_config


def summary(**columns) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "class_name": ["Hernia", "Mass", "Edema", "Rare"],
            "first_drop_sparsity": [0.7, 0.6, None, 0.2],
            "first_drop_interpolated": [0.66, 0.58, None, 0.15],
            "first_drop_censored": [False, False, True, False],
            "relative_ap_change_at_95": [-0.9, -0.5, -0.1, -0.9],
            "q_value": [0.01, 0.2, 0.9, 0.01],
            "n_runs": 30,
            "unstable": [False, False, False, True],
        }
    )
    return table.assign(**columns)


def test_the_first_forgotten_leave_out_the_unstable():
    found = first_forgotten(summary(), corrected=True)
    assert found.class_names == ("Mass", "Hernia")
    assert (found.n_significant, found.n_tested, found.n_never, found.n_unstable) == (1, 3, 1, 1)
    text = findings.forgotten_first(found, "ap", True)
    assert text.startswith("Forgotten first: Mass (58.0 %) and Hernia (66.0 %)")
    assert "1 of 3 classes with q < 0.05 over 30 runs" in findings.evidence(found, "ap")
    assert first_forgotten(summary(), corrected=False).sparsities == (0.6, 0.7)


def test_one_run_carries_nothing():
    found = first_forgotten(summary(n_runs=1, q_value=None), corrected=True)
    assert findings.evidence(found, "ap").startswith("One run: nothing says")


def test_classes_that_never_drop_are_a_finding():
    none = summary(first_drop_interpolated=None, first_drop_sparsity=None)
    found = first_forgotten(none, corrected=True)
    assert "No class with enough positives falls" in findings.forgotten_first(found, "ap", True)


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
