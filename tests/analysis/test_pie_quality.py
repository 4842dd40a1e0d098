"""Whether PIEs are worse images, or richer in wrong labels: on toys, and on known simulations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from core.analysis.claims import CORRECTED, NOISE, Claim
from core.analysis.pie_composition import PieClassRatio
from core.analysis.pie_label_noise import PieLabelNoise, labels_record_noise
from core.analysis.pie_quality import PieQuality, rank_biserial
from core.charts.composition import class_ratio_chart, label_noise_chart, quality_chart
from core.study.labels import Labels
from core.wording import pie_sentences


def frames(is_pie, patients, **measures):
    ids = [f"i{number}" for number in range(len(is_pie))]
    pies = pd.DataFrame({"image_id": ids, "is_pie": is_pie})
    rows = pd.DataFrame({"image_id": ids, "patient_id": patients})
    return pies, rows, pd.DataFrame({"image_id": ids, **measures})


def test_all_pies_above_is_1_all_below_is_minus_1_and_ties_are_0():
    is_pie = np.array([True, True, False, False])
    for values, expected in (([3, 4, 1, 2], 1), ([1, 2, 3, 4], -1), ([5, 5, 5, 5], 0)):
        assert rank_biserial(np.array(values, float), is_pie, np.ones((1, 4))) == expected


def test_it_is_the_mann_whitney_u_rescaled_and_weights_are_repetitions():
    rng = np.random.default_rng(0)
    values, is_pie = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.3
    found = rank_biserial(values, is_pie, np.ones((1, 60)))[0]
    u = scipy.stats.mannwhitneyu(values[is_pie], values[~is_pie]).statistic
    assert found == pytest.approx(2 * u / (is_pie.sum() * (~is_pie).sum()) - 1)
    weights = rng.integers(0, 4, 60)
    repeated = rank_biserial(
        np.repeat(values, weights), np.repeat(is_pie, weights), np.ones((1, weights.sum()))
    )
    assert rank_biserial(values, is_pie, weights[None]) == pytest.approx(repeated)


def test_a_difference_is_found_and_its_absence_is_not():
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(300), 2)
    is_pie = rng.random(600) < 0.1
    worse = rng.normal(size=600) + is_pie
    table = PieQuality(draws=300)(*frames(is_pie, patients, worse=worse, same=rng.normal(size=600)))
    rows = table.set_index("measure")
    assert rows.loc["worse", "ci_low"] > 0.2
    assert rows.loc["worse", "q"] < 0.001
    assert rows.loc["same", "ci_low"] < 0 < rows.loc["same", "ci_high"]
    assert pie_sentences.image_quality(table, {"worse": "Blur"}) == (
        f"PIEs have higher blur than other images (n = {is_pie.sum()} PIEs)"
    )
    chart = quality_chart(table, {"worse": "Blur", "same": "Contrast"}, "title")
    assert f"n = {is_pie.sum()} PIEs" in chart.caption


def test_the_rate_of_false_alarms_when_images_of_a_patient_are_alike():
    """Without patients as the unit far more than 5 % would be called different."""
    alarms = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(150), 4)
        is_pie = (rng.random(150) < 0.15)[patients]
        values = rng.normal(size=150)[patients] + 0.2 * rng.normal(size=600)
        table = PieQuality(draws=200)(*frames(is_pie, patients, value=values))
        alarms.append(table["p"][0] < 0.05)
    assert np.mean(alarms) < 0.17  # expected 0.05; 0.17 is beyond 4 standard errors


def test_missing_values_and_too_few_patients_give_no_interval():
    is_pie = np.array([True, True, False, False, False, False])
    values = [1.0, np.nan, 3, 4, 5, 6]
    (row,) = PieQuality(draws=20)(*frames(is_pie, list("aabcde"), value=values)).to_dict("records")
    assert (row["n_pie"], row["n_non_pie"], row["difference"]) == (1, 4, -1)
    assert np.isnan([row["ci_low"], row["ci_high"], row["p"], row["q"]]).all()
    nothing = PieQuality()(*frames(is_pie, list("aabcde"), value=[np.nan] * 6))
    assert nothing[["difference", "pie_median", "p"]].isna().all(axis=None)


def noisy(n_patients, pie_rate, other_rate, seed=0):
    rng = np.random.default_rng(seed)
    is_pie = rng.random(n_patients) < 0.2
    wrong = rng.random(n_patients) < np.where(is_pie, pie_rate, other_rate)
    finding = rng.random(n_patients) < 0.5
    pies, test, _ = frames(is_pie, np.arange(n_patients))
    test = test.assign(
        **{"Mass": finding.astype(int), "No Finding": (~finding).astype(int)},
        wrong_labels=np.where(wrong, "Mass", ""),
    )
    return pies, test, ("Mass", "No Finding")


def test_the_share_of_wrong_labels_is_counted():
    pies, test, names = noisy(400, 0.3, 0.1)
    table = PieLabelNoise(draws=300)(pies, test, names)
    assert list(table["images"]) == ["all", "with findings", "without findings"]
    row = table.iloc[0]
    is_pie, wrong = pies["is_pie"], test["wrong_labels"] != ""
    assert row["n_pie"] == is_pie.sum()
    assert row["n_pie_wrong"] == (is_pie & wrong).sum()
    assert row["ratio"] == pytest.approx(wrong[is_pie].mean() / wrong[~is_pie].mean())
    assert table.loc[1:, "n_pie"].sum() == row["n_pie"]
    assert row["ci_low"] > 1
    sentence = pie_sentences.label_noise(table, None)
    assert sentence.startswith("PIEs are richer in wrong labels: ")
    assert f"{row['n_pie_wrong']} of {row['n_pie']} PIEs" in sentence
    title = pie_sentences.label_noise_title(table)
    assert f"(n = {row['n_pie_wrong']} PIEs), not compared with dense models" in title
    assert label_noise_chart(table, title).title == title


def test_no_difference_in_noise_is_no_finding():
    sentence = pie_sentences.label_noise(PieLabelNoise(draws=300)(*noisy(400, 0.1, 0.1)), None)
    assert sentence.startswith("Whether PIEs are richer in wrong labels cannot be told")


@pytest.mark.parametrize(
    ("ci_low", "pruned_ci_low", "opens"),
    [
        (1.4, 0.2, "It is not shown that pruning is the reason: "),
        (0.8, 1.5, "It is not shown that pruning is the reason: "),
        (1.4, 1.5, "Pruning does it: "),
    ],
)
def test_pruning_does_it_only_where_the_claim_says_so(ci_low, pruned_ci_low, opens):
    """The ratio of ratios of all images lies above 1 in studies in which all classes are forgotten
    alike; the claim asks for both intervals among images with as many findings."""
    claim = Claim(
        NOISE, CORRECTED, "ratio", 3.4, ci_low, 8.6, 0.01, 400, 1.0, ((pruned_ci_low, 5.0),),
        detail={"pruned": 1.7},
    )  # fmt: skip
    table = PieLabelNoise(draws=300)(*noisy(400, 0.3, 0.1)).assign(
        pruned_ratio=0.7, pruned_ci_low=0.3, pruned_ci_high=1.5, dense_ratio=0.2,
        ratio_of_ratios=3.4, ror_ci_low=1.4, ror_ci_high=8.6, n_pruned=9,
    )  # fmt: skip
    said = pie_sentences.label_noise(table, claim)
    assert (
        f" {opens}among images with as many findings, single pruned models against dense ones give "
        "1.7 times, dense models against each other 0.5 times (ratio of ratios 3.4, 95 % "
    ) in said
    assert pie_sentences.label_noise_title(table) == (
        "PIEs are not clearly richer in wrong labels (n = 9 PIEs)"
    )


def test_wrong_labels_that_cannot_be_claimed_say_why():
    table = PieLabelNoise(draws=300)(*noisy(400, 0.3, 0.1))
    nan = np.nan
    claim = Claim(
        NOISE, CORRECTED, "ratio", nan, nan, nan, nan, 0, 1.0, ((nan, nan),),
        reason="fewer than 3 runs",
    )  # fmt: skip
    assert pie_sentences.label_noise(table, claim).endswith(
        "Whether pruning is the reason cannot be told: fewer than 3 runs."
    )


def test_no_wrong_label_among_pies_has_no_interval():
    table = PieLabelNoise(draws=50)(*noisy(100, 0.0, 0.3))
    assert table["ratio"][0] == 0
    assert table.loc[0, ["ci_low", "ci_high"]].isna().all()
    assert pie_sentences.label_noise(table, None).endswith("too few for an interval.")


def test_blank_and_missing_wrong_labels_are_none():
    pies, test, names = noisy(50, 0, 0)
    test["wrong_labels"] = [None, np.nan, " ", "", *["Mass"] * 46]
    assert (
        PieLabelNoise(draws=5)(pies, test, names).loc[0, ["n_pie_wrong", "n_non_pie_wrong"]].sum()
        == 46
    )


def test_only_labels_with_such_a_column_record_noise():
    table = pd.DataFrame(
        {"image_id": ["a"], "patient_id": ["p"], "path": ["a"], "split": ["test"], "Mass": [1]}
    )
    assert not labels_record_noise(Labels(table, ("Mass",)))
    assert labels_record_noise(Labels(table.assign(wrong_labels=""), ("Mass",)))


def test_a_class_on_no_pie_has_a_ratio_of_0_without_an_interval():
    pies, test, _ = noisy(100, 0, 0)
    test["Mass"] = (~pies["is_pie"]).astype(int)
    table = PieClassRatio(draws=20)(pies, test, ("Mass",))
    assert table["ratio"][0] == 0
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "On no PIE" in class_ratio_chart(table, {"Mass": "tail"}).caption.replace(
        "on no", "On no"
    )
