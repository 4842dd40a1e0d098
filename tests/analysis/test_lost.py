"""When a finding of an image counts as lost, and what is said of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from core.analysis.image_curves import (
    SUMMARY,
    FindingFate,
    changed_runs,
    curves_table,
    finding_fates,
    over_runs,
)
from core.analysis.lost import (
    CHANGED,
    RANK,
    changed_findings,
    lost_at_sparsity,
    lost_labels,
    raised_at_sparsity,
)
from core.analysis.operating_points import operating_point
from core.analysis.ranks import ranks
from core.wording import image_sentences

NAMES = ("Mass", "Hernia", "Edema", "Nodule", "Effusion")
POINT = 0.5
GRID = [0.0, 0.5, 0.9]
# One image: falls and stays; dips and recovers; below when dense; stays above; has no point.
OVER_SPARSITY = np.array(
    [[0.9, 0.8, 0.3, 0.7, 0.9], [0.4, 0.3, 0.2, 0.6, 0.1], [0.2, 0.6, 0.1, 0.5, 0.1]], np.float32
)
POINTS = np.array([POINT] * 4 + [np.nan])


def falling(values: np.ndarray, grid: list[float]):
    return [(s, values[at]) for at, s in reversed(list(enumerate(grid)))]


def test_lost_is_from_where_on_it_stays_below_though_dense_reaches_it():
    lost = lost_at_sparsity(falling(OVER_SPARSITY[:, None], GRID), POINTS)
    assert lost[0, 0] == pytest.approx(0.5)
    assert np.isnan(lost[0, 1:]).all()


def test_the_operating_point_itself_counts_as_above():
    values = np.array([[[0.5]], [[0.5]]], np.float32)
    assert np.isnan(lost_at_sparsity(falling(values, [0.0, 0.9]), np.array([0.5]))).all()
    values[1] = np.nextafter(np.float32(0.5), np.float32(0))
    assert lost_at_sparsity(falling(values, [0.0, 0.9]), np.array([0.5])) == np.float32(0.9)


def test_a_dip_before_the_loss_does_not_make_it_earlier():
    values = np.array([0.9, 0.1, 0.9, 0.1, 0.1], np.float32).reshape(5, 1, 1)
    lost = lost_at_sparsity(falling(values, [0, 0.2, 0.4, 0.6, 0.8]), np.array([0.5]))
    assert lost == np.float32(0.6)


def test_it_agrees_with_the_definition_word_by_word():
    rng = np.random.default_rng(3)
    grid, values = [0.0, 0.3, 0.6, 0.9], rng.random((4, 50, 3)).astype(np.float32)
    points = np.array([0.3, 0.6, 0.9])
    lost = lost_at_sparsity(falling(values, grid), points)
    for image in range(50):
        for column, point in enumerate(points.astype(np.float32)):
            expected = np.nan
            if values[0, image, column] >= point:
                stays = [
                    s for at, s in enumerate(grid) if (values[at:, image, column] < point).all()
                ]
                expected = min(stays, default=np.nan)
            np.testing.assert_equal(lost[image, column], np.float32(expected))


def test_raised_is_from_where_on_it_is_called_though_dense_does_not_call_it():
    # Rises and stays; rises and falls back; called when dense; never called; has no point.
    values = np.array(
        [[0.1, 0.2, 0.9, 0.3, 0.1], [0.6, 0.7, 0.9, 0.4, 0.9], [0.5, 0.4, 0.9, 0.4, 0.9]],
        np.float32,
    )
    raised = raised_at_sparsity(falling(values[:, None], GRID), POINTS)
    assert raised[0, 0] == pytest.approx(0.5), "to reach the point is to be called"
    assert np.isnan(raised[0, 1:]).all()


@given(arrays(np.float32, (4, 6, 2), elements=st.floats(0, 1, width=32)))
def test_raised_is_the_mirror_of_lost(values):
    """With probabilities and points turned round, and no probability at a point, they swap."""
    grid, points = [0.0, 0.3, 0.6, 0.9], np.array([0.3, 0.6])
    values = np.where(values == points.astype(np.float32), np.float32(0.1), values)
    turned = raised_at_sparsity(falling(-values, grid), -points)
    np.testing.assert_array_equal(lost_at_sparsity(falling(values, grid), points), turned)


@given(arrays(np.float32, (4, 6, 2), elements=st.floats(0, 1, width=32)))
def test_raised_agrees_with_the_definition_word_by_word(values):
    grid, points = [0.0, 0.3, 0.6, 0.9], np.array([0.3, 0.6])
    raised = raised_at_sparsity(falling(values, grid), points)
    for image, column in np.ndindex(6, 2):
        called = values[:, image, column] >= np.float32(points[column])
        stays = [s for at, s in enumerate(grid) if called[at:].all()]
        expected = np.nan if called[0] else min(stays, default=np.nan)
        np.testing.assert_equal(raised[image, column], np.float32(expected))


def test_the_long_table_of_raised_findings_leaves_out_who_has_or_may_have_them():
    truth, raised = np.array([[0, 1, np.nan]]), np.full((1, 3), 0.5, np.float32)
    changed, ids = {0.5: np.full((1, 3, 4), (1, 0, 2, 1))}, pd.Series(["a"])
    table = changed_findings("raised", ids, NAMES[:3], truth, raised, changed, {0.5: 3})
    assert table.to_dict("records") == [
        {
            "image_id": "a",
            "class_name": "Mass",
            "raised_by": "Operating point",
            "raised_at_sparsity": 0.5,
            "n_runs_raised": 1,
            "n_runs_lacked": 2,
            "n_runs": 3,
        }
    ]
    by_rank = changed_findings("raised", ids, NAMES[:3], truth, raised, None, {0.5: 3})
    assert by_rank["raised_by"].tolist() == ["Rank"]
    assert by_rank["n_runs_raised"].isna().all()


def test_sparsities_that_do_not_fall_to_dense_are_refused():
    values = np.zeros((2, 1, 1), np.float32)
    with pytest.raises(ValueError, match="must fall"):
        lost_at_sparsity([(0.5, values[0]), (0.9, values[1])], np.array([0.5]))
    with pytest.raises(ValueError, match="dense"):
        lost_at_sparsity([(0.5, values[0])], np.array([0.5]))


def test_of_an_image_only_labelled_classes_count_earliest_first():
    truth = np.array([[1, 1, 0], [1, 0, np.nan], [0, 0, 0]])
    lost = np.array([[0.9, 0.5, 0.1], [np.nan, 0.5, 0.5], [0.5, 0.5, 0.5]], np.float32)
    table = lost_labels(truth, lost, NAMES[:3])
    assert table["lost_at_sparsity"].fillna(-1).tolist() == [0.5, -1, -1]
    assert table["lost_classes"][0] == "Hernia|Mass"
    assert table["lost_classes"][1:].isna().all()


def test_the_long_table_counts_the_runs_where_it_is_lost():
    truth = np.array([[1.0, np.nan]])
    lost = np.array([[0.9, 0.5]], np.float32)
    of_mass = {0.5: (2, 0, 0, 0), 0.9: (3, 2, 1, 0)}  # CHANGED, at each sparsity
    of_hernia = {0.5: (1, 1, 1, 0), 0.9: (2, 1, 2, 1)}
    changed = {s: np.array([[of_mass[s], of_hernia[s]]]) for s in (0.5, 0.9)}
    ids = pd.Series(["a"])
    table = changed_findings(
        "lost", ids, ("Mass", "Hernia"), truth, lost, changed, {0.5: 2, 0.9: 4}
    )
    assert table["lost_at_sparsity"].tolist() == [0.9, 0.5]
    assert table["n_runs_lost"].tolist() == [2, 1]
    assert table["n_runs_had"].tolist() == [3, 1]
    assert table["n_runs"].tolist() == [4, 2]
    assert table["labelled"].tolist() == [True, pd.NA]
    assert set(table["lost_by"]) == {"Operating point"}
    by_rank = changed_findings("lost", ids, ("Mass", "Hernia"), truth, lost, None, {0.5: 2, 0.9: 4})
    assert set(by_rank["lost_by"]) == {"Rank"}
    assert by_rank[["n_runs_lost", "n_runs_had"]].isna().all(axis=None), "runs are not ranked"


def test_a_run_that_never_had_the_finding_does_not_lose_it():
    """Three runs of a finding with the point 0.5. The first loses it, the second never had it, the
    third keeps it, and a fourth has no dense prediction."""
    dense = [0.9, 0.2, 0.5, None]
    here = [0.1, 0.1, 0.6, 0.1]
    runs = np.array(here, np.float32).reshape(4, 1, 1)
    of_dense = [None if p is None else np.full((1, 1), p, np.float32) for p in dense]
    counts = changed_runs(runs, of_dense, np.array([0.5]))[0, 0]
    assert dict(zip(CHANGED, counts, strict=True)) == {
        "n_had": 2,
        "n_lost": 1,
        "n_lacked": 1,
        "n_raised": 0,
    }
    raised = changed_runs(1 - runs, of_dense, np.array([0.5]))[0, 0]
    assert raised.tolist() == [2, 1, 1, 1]
    assert np.isnan(changed_runs(runs, of_dense, np.array([np.nan]))).all()


def test_runs_are_summed_up_as_numpy_does():
    values = np.random.default_rng(0).random((7, 5, 3)).astype(np.float32)
    found = over_runs(values, np.array([0.5, 0.2, np.nan]))
    expected = np.quantile(values, [0.5, 0.25, 0.75], axis=0)
    for name, at in (("median", 0), ("lower", 1), ("upper", 2)):
        np.testing.assert_allclose(found[..., SUMMARY.index(name)], expected[at], atol=1e-6)
    np.testing.assert_allclose(found[..., 0], values.mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(found[:, 0, -1], (values[..., 0] < 0.5).sum(axis=0))
    assert np.isnan(found[:, 2, -1]).all()


def test_one_run_has_a_median_and_no_quartiles():
    summary = over_runs(np.full((1, 1, 1), 0.3, np.float32), np.array([0.5]))
    changed = np.zeros((1, 1, len(CHANGED)))
    table = curves_table(summary, np.array([[0.25]]), changed, [0.0], [1], ("Mass",))
    assert table["rank"].tolist() == [0.25]
    assert table["median"].tolist() == pytest.approx([0.3])
    assert table[["lower", "upper"]].isna().all(axis=None)


def over_sparsity(runs, points):
    """(sparsities, classes, CHANGED) of one image's (runs, sparsities, classes), dense first."""
    dense = list(runs[:, [0]])
    grid = range(runs.shape[1])
    return np.stack([changed_runs(runs[:, [at]], dense, points)[0] for at in grid])


