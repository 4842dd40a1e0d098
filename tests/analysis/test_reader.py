"""What readers' answers say: equal to plain library calls, right where the truth is known."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.reader import READER_RESULTS, ReaderResults, by_reader, mixed_model
from core.analysis.reader_agreement import between_readers

LEVELS = {"label_correct": "nominal", "image_quality": "ordinal", "difficulty": "ordinal"}
COLUMNS = READER_RESULTS.names


def simulated(
    seed: int,
    effect: float = 0.0,
    n_readers: int = 4,
    n_images: int = 40,
    questions: tuple[str, ...] = ("difficulty",),
    missing: float = 0.0,
) -> pd.DataFrame:
    """Readers with a scale of their own (SD 0.4), images with a level of theirs (SD 0.5), noise
    (SD 0.8), PIEs higher by `effect`, rounded to 1-5 (yes/no: above 3)."""
    rng = np.random.default_rng(seed)
    parts = []
    is_pie = np.arange(n_images) < n_images // 2
    for question in questions:
        level = (
            3
            + rng.normal(0, 0.4, n_readers)[:, None]
            + rng.normal(0, 0.5, n_images)[None]
            + effect * is_pie
            + rng.normal(0, 0.8, (n_readers, n_images))
        )
        value = (level > 3).astype(int) if question == "label_correct" else level.round().clip(1, 5)
        reader, image = np.indices(value.shape)
        table = pd.DataFrame(
            {
                "reader": [f"reader {n}" for n in reader.ravel()],
                "image_id": [f"image-{n:03d}" for n in image.ravel()],
                "is_pie": np.tile(is_pie, n_readers),
                "question": question,
                "value": value.ravel().astype(int),
            }
        )
        parts.append(table[rng.random(len(table)) >= missing])
    return pd.concat(parts, ignore_index=True)


def by_hand(answers: pd.DataFrame, question: str) -> dict[str, float]:
    """Plain scipy, statsmodels (by formula) and krippendorff. 3 readers, so of these only."""
    rows = answers[answers["question"] == question]
    pie, other = rows.loc[rows["is_pie"], "value"], rows.loc[~rows["is_pie"], "value"]
    kruskal = scipy.stats.kruskal(pie, other)
    data = rows.assign(one=1, pie=rows["is_pie"].astype(float))
    crossed = {"reader": "0 + C(reader)", "image": "0 + C(image_id)"}
    fitted = smf.mixedlm("value ~ pie", data, groups="one", vc_formula=crossed).fit(reml=True)
    effect, error = fitted.params["pie"], fitted.bse["pie"]
    t = scipy.stats.t(rows["image_id"].nunique() - 2)
    return {
        "n_pie": len(pie),
        "n_non_pie": len(other),
        "mean_pie": pie.mean(),
        "mean_non_pie": other.mean(),
        "sd_pie": pie.std(),
        "sd_non_pie": other.std(),
        "kruskal_h": kruskal.statistic,
        "kruskal_p": kruskal.pvalue,
        "mixed_effect": effect,
        "mixed_ci_low": effect - t.ppf(0.975) * error,
        "mixed_ci_high": effect + t.ppf(0.975) * error,
        "mixed_p": 2 * t.sf(abs(effect) / error),
        "krippendorff_alpha": krippendorff.alpha(
            rows.pivot(index="reader", columns="image_id", values="value").to_numpy(float),
            level_of_measurement="nominal" if question == "label_correct" else "ordinal",
        ),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("seed", "missing"), [(0, 0.0), (1, 0.15)])
def test_every_number_equals_a_plain_library_call(seed, missing):
    answers = simulated(seed, 0.5, n_readers=3, questions=tuple(LEVELS), missing=missing)
    table = ReaderResults(LEVELS)(answers)
    assert list(table.columns) == COLUMNS
    assert not table["generalises"].any()
    assert table[["slope_sd", "within_alpha"]].isna().all(axis=None)
    for _, row in table.iterrows():
        for name, value in by_hand(answers, row["question"]).items():
            # statsmodels stops looking for the variances earlier than we do.
            tolerance = 5e-3 if name.startswith("mixed") else 1e-9
            assert row[name] == pytest.approx(value, abs=tolerance, rel=tolerance), name
    p = np.sort(table["mixed_p"])
    step_up = [min(p[k:] * 3 / np.arange(k + 1, 4)) for k in range(3)]
    assert sorted(table["q_value"]) == pytest.approx(step_up, abs=1e-12)


def test_readers_alike_agree_fully_and_readers_at_random_not_at_all():
    one = simulated(0, n_readers=1, n_images=60)
    two = pd.concat([one, one.assign(reader="reader 9")])
    assert between_readers(two, "ordinal") == pytest.approx(1)
    rng = np.random.default_rng(0)
    random = simulated(0, n_readers=4, n_images=200)
    random["value"] = rng.integers(1, 6, len(random))
    assert abs(between_readers(random, "ordinal")) < 0.08


def test_a_reader_who_is_strict_with_everything_moves_no_difference():
    answers = simulated(3, 0.6)
    shifted = answers.copy()
    shifted.loc[shifted["reader"] == "reader 2", "value"] += 10
    assert mixed_model(shifted).effect == pytest.approx(mixed_model(answers).effect, abs=1e-6)


def test_repeating_the_readings_of_few_images_is_no_evidence_to_the_mixed_model():
    """Ten readers who copy one another: Kruskal-Wallis takes it for ten times the evidence."""
    one = simulated(5, 0.5, n_readers=1, n_images=24)
    rng = np.random.default_rng(1)
    copies = []
    for n in range(10):
        copy = one.assign(reader=f"reader {n}")
        changed = rng.random(len(copy)) < 0.05
        copy.loc[changed, "value"] = (copy.loc[changed, "value"] % 5) + 1
        copies.append(copy)
    row = ReaderResults({"difficulty": "ordinal"})(pd.concat(copies)).iloc[0]
    alone = scipy.stats.mannwhitneyu(
        one.loc[one["is_pie"], "value"], one.loc[~one["is_pie"], "value"]
    ).pvalue
    assert row["kruskal_p"] < 0.05 < alone
    assert row["mixed_p"] > 0.05


@pytest.mark.parametrize(
    ("change", "kruskal", "mixed", "alpha"),
    [
        (lambda t: t[:0], False, False, False),
        (lambda t: t[t["is_pie"]], False, False, True),
        (lambda t: t[t["reader"] == "reader 0"], True, False, False),
        (lambda t: t.assign(value=3), False, False, False),
        (lambda t: t[t["image_id"].isin(["image-000", "image-039"])], False, False, True),
    ],
)
def test_what_too_few_answers_cannot_tell_is_null(change, kruskal, mixed, alpha):
    row = ReaderResults({"difficulty": "ordinal"})(change(simulated(0))).iloc[0]
    assert pd.notna(row["kruskal_p"]) == kruskal
    assert pd.notna(row["mixed_p"]) == pd.notna(row["q_value"]) == mixed
    assert pd.notna(row["krippendorff_alpha"]) == alpha


def test_each_reader_has_a_row_per_question():
    answers = simulated(2, questions=("image_quality", "difficulty"), missing=0.1)
    table = by_reader(answers)
    assert len(table) == 4 * 2
    for _, row in table.iterrows():
        own = answers.query("reader == @row.reader and question == @row.question")
        assert row["n_pie"] + row["n_non_pie"] == len(own)
        assert row["mean_pie"] == pytest.approx(own.loc[own["is_pie"], "value"].mean())
    assert by_reader(answers[:0]).empty
    assert by_reader(answers[answers["is_pie"]])["mean_non_pie"].isna().all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.randoms())
def test_the_order_of_rows_and_the_names_of_readers_change_nothing(seed, random):
    answers = simulated(seed, 0.3, n_readers=2, n_images=16)
    rows = list(range(len(answers)))
    random.shuffle(rows)
    renamed = answers.iloc[rows].assign(reader=lambda t: "x" + t["reader"])
    first, second = (ReaderResults({"difficulty": "ordinal"})(t) for t in (answers, renamed))
    exact = [name for name in COLUMNS[1:] if not name.startswith(("mixed", "q_", "slope"))]
    np.testing.assert_allclose(
        first[exact].to_numpy(float), second[exact].to_numpy(float), rtol=1e-9, equal_nan=True
    )
    mixed = first["mixed_effect"].to_numpy(float), second["mixed_effect"].to_numpy(float)
    np.testing.assert_allclose(*mixed, atol=1e-4, equal_nan=True)


def rejections(n_studies: int, effect: float, n_readers: int = 4, n_images: int = 40) -> int:
    """How many of n simulated studies the mixed model calls significant at 5 %."""
    return sum(
        mixed_model(simulated(1000 + seed, effect, n_readers, n_images)).p < 0.05
        for seed in range(n_studies)
    )


def test_a_known_effect_is_found_and_none_is_not():
    """The paper's size, 20 + 20 images. Under the null 60 studies give more than 9 rejections with
    a chance of 0.1 %; power is above 0.8."""
    assert rejections(60, effect=0.0) <= scipy.stats.binom.ppf(0.999, 60, 0.05)
    assert rejections(40, effect=0.9) >= 0.8 * 40


@pytest.mark.slow
@pytest.mark.parametrize(("n_readers", "n_images"), [(4, 40), (3, 12), (8, 40)])
def test_the_error_rate_and_the_power_are_those_stated(n_readers, n_images):
    """200 null studies each: rejections within the 99.9 % bounds of a rate of 5 %. 12 images have
    an effect that 40 would not need."""
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], 200, 0.05)
    assert low <= rejections(200, 0.0, n_readers, n_images) <= high
    assert rejections(100, 0.9 if n_images == 40 else 1.7, n_readers, n_images) > 80
