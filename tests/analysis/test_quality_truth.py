"""Images that were made poor: found by measures that know, and PIEs as often as they are."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from core.analysis.quality_truth import PIE_POOR, QUALITY_TRUTH, PiePoor, QualityTruth
from core.wording import pie_sentences


def tables(n=400, seed=0):
    rng = np.random.default_rng(seed)
    poor = rng.random(n) < 0.15
    ids = [f"i{number}" for number in range(n)]
    rows = pd.DataFrame({"image_id": ids, "patient_id": np.arange(n) // 2, "poor_quality": poor})
    measures = pd.DataFrame(
        {
            "image_id": ids,
            "blur": rng.normal(size=n) + 2 * poor,
            "brightness": rng.normal(size=n) + 3 * poor * rng.choice([-1, 1], n),
            "contrast": rng.normal(size=n) - poor,
            "entropy": rng.normal(size=n),
        }
    )
    pies = pd.DataFrame({"image_id": ids, "is_pie": rng.random(n) < np.where(poor, 0.4, 0.1)})
    return pies, rows, measures


def test_auroc_is_scikit_learns_of_each_measure_turned_towards_worse():
    _, rows, measures = tables()
    table = QualityTruth(draws=200)(rows, measures).set_index("measure")
    assert [table.index.name, *table] == QUALITY_TRUTH.names
    brightness = (measures["brightness"] - measures["brightness"].median()).abs()
    worse = {"blur": measures["blur"], "contrast": -measures["contrast"], "brightness": brightness}
    for name, values in worse.items():
        expected = sklearn.metrics.roc_auc_score(rows["poor_quality"], values)
        assert table.loc[name, "auroc"] == pytest.approx(expected)
        assert table.loc[name, "ci_low"] < expected < table.loc[name, "ci_high"]
    assert table.loc["entropy", "ci_low"] < 0.5 < table.loc["entropy", "ci_high"]
    assert table.loc["badness", "auroc"] > 0.8


def test_the_odds_ratio_is_that_of_the_counts_and_its_interval_covers_the_truth():
    pies, rows, _ = tables(2000)
    (row,) = PiePoor(draws=300)(pies, rows).to_dict("records")
    assert list(row) == PIE_POOR.names
    poor, pie = rows["poor_quality"], pies["is_pie"]
    cells = [(poor & pie).sum(), (poor & ~pie).sum(), (~poor & pie).sum(), (~poor & ~pie).sum()]
    a, b, c, d = (n + 0.5 for n in cells)
    assert row["odds_ratio"] == pytest.approx(a * d / (b * c))
    assert (row["n_poor"], row["n_poor_pies"]) == (poor.sum(), cells[0])
    assert row["ci_low"] < (0.4 / 0.6) / (0.1 / 0.9) < row["ci_high"]


def test_no_pie_among_few_poor_images_says_little():
    """Every draw has an empty cell too, so the draws alone would be sure of it."""
    pies, rows, _ = tables(2000)
    few = np.flatnonzero(rows["poor_quality"])[:20]
    rows = rows.assign(poor_quality=rows.index.isin(few))
    pies.loc[few, "is_pie"] = False
    (row,) = PiePoor(draws=200)(pies, rows).to_dict("records")
    assert row["odds_ratio"] < 0.5
    assert row["ci_low"] < 0.05
    assert row["ci_high"] > 1


def test_words_for_a_truth_count_as_the_truth_and_no_poor_image_gives_no_number():
    pies, rows, measures = tables(60)
    as_words = rows.assign(poor_quality=rows["poor_quality"].astype(str))
    assert PiePoor(draws=50)(pies, as_words).equals(PiePoor(draws=50)(pies, rows))
    none = rows.assign(poor_quality=False)
    assert QualityTruth(draws=50)(none, measures)["auroc"].isna().all()
    assert PiePoor(draws=50)(pies, none)["odds_ratio"].isna().all()


def test_the_sentence_says_whether_poor_images_are_pies_and_which_measure_finds_them():
    pies, rows, measures = tables(2000)
    names = {
        "blur": "Blur",
        "brightness": "Brightness",
        "contrast": "Contrast",
        "entropy": "Entropy",
    }
    truth, poor = QualityTruth(draws=200)(rows, measures), PiePoor(draws=200)(pies, rows)
    told = pie_sentences.poor_images(truth, poor, names)
    assert told.startswith("Poor images are PIEs more often: ")
    assert f"{int(rows['poor_quality'].sum())} test images of 2,000 were drawn poor" in told
    assert "by AUROC: " in told
    assert told.index("blur") < told.index("entropy")


def quality(**rows: tuple[float, float, float, float]) -> pd.DataFrame:
    columns = ["difference", "q", "difference_of_differences", "dod_q"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("measure").reset_index().assign(n_pie=66, dense_difference=0.1)


NAMES = {"blur": "Blur", "contrast": "Contrast", "entropy": "Entropy", "brightness": "Brightness"}


def test_the_headline_names_every_measure_that_differs_the_largest_side_first():
    table = quality(
        blur=(0.2, 0.01, 0.1, 0.5),
        contrast=(-0.4, 0.001, -0.1, 0.5),
        entropy=(-0.3, 0.02, -0.1, 0.5),
        brightness=(0.1, 0.2, 0.1, 0.5),
    )
    assert pie_sentences.image_quality(table, NAMES) == (
        "PIEs have lower contrast and entropy and higher blur than other images (n = 66 PIEs); "
        "it is not shown that pruning is the reason"
    )


def test_pruning_is_the_reason_of_those_that_differ_more_than_when_nothing_is_pruned():
    table = quality(blur=(0.2, 0.01, 0.1, 0.01), contrast=(-0.4, 0.001, 0.1, 0.01))
    assert pie_sentences.image_quality(table, NAMES).endswith(
        "; more so than when nothing is pruned: blur"
    )