def test_each_fate_of_a_finding_is_told_in_a_true_sentence():
    runs = np.stack([OVER_SPARSITY, OVER_SPARSITY, np.clip(OVER_SPARSITY + 0.15, 0, 1)])
    summary = np.stack([over_runs(runs[:, [at]], POINTS)[0] for at in range(3)])
    changed = over_sparsity(runs, POINTS)
    curves = curves_table(summary, OVER_SPARSITY, changed, GRID, [3, 3, 3], NAMES)
    labelled = dict.fromkeys(NAMES, True)
    fates = finding_fates(curves, dict(zip(NAMES, POINTS, strict=True)), labelled)
    said = {found.class_name: image_sentences.fate(found) for found in fates}
    assert next(iter(said)) == "Mass", "what is lost comes first"
    assert said["Mass"] == (
        "Mass (labelled) falls below its operating point at 50 % sparsity: lost in 2 of the 3 runs "
        "that had it when dense."
    )
    dip = "dips below its operating point at 50 % sparsity, in 3 of the 3 runs that had it"
    assert dip in said["Hernia"]
    assert "already below its operating point when dense, in 3 of 3 runs" in said["Edema"]
    assert "stays above its operating point at every sparsity" in said["Nodule"]
    assert "has no operating point" in said["Effusion"]
    unlabelled = finding_fates(
        curves, dict(zip(NAMES, POINTS, strict=True)), dict.fromkeys(NAMES, False)
    )
    assert [found.class_name for found in unlabelled] == ["Mass"], "others only if lost or raised"


