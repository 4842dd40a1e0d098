"""What the pages say of a number."""

import math

import pandas as pd
import pytest

from core.analysis.first_forgotten import first_forgotten
from core.study import StudyConfig
from core.wording import findings, pair_findings
from core.wording.published import FIRST_DROP, published
from tests.toys import toy_config


def summary(**columns) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "class_name": ["Hernia", "Mass", "Edema", "Rare"],
            "n_positive": [40, 200, 30, 3],
            "first_drop_sparsity": [0.7, 0.6, None, 0.2],
            "first_drop_interpolated": [0.66, 0.58, None, 0.15],
            "first_drop_censored": [False, False, True, False],
            "relative_ap_change_at_95": [-0.9, -0.5, -0.1, -0.9],
            "q_value": [0.01, 0.2, 0.9, 0.01],
            "unstable": [False, False, False, True],
            "n_runs": 30,
        }
    )
    return table.assign(**columns)


def curves(n_runs: int = 30) -> pd.DataFrame:
    """Forgettability of the classes at the grid point of their first drop."""
    low, high = ([-0.4, -0.3, -0.9], [-0.21, -0.1, 0.3]) if n_runs > 1 else (math.nan, math.nan)
    return pd.DataFrame(
        {
            "class_name": ["Hernia", "Mass", "Rare"],
            "sparsity": [0.7, 0.6, 0.2],
            "relative_ap_change": [-0.3, -0.22, -0.5],
            "ci_low": low,
            "ci_high": high,
            "n_runs": n_runs,
        }
    )


def test_the_first_forgotten_are_told_with_positives_interval_and_who_is_left_out():
    found = first_forgotten(summary(), curves(), corrected=True)
    assert [one.class_name for one in found.first] == ["Mass", "Hernia"]
    assert (found.n_significant, found.n_tested, found.n_never, found.n_judged) == (1, 3, 1, 3)
    text = findings.forgotten_first(found, "ap", True)
    assert text.startswith("Forgotten first: Mass (58 %) and Hernia (66 %)")
    assert findings.first_in_detail(found, "ap")[0] == (
        "Mass: 200 test positives; AP \u221222 % at 60 % sparsity, "
        "95 % interval over 30 runs \u221230 % to \u221210 %"
    )
    assert findings.left_out(found) == (
        "Not judged, seen in fewer than 10 patients of the test set: Rare (3 images). "
        "By the curve alone Rare (15 %) would be named as well."
    )
    said = findings.evidence(found, "ap")
    assert "The interval of Mass reaches above \u221220 %: the drop may come later." in said
    assert "1 of 3 classes with q < 0.05 over 30 runs" in said
    assert "narrower" not in said
    assert "1 class never fell by a fifth." in said
    running = findings.evidence(found, "ap", finished=False)
    assert running.startswith("1 class did not fall by a fifth so far. The study is not finished")
    assert "never" not in running


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
            "plain_term": list(pair_findings.TERMS),
            "coefficient": [0.1, frequency, 0.1, both],
            "permutation_p": [0.01] * 4,
            "ols_p": [0.01] * 4,
        }
    )
    said = pair_findings.interaction(rows)
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
    assert pair_findings.pair_in_short(row) == short
    assert pair_findings.pair_title("Edema", "Mass", row) == f"Edema and Mass: {short}"


def test_a_pair_is_told_with_interval_null_and_over_what():
    said = pair_findings.pair_apart(pair(), n_runs=3)
    assert "Edema minus Mass: +9.5 %" in said
    assert "95 % interval over runs and patients +6.0 % to +13.1 %; no difference is 0" in said
    assert "over patients +6.0 %" in pair_findings.pair_apart(pair(), n_runs=1)
    assert "Not judged" in pair_findings.pair_apart(pair(fcd_corrected=math.nan), 3)


def test_the_title_of_the_map_counts_the_pairs_that_are_told_apart():
    assert pair_findings.pairs_apart(2, 153) == "2 of 153 pairs of classes are told apart"
    assert pair_findings.pairs_apart(1, 153) == "1 of 153 pairs of classes is told apart"
    assert pair_findings.pairs_apart(0, 153) == "None of 153 pairs of classes is told apart"
    assert pair_findings.pairs_apart(0, 0) == "No pair of classes can be judged"
    assert "Blank: 37 pairs" in pair_findings.pairs_caption(153, 190, 19, 3)
    assert "Blank" not in pair_findings.pairs_caption(190, 190, 19, 3)
    assert "one run: nothing of other trainings" in pair_findings.pairs_caption(190, 190, 19, 1)


