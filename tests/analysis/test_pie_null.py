"""Dense models compared with each other: what PIEs hold more of when nothing is pruned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from statsmodels.stats.contingency_tables import StratifiedTable

from core.analysis import pie_excess, pie_null
from core.analysis.pie import Pies
from core.analysis.pie_carried import CLAIM, MANY_FINDINGS, NOISE, RARE, all_carried
from core.analysis.pie_definitions import AgreementZ, ModalExcess
from core.analysis.pie_excess import EXCESS, Carried, PieExcess
from core.analysis.pie_lost import labels_lost
from core.analysis.pie_null import Draw, PairAgreements, pair_agreements, pairs_of_runs
from core.analysis.pie_quality_excess import BADNESS, PieQualityExcess, badness
from core.analysis.pie_surrogate import exchanged, exchanges
from core.analysis.ranks import ranks
from core.charts.composition import class_ratio_chart
from core.wording import pie_sentences


def models(n_runs=3, n_images=60, n_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((2, n_runs, n_images, n_classes)).astype(np.float32)


def test_pairs_are_spearman_of_single_models_of_different_runs():
    dense, pruned = models()
    found = pair_agreements(dense, pruned, pairs_of_runs(3))
    for at, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        for image in (0, 7, 59):
            null = spearmanr(dense[a, image], dense[b, image]).statistic
            cross = [
                spearmanr(dense[one, image], pruned[other, image]).statistic
                for one, other in ((a, b), (b, a))
            ]
            assert found.null[at, image] == pytest.approx(null, abs=1e-6)
            assert found.cross[at, image] == pytest.approx(np.mean(cross), abs=1e-6)


@pytest.mark.parametrize("n_runs", [1, 2, 3, 10, 11, 30, 60])
def test_pairs_are_different_and_runs_occur_about_equally_often(n_runs):
    pairs = pairs_of_runs(n_runs)
    assert len({tuple(pair) for pair in pairs}) == len(pairs) == min(45, n_runs * (n_runs - 1) // 2)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    if n_runs > 1:
        assert np.ptp(np.bincount(pairs.ravel(), minlength=n_runs)) <= 2


def test_an_image_whose_ranks_are_all_tied_is_never_a_pie():
    dense, pruned = models()
    dense[0, 4] = 0.5
    found = pair_agreements(dense, pruned, pairs_of_runs(3))
    assert (found.null[:2, 4] == 1).all()


def test_ranks_within_class_do_not_move_with_a_class():
    """The null control of beyond.md: logit adjustment, or any change common to a class."""
    rng = np.random.default_rng(0)
    truth = (rng.random((300, 4)) < [0.5, 0.2, 0.1, 0.02]).astype(np.float32)
    logits = rng.normal(size=(300, 4)) + truth
    moved = 2 * logits + [3, -1, 0, -4]
    one, other = (ranks(truth, 1 / (1 + np.exp(-x))) for x in (logits, moved))
    assert np.allclose(one, other)


def test_the_first_draw_has_the_pies_of_the_definition():
    values = np.random.default_rng(1).random((3, 100)).astype(np.float32)
    draw = next(pie_null.pigeonhole_draws(3, pairs_of_runs(3), np.arange(100)))
    found = pie_null.drawn_pies(values, draw)[0]
    expected = Pies().of_agreement(pd.Series(range(100)), values.mean(axis=0))["is_pie"]
    assert (found == expected).all()


def test_drawn_images_are_repeated_images():
    values = np.random.default_rng(2).random((2, 80)).astype(np.float32)
    counts = np.random.default_rng(3).integers(0, 4, 80)
    draw = Draw(np.array([[0.25, 0.75]]), counts[None].astype(float))
    found = pie_null.drawn_pies(values, draw)[0]
    mean = np.repeat(0.25 * values[0] + 0.75 * values[1], counts)
    lowest = np.argsort(mean, kind="stable")[: int(0.05 * counts.sum())]
    repeated = np.repeat(np.arange(80), counts)[lowest]
    assert (found == np.bincount(repeated, minlength=80)).all()


def test_draws_weigh_pairs_by_the_product_of_their_runs_and_images_by_their_patient():
    patients = np.repeat(np.arange(20), 3)
    pairs = pairs_of_runs(4)
    draws = list(pie_null.pigeonhole_draws(4, pairs, patients, draws=60))
    assert sum(len(draw.of_images) for draw in draws) == 61
    for draw in draws[1:]:
        assert np.allclose(draw.of_pairs.sum(axis=1), 1)
        assert (draw.of_images[:, ::3] == draw.of_images[:, 2::3]).all()
        assert (draw.of_images[:, ::3].sum(axis=1) == 20).all()


def excess_of(agreement, carried, n_runs=3, draws=20):
    """Of agreements that are the same for all pairs: (images,) cross and null."""
    cross, null = (np.tile(one, (3, 1)).astype(np.float32) for one in agreement)
    patients = np.arange(cross.shape[1])
    return PieExcess(draws=draws)(n_runs, PairAgreements(null, cross), [], patients, carried)


def test_ratios_are_shares_and_stratified_ones_mantel_and_haenszels(monkeypatch):
    rng = np.random.default_rng(4)
    n = 400
    strata = rng.integers(-1, 3, n)
    positive = rng.random(n) < 0.3 + 0.1 * strata
    cross, null = rng.random((2, n)) - 0.2 * positive
    carried = [
        Carried("class", "plain", positive, np.zeros(n, int)),
        Carried("class", "strata", positive, strata),
    ]
    monkeypatch.setattr(pie_excess, "ADDED", 1e-12)
    table = excess_of((cross, null), carried)
    for side, values in (("pruned", cross), ("dense", null)):
        pie = np.zeros(n, bool)
        pie[np.argsort(values)[:20]] = True
        plain, stratified = table[f"{side}_ratio"]
        assert plain == pytest.approx(positive[pie].mean() / positive[~pie].mean())
        tables = [
            [[(m & pie & positive).sum(), (m & pie & ~positive).sum()],
             [(m & ~pie & positive).sum(), (m & ~pie & ~positive).sum()]]
            for m in (strata == 0, strata == 1, strata == 2)
        ]  # fmt: skip
        pooled = StratifiedTable(np.array(tables, float).transpose(1, 2, 0)).riskratio_pooled
        assert stratified == pytest.approx(pooled)
        assert table.loc[0, f"n_{side}"] == (pie & positive).sum()
        assert table.loc[1, f"n_{side}"] == (pie & positive & (strata >= 0)).sum()
    assert table["ratio_of_ratios"].to_numpy() == pytest.approx(
        (table["pruned_ratio"] / table["dense_ratio"]).to_numpy()
    )


def test_half_a_pie_is_added_and_a_count_of_none_is_no_certainty():
    n = 200
    positive = np.arange(n) >= 150  # on none of the ten PIEs
    table = excess_of((np.arange(n), np.arange(n)), [Carried("c", "c", positive, np.zeros(n, int))])
    row = table.iloc[0]
    assert row["n_pruned"] == row["n_dense"] == 0
    assert row["pruned_ratio"] == pytest.approx(0.5 / (50 * 10 / 200 + 0.5))
    assert row["ratio_of_ratios"] == 1
    assert row["ror_ci_high"] > 40
    assert row["ror_ci_low"] < 1 / 40


def test_where_nothing_is_pruned_the_ratio_of_ratios_is_1():
    dense, _ = models(n_images=400)
    found = pair_agreements(dense, dense, pairs_of_runs(3))
    positive = np.random.default_rng(5).random(400) < 0.3
    carried = [Carried("class", "c", positive, np.zeros(400, int))]
    row = PieExcess(draws=50)(3, found, [], np.arange(400), carried).iloc[0]
    assert row["ratio_of_ratios"] == pytest.approx(1)
    assert row["ror_ci_low"] == pytest.approx(1)
    assert row["ror_p"] == pytest.approx(1)


@pytest.mark.parametrize("n_runs", [1, 2])
def test_below_three_runs_nothing_is_told(n_runs):
    dense, pruned = models(n_runs)
    found = pair_agreements(dense, pruned, pairs_of_runs(n_runs))
    carried = [Carried("class", "c", np.arange(60) < 20, np.zeros(60, int))]
    table = PieExcess()(n_runs, found, [], np.arange(60), carried)
    assert table[[*EXCESS, "n_pruned"]].isna().all(axis=None)
    measures = pd.DataFrame({"image_id": range(60), "blur": range(60)})
    quality = PieQualityExcess()(n_runs, found, np.arange(60), measures)
    assert quality.drop(columns="measure").isna().all(axis=None)


def test_exchanged_images_keep_their_labels_and_a_class_keeps_its_values():
    rng = np.random.default_rng(6)
    truth = rng.choice([0.0, 1.0, np.nan], (50, 3))
    values = rng.random((2, 50, 3))
    for order in exchanges(truth, times=2):
        assert np.array_equal(np.take_along_axis(truth, order, axis=0), truth, equal_nan=True)
        mixed = exchanged(values, order)
        assert np.allclose(np.sort(mixed, axis=1), np.sort(values, axis=1))
        assert not np.allclose(mixed, values)


def test_what_is_counted():
    rows = pd.DataFrame(
        {"patient_id": list("abcd"), "Mass": [1, 1, 0, 0], "Hernia": [0, 1, 0, pd.NA],
         "No Finding": [0, 0, 1, 1], "wrong_labels": ["", "Mass", None, "Hernia"]}
    ).astype({"Hernia": "Int8"})  # fmt: skip
    carried = {c.name: c for c in all_carried(rows, ("Mass", "Hernia", "No Finding"), ["Hernia"])}
    assert "No Finding" not in carried
    assert carried["Hernia"].strata.tolist() == [0, 0, 0, -1]
    assert carried[RARE].positive.tolist() == [False, True, False, False]
    assert carried[RARE].strata.tolist() == [1, 2, -1, -1]
    assert carried[MANY_FINDINGS].of_labels
    assert carried[NOISE].positive.tolist() == [False, True, False, True]
    assert carried[NOISE].strata.tolist() == [1, 2, 0, 0]
    assert carried[NOISE].kind == CLAIM


def test_labels_lost_are_counted_over_ordered_pairs():
    truth = np.array([[1.0], [1.0], [0.0]])
    dense = np.array([[[0.95], [0.95], [0.0]], [[0.95], [0.1], [0.0]]])
    pruned = np.array([[[0.1], [0.1], [0.0]], [[0.95], [0.1], [1.0]]])
    found = labels_lost(truth, dense, pruned, 0.9)
    assert (found.n_labels, found.found) == (2, 1.5)
    assert found.lost_dense == pytest.approx((1 / 2 + 0) / 2)
    assert found.lost_pruned == pytest.approx((1 / 2 + 1) / 2)
    assert np.isnan(labels_lost(truth, dense[:1], pruned[:1], 0.9).lost_dense)


def test_two_runs_have_no_z():
    dense, pruned = models(2)
    assert np.isnan(AgreementZ()(dense, pruned)).all()
    assert np.isfinite(AgreementZ()(*models(3))).all()


def test_modal_excess_is_0_where_nothing_is_pruned_and_counts_what_pruning_adds():
    dense, _ = models(4)
    limits = np.full(5, 0.5)
    assert (ModalExcess()(dense, dense, limits) == 0).all()
    sure = np.full((4, 6, 5), 0.9)
    changed = sure.copy()
    changed[:, 2, :3] = 0.1
    assert ModalExcess()(sure, changed, limits).tolist() == [0, 0, 3, 0, 0, 0]
    assert np.isnan(ModalExcess()(dense, dense, None)).all()
    assert np.isnan(ModalExcess()(dense[:1], dense[:1], limits)).all()


def test_badness_is_high_where_an_image_is_blurred_flat_or_badly_exposed():
    measures = pd.DataFrame(
        {"image_id": range(5), "blur": [0.1, 0.2, 0.3, 0.4, 0.9],
         "contrast": [0.5, 0.4, 0.3, 0.2, 0.1], "entropy": [5, 4, 3, 2, 1],
         "black_share": [0, 0.1, 0.2, 0.3, 0.4], "white_share": [0, 0.1, 0.2, 0.3, 0.4],
         "brightness": [0.5, 0.45, 0.6, 0.3, 0.9]}
    )  # fmt: skip
    assert badness(measures).is_monotonic_increasing
    measures.loc[2, "blur"] = np.nan
    assert badness(measures).isna().tolist() == [False, False, True, False, False]


def test_quality_that_only_pruning_sets_apart_is_found():
    rng = np.random.default_rng(7)
    n = 600
    blur, brightness = rng.normal(size=(2, n))
    cross, null = rng.normal(size=(2, 3, n)) * 0.2
    found = PairAgreements(null - brightness, cross - blur - brightness)
    measures = pd.DataFrame({"image_id": range(n), "blur": blur, "brightness": brightness})
    table = PieQualityExcess(draws=100)(3, found, np.arange(n), measures).set_index("measure")
    assert table.loc["blur", "dod_ci_low"] > 0.2
    assert table.loc["brightness", "dense_difference"] > 0.5
    assert table.loc["brightness", "difference_of_differences"] < 0.1
    assert BADNESS not in table.index


def ratio_rows(**changed):
    row = {
        "class_name": "Hernia", "ratio": 10.9, "ci_low": 3.0, "ci_high": 20.0, "n_pie_positive": 4,
        "n_positive": 30, "unstable": False, "pruned_ratio": 4.0, "pruned_ci_low": 2.0,
        "pruned_ci_high": 8.0, "dense_ratio": 1.1, "ratio_of_ratios": 3.6, "ror_ci_low": 1.5,
        "ror_ci_high": 8.0, "ror_p": 0.01, "ror_q": 0.02, "n_pruned": 12, "n_dense": 3,
    }  # fmt: skip
    return pd.DataFrame([row | changed])


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        (
            {},
            "PIEs carry Hernia 4.0 times as often as other images (n = 12 PIEs); 1.1 times when "
            "nothing is pruned",
        ),
        (
            {"dense_ratio": 3.9, "ror_ci_low": 0.5},
            "PIEs carry Hernia 4.0 times as often as other images (n = 12 PIEs); 3.9 times when "
            "nothing is pruned",
        ),
        ({"pruned_ci_low": 0.9}, "PIEs carry nothing clearly more often than other images"),
        ({"unstable": True}, "PIEs carry nothing clearly more often than other images"),
        (
            {"dense_ratio": np.nan},
            "PIEs carry Hernia 10.9 times as often as other images (n = 4 PIEs), not compared with "
            "dense models",
        ),
    ],
)
def test_a_title_says_n_and_how_often_it_is_when_nothing_is_pruned(changed, title):
    assert class_ratio_chart(ratio_rows(**changed), {"Hernia": "tail"}).title == title


def test_lost_labels_are_said_beside_those_that_training_again_would_lose():
    row = {"pruned_ratio": 0.62, "dense_ratio": 0.031, "n_images": 2913, "n_positive": 2716}
    assert pie_sentences.labels_lost(row) == (
        "Of the 2,716 labels that a dense model finds by rank (of 2,913), a pruned model of "
        "another run loses 62 %; another dense model loses 3.1 %: training again would lose these "
        "too."
    )