def test_a_false_alarm_is_told_with_where_from_and_how_far():
    values = np.array([[0.006, 0.2], [0.6, 0.2], [0.73, 0.2]], np.float32)
    runs = np.stack([values, values, np.full((3, 2), 0.2, np.float32)])
    points = {"Mass": 0.5, "Hernia": 0.5}
    summary = np.stack([over_runs(runs[:, [at]], np.array([0.5, 0.5]))[0] for at in range(3)])
    summary[..., 0] = values  # the mean over runs is what decides
    changed = over_sparsity(runs, np.array([0.5, 0.5]))
    curves = curves_table(summary, values, changed, GRID, [3, 3, 3], ("Mass", "Hernia"))
    fates = finding_fates(curves, points, {"Mass": False, "Hernia": True})
    assert [found.class_name for found in fates] == ["Hernia", "Mass"]
    first = image_sentences.headlines(fates)
    assert [found.class_name for found in first] == ["Mass"], "a false alarm comes first"
    assert image_sentences.fate(fates[1]) == (
        "Mass (not labelled) is raised from 50 % sparsity on, in 2 of the 3 runs that did not call "
        "it when dense: 0.006 when dense, 0.73 at 90 %."
    )
    assert "Hernia (labelled) is already below" in image_sentences.fates_told(fates)[0]
    by_rank = finding_fates(curves, points, {"Mass": False, "Hernia": True}, RANK)
    assert image_sentences.fate(by_rank[1]) == (
        "Mass (not labelled) is raised from 50 % sparsity on: it ranks above 60 % of the test "
        "images without it there, 0.6 % when dense (probability 0.006 when dense, 0.73 at 90 %)."
    )
    unsure = finding_fates(curves, points, {"Mass": None, "Hernia": True})
    assert [found.class_name for found in unsure] == ["Hernia"], "it may be there"


