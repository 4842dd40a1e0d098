"""The second criterion of safe sparsity: decisions at the dense and at re-fixed thresholds."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.analysis.safe_operation import (
    OPERATING,
    SAFE_OPERATION,
    SafeOperation,
    beside_ranking,
    operating_answers,
)
from core.wording import safety_sentences

N = {"sensitivity": 400, "specificity": 4000}


def row(class_name, sparsity, threshold, sensitivity, specificity, n_patients=400):
    """A row of `operating_characteristics` with Wilson's intervals of 400 and 4,000 images."""
    rates = {"sensitivity": sensitivity, "specificity": specificity}
    found = {"class_name": class_name, "group": "head", "sparsity": sparsity}
    found |= {"threshold": threshold, "n_positive_patients": n_patients}
    for rate, value in rates.items():
        low, high = proportion_confint(value * N[rate], N[rate], method="wilson")
        found |= {rate: value, f"{rate}_ci_low": low, f"{rate}_ci_high": high}
    return found


def table(*rows):
    dense = [row(name, 0.0, "dense", 0.8, 0.9) for name in sorted({r["class_name"] for r in rows})]
    return pd.DataFrame([*dense, *rows])


def test_the_bound_is_movers_of_two_independent_proportions():
    """Newcombe's hybrid score interval, method 10 (Stat. Med. 1998), by statsmodels."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    found = SafeOperation()(table(row("A", 0.5, "dense", 0.75, 0.88))).iloc[0]
    for rate, now, then in (("sensitivity", 0.75, 0.8), ("specificity", 0.88, 0.9)):
        n = N[rate]
        low, _ = confint_proportions_2indep(now * n, n, then * n, n, method="newcomb")
        assert found[f"{rate}_change_low"] == pytest.approx(low, abs=1e-3)
        assert found[f"{rate}_change"] == pytest.approx(now - then)


def test_false_alarms_are_unsafe_at_the_dense_threshold_and_mended_by_a_new_one():
    """Somers' D need not change for this: the pruned model calls nearly every image."""
    given = table(
        row("A", 0.7, "dense", 1.0, 0.21),
        row("A", 0.7, "re-fixed", 0.8, 0.9),
        row("B", 0.7, "dense", 0.8, 0.9),
    )
    found = SafeOperation()(given)
    assert list(found.columns) == list(SAFE_OPERATION)
    verdict = found.set_index(["class_name", "threshold"])["verdict"]
    assert verdict["A", "dense"] == "unsafe"
    assert verdict["A", "re-fixed"] == "cannot tell"  # 400 positives are too few for 5 points
    wide = SafeOperation(margin_points=0.08)(given).set_index(["class_name", "threshold"])
    assert wide["verdict"]["A", "re-fixed"] == wide["verdict"]["B", "dense"] == "safe"


def test_too_few_patients_and_missing_points_are_not_judged():
    few = row("A", 0.5, "dense", 0.1, 0.1, n_patients=9)
    none = row("B", 0.5, "dense", np.nan, np.nan)
    found = SafeOperation()(table(few, none))
    assert not found["judged"].any()
    assert set(found["verdict"]) == {"cannot tell"}
    assert operating_answers(found) == {}
    assert safety_sentences.by_decisions({}) == [safety_sentences.NO_DECISIONS]


def test_unsafe_needs_every_higher_sparsity_too():
    given = table(row("A", 0.5, "dense", 0.3, 0.9), row("A", 0.9, "dense", 0.8, 0.9))
    assert "unsafe" not in set(SafeOperation()(given)["verdict"])


def test_re_fixed_goes_before_dense_in_the_table_of_safe_sparsity():
    given = table(
        row("A", 0.5, "dense", 0.5, 0.9),
        row("A", 0.5, "re-fixed", 0.7, 0.9),
        row("A", 0.9, "dense", 0.2, 0.9),
    )
    safe = pd.DataFrame({"class_name": ["A", "A", "C"], "sparsity": [0.5, 0.9, 0.5]})
    joined = beside_ranking(safe, SafeOperation()(given))
    assert list(joined.columns) == ["class_name", "sparsity", *OPERATING]
    assert joined["operating_threshold"].tolist()[:2] == ["re-fixed", "dense"]
    assert joined["sensitivity_change"].tolist()[:2] == pytest.approx([-0.1, -0.6])
    assert joined.iloc[2][OPERATING.names].isna().all()
    nothing = beside_ranking(safe, SafeOperation()(given.iloc[:0]))
    assert nothing[OPERATING.names].isna().all(axis=None)


def test_the_answer_names_the_first_class_and_both_changes():
    given = table(
        *(row(name, 0.5, "dense", 0.8, 0.9) for name in "AB"),
        row("A", 0.7, "dense", 0.99, 0.2),
        row("B", 0.7, "dense", 0.8, 0.9),
    )
    operation = SafeOperation(margin_points=0.08)(given)
    answer = operating_answers(operation)["dense"]
    assert (answer.n_classes, answer.safe_up_to, answer.first["class_name"]) == (2, 0.5, "A")
    assert (answer.first_unsafe["sparsity"], answer.n_unsafe) == (0.7, 1)
    sentence = safety_sentences.by_decisions({"dense": answer})[0]
    assert "dense model\u2019s thresholds" in sentence
    assert "at every sparsity tried up to 50 %; by 70 % (between 50 and 70 %" in sentence
    assert "nothing was tried) A does not." in sentence
    assert "Shown to be unsafe: 1 of 2, first A, from 70 % on" in sentence
    assert "specificity \u221270.0 points" in sentence


@pytest.mark.parametrize(
    ("repetitions", "most"),
    [pytest.param(40, 0.15, id="few"), pytest.param(300, 0.05, id="many", marks=pytest.mark.slow)],
)
def test_at_the_margin_safe_and_unsafe_are_rare_errors(repetitions, most):
    """20 classes that truly lose 5 points of sensitivity, drawn on the same images as dense."""
    called = {"safe": [], "unsafe": []}
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        level = rng.random((20, 400))  # the same patients in both models
        rows = []
        for name, patients in enumerate(level):
            found, kept = (patients < 0.8).mean(), (patients < 0.75).mean()
            rows += [row(f"C{name:02d}", 0.0, "dense", found, 0.9)]
            rows += [row(f"C{name:02d}", 0.5, "dense", kept, 0.9)]
        verdict = SafeOperation()(pd.DataFrame(rows))["verdict"]
        called["safe"].append((verdict == "safe").mean())
        called["unsafe"].append((verdict == "unsafe").any())
    assert np.mean(called["safe"]) <= most
    assert np.mean(called["unsafe"]) <= most