def test_forgotten_first_has_one_meaning_and_other_first_drops_another_name():
    corrected = first_forgotten(summary(), curves(), corrected=True)
    paper = first_forgotten(summary(), curves(), corrected=False)
    assert [one.sparsity for one in paper.first] == [0.6, 0.7]
    for found, metric, reading in ((paper, "ap", False), (corrected, "auroc", True)):
        assert not findings.forgotten_first(found, metric, reading).startswith("Forgotten first")
        assert "Forgotten first" in findings.another_first(metric, reading)
    assert findings.another_first("ap", True) == ""


def test_each_number_of_runs_is_that_of_its_own_sparsity():
    """Thirty runs are finished at the first drops, and two of them at 95 % as well."""
    found = first_forgotten(summary(n_runs=2), curves(), corrected=True)
    said = findings.evidence(found, "ap")
    assert "1 of 3 classes with q < 0.05 over 2 runs. So few runs find only large" in said
    assert "narrower" not in said
    assert "over 30 runs" in findings.first_in_detail(found, "ap")[0]
    dense_only = curves().assign(n_runs=[2, 2, 2])
    found = first_forgotten(summary(n_runs=2), dense_only, corrected=True)
    assert "Intervals over 2 runs are narrower" in findings.evidence(found, "ap")


def test_where_no_change_is_tested_the_reason_is_a_true_one():
    unfinished = first_forgotten(summary(q_value=None, n_runs=0), curves(), corrected=True)
    assert "not on this study's grid, or not finished" in findings.evidence(unfinished, "ap")
    rare = first_forgotten(summary(unstable=True), curves(), corrected=True)
    assert "95 %" not in findings.evidence(rare, "ap")


def test_who_is_left_out_would_be_named_where_the_curve_says_so_and_only_there():
    names = ["A", "B", "C", "Late"]
    table = summary(
        class_name=names, unstable=[False] * 3 + [True],
        first_drop_interpolated=[0.5, 0.6, 0.7, 0.8],
    )  # fmt: skip
    assert first_forgotten(table, curves(), corrected=True).as_early == ()
    none_falls = summary(first_drop_interpolated=[None, None, None, 0.15])
    found = first_forgotten(none_falls, curves(), corrected=True)
    assert found.first == ()
    assert findings.left_out(found).endswith("By the curve alone Rare (15 %) would be named.")


def test_a_subgroups_first_drops_are_not_called_forgotten_first():
    found = first_forgotten(summary(), curves(), corrected=True)
    said = findings.forgotten_first(found, "ap", True, of_subgroup=True)
    assert said.startswith("First drops of AP in this subgroup: Mass")
    assert "on all test images" in findings.another_first("ap", True, of_subgroup=True)


def test_classes_that_drop_at_one_sparsity_are_all_named():
    """The third and the fourth of these are told alike, so neither is before the other."""
    drops = [0.5, 0.6, 0.704, 0.699, 0.9]
    names = ["A", "B", "C", "D", "E"]
    rows = pd.concat([summary().iloc[[0]]] * 5, ignore_index=True)
    tied = rows.assign(class_name=names, first_drop_interpolated=drops)
    found = first_forgotten(tied, curves(), corrected=True)
    assert [one.class_name for one in found.first] == ["A", "B", "D", "C"]
    text = findings.forgotten_first(found, "ap", True)
    assert "A (50 %), B (60 %), D and C (both 70 %) \u2013" in text


def test_one_run_carries_nothing():
    found = first_forgotten(summary(q_value=None), curves(n_runs=1), corrected=True)
    assert "One run: nothing says" in findings.evidence(found, "ap")
    assert "so no interval" in findings.first_in_detail(found, "ap")[0]


def test_intervals_over_a_handful_of_runs_are_not_believed():
    found = first_forgotten(summary(n_runs=3), curves(n_runs=3), corrected=True)
    said = findings.evidence(found, "ap")
    assert "Intervals over 3 runs are narrower than they claim" in said
    assert "So few runs find only large changes" in said


def test_classes_that_never_drop_are_a_finding():
    none = summary(first_drop_interpolated=math.nan, first_drop_sparsity=math.nan)
    found = first_forgotten(none, curves(), corrected=True)
    assert "No class with enough patients falls" in findings.forgotten_first(found, "ap", True)


def test_where_every_class_is_rare_no_class_is_named():
    found = first_forgotten(summary(unstable=True), curves(), corrected=True)
    assert "No class has the 10 patients in the test set" in findings.forgotten_first(
        found, "ap", True
    )
    assert "4 more" not in findings.left_out(found)


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