def test_many_false_alarms_are_told_by_name_only():
    fates = [
        FindingFate(f"class {n}", False, "raised", 0.05 * n, 0, 3, dense_mean=0.1, last_mean=0.9)
        for n in range(1, 11)
    ]
    told = image_sentences.fates_told(fates)
    assert len(told) == 7
    assert told[-1] == "3 more are raised by 50 % sparsity: class 8, class 9, class 10."


def test_by_rank_the_sentence_says_how_far_it_fell():
    shape = (3, 5, 5), (3, 5, len(CHANGED))
    summary, changed = map(np.ones, shape)
    curves = curves_table(summary, OVER_SPARSITY, changed, GRID, [3, 3, 3], NAMES)
    curves.loc[curves["class_name"] == "Effusion", "rank"] = np.nan
    fates = finding_fates(curves, dict.fromkeys(NAMES, POINT), dict.fromkeys(NAMES, True), RANK)
    said = {found.class_name: image_sentences.fate(found) for found in fates}
    assert next(iter(said)) == "Mass"
    assert said["Mass"] == (
        "Mass (labelled) no longer ranks above 50 % of the test images without it from 50 % "
        "sparsity on: above 40 % there, 90 % when dense."
    )
    assert "above only 30 % of the test images without it at 50 % sparsity" in said["Hernia"]
    assert "above only 30 % of the test images" in said["Edema"]
    assert "dense already, short of 50 %" in said["Edema"]
    assert said["Nodule"].endswith(
        "ranks above 50 % of the test images without it at every sparsity."
    )
    assert "has no rank" in said["Effusion"]


def test_a_rank_short_of_the_limit_does_not_read_as_the_limit():
    assert image_sentences.rank(0.89996) == "89.9 %"
    assert image_sentences.rank(float(np.float32(0.9))) == "90 %"


@given(
    arrays(np.float32, (12, 2), elements=st.floats(0, 1, width=32)),
    arrays(np.int8, (12, 2), elements=st.integers(-1, 1)),
    st.sampled_from([0.5, 0.75, 0.8, 0.9]),
)
def test_to_rank_above_a_share_is_to_reach_the_operating_point_at_that_specificity(
    values, signs, share
):
    truth = np.where(signs < 0, np.nan, signs.astype(float))
    found = ranks(truth, values)
    for column in range(2):
        point = operating_point(values[truth[:, column] == 0, column], share)
        if np.isnan(point):
            assert np.isnan(found[:, column]).all()
        else:
            reached = values[:, column] >= np.float32(point)
            np.testing.assert_array_equal(found[:, column] >= np.float32(share), reached)


@given(arrays(np.float32, (30, 1), elements=st.floats(0, 1, width=32), unique=True))
def test_the_mean_rank_of_positives_is_auroc(values):
    truth = (np.arange(30) % 3 == 0).astype(float)[:, None]
    mean = ranks(truth, values)[truth[:, 0] == 1, 0].mean()
    assert mean == pytest.approx(roc_auc_score(truth[:, 0], values[:, 0]), abs=1e-6)


def test_probabilities_that_rise_together_lose_nothing_by_rank():
    """And by the operating point nothing either, though here the order is turned round."""
    truth = np.array([[0.0]] * 10 + [[1.0]])
    dense = np.linspace(0.1, 0.5, 11, dtype=np.float32)[:, None]
    risen, turned = dense + np.float32(0.4), np.float32(1) - dense * np.float32(0.1)
    least = np.array([0.9])

    def lost_of(pruned: np.ndarray) -> float:
        cells = [(0.9, ranks(truth, pruned)), (0.0, ranks(truth, dense))]
        return float(lost_at_sparsity(cells, least)[-1, 0])

    assert np.isnan(lost_of(risen))
    assert lost_of(turned) == pytest.approx(0.9)
    point = np.array([operating_point(dense[:10, 0], 0.9)])
    assert np.isnan(lost_at_sparsity([(0.9, turned), (0.0, dense)], point)[-1, 0])
