"""Safe sparsity: what is safe, what is not, what cannot be told, and how often it errs."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.bootstrap import resample_counts
from core.analysis.influence import METRICS, influences
from core.analysis.paired_moments import PAIRED_MOMENTS, paired_moments
from core.analysis.safe_sparsity import (
    SAFE_SPARSITY,
    SafeSparsity,
    class_breaks,
    ratio_bounds,
    safe_answer,
    safe_answers,
)
from tests.binormal import Binormal, d_prime_keeping
from tests.resampling import image_counts, weighted_ap
from tests.toys import class_metrics

GRID = (0.25, 0.5, 0.75)
NAMES = ["Common", "Rare", "Hardly there"]


def labels_of(n_images=400):
    """Patients of two images; 40 % Common, 8 % Rare, one patient Hardly there."""
    patients = np.repeat(np.arange(n_images // 2), 2)
    labels = np.stack([patients % 5 < 2, patients % 12 == 0, patients == 3], axis=1)
    return labels.astype(float), patients


def study(change=lambda scores, sparsity, run: scores, n_runs=4, seed=0):
    """PAIRED_MOMENTS of scores two apart, changed by `change(scores, sparsity, run)`."""
    labels, patients = labels_of()
    cells = []
    for run in range(n_runs):
        rng = np.random.default_rng([seed, run])
        dense = 2 * labels + rng.normal(size=labels.shape)
        cells.append((0.0, dense, dense))
        cells += [(s, dense, change(dense.copy(), s, run)) for s in GRID]
    return paired_moments(labels, NAMES, patients, cells).by_class


def table_of(moments, **settings):
    groups = {"class_name": NAMES, "group": ["head", "medium", "tail"]}
    settings = {"metric": "ap"} | settings
    levels = {"ap": [0.4, 0.08, 0.01], "auroc": [0.5] * 3, "somers_d": [0.0] * 3}
    chance = pd.Series(levels.get(settings["metric"], [0.05] * 3), index=NAMES)
    return SafeSparsity(**settings)(moments, pd.DataFrame(groups), chance)


def collapse(scores, sparsity, run):
    """Rare loses all its signal from 50 % on."""
    if sparsity >= 0.5:
        scores[:, 1] = np.random.default_rng([run, 9]).normal(size=len(scores))
    return scores


@pytest.mark.parametrize("ties", [False, True])
def test_values_are_the_metrics_and_influences_their_derivatives(ties):
    rng = np.random.default_rng(1)
    labels = (rng.random(200) < 0.15).astype(float)
    scores = rng.normal(size=200) + labels
    scores = scores.round(0 if ties else 9)
    labels[:7] = np.nan
    found, expected = influences(labels, scores), class_metrics(labels, scores)
    for metric in METRICS:
        assert found[metric].value == pytest.approx(getattr(expected, metric), abs=1e-12)
        assert found[metric].of_images.sum() == pytest.approx(0, abs=1e-12)
        assert (found[metric].of_images[:7] == 0).all()
        # Weight 1.001 on an image is 1,000 copies of all, and one more of that image.
        for image in (10, int(np.nanargmax(labels))):
            copies = np.full(200, 1000)
            copies[image] += 1
            many = class_metrics(np.repeat(labels, copies), np.repeat(scores, copies))
            slope = (getattr(many, metric) - found[metric].value) / 0.001
            assert found[metric].of_images[image] == pytest.approx(slope, rel=0.02, abs=1e-5)


def test_a_class_without_positives_or_negatives_has_no_influence_to_speak_of():
    assert influences(np.zeros(5), np.arange(5.0)) == {}
    assert list(influences(np.ones(5), np.arange(5.0))) == ["ap"]


def test_identical_models_are_safe_to_the_end_of_the_grid():
    table = table_of(study())
    assert list(table.columns) == SAFE_SPARSITY.names
    enough = table[table["class_name"] != "Hardly there"]
    assert (enough["verdict"] == "safe").all()
    assert (enough[["relative_change", "ci_low", "ci_high"]].abs() < 1e-12).all(axis=None)
    answer = safe_answer(table)
    assert (answer.safe_up_to, answer.first, answer.first_unsafe) == (0.75, None, None)
    assert answer.too_few == ("Hardly there",)


@pytest.mark.parametrize("metric", [*METRICS, "somers_d"])
def test_a_class_that_collapses_is_named_where_it_breaks(metric):
    table = table_of(study(collapse), metric=metric)
    answers = safe_answers(table)
    assert answers["all"].safe_up_to == 0.25
    assert answers["all"].first.class_name == "Rare"
    assert answers["all"].first.breaks_at == 0.5
    assert answers["all"].first.verdict == "unsafe"
    assert answers["all"].first_unsafe.unsafe_at == 0.5
    assert answers["head"].safe_up_to == 0.75
    assert answers["medium"].safe_up_to == 0.25
    assert answers["tail"].safe_up_to is None
    assert answers["tail"].n_classes == 0
    assert [one.class_name for one in class_breaks(table)] == ["Rare", "Common", "Hardly there"]


def test_few_patients_are_never_called_safe_or_unsafe():
    def lost(scores, sparsity, run):
        return -scores

    table = table_of(study(lost))
    rare = table[table["class_name"] == "Hardly there"]
    assert set(rare["verdict"]) == {"cannot tell"}
    assert set(rare["reason"]) == {"too few patients"}
    assert safe_answer(table_of(study(), min_patients=1000)).n_classes == 0
    assert safe_answer(table_of(study(), min_patients=1000)).safe_up_to is None


def test_a_class_that_no_model_has_learnt_is_not_judged():
    """Its scores may follow those of a class that it occurs with, and fall with them."""
    groups = {"class_name": NAMES, "group": ["head", "medium", "tail"]}
    frequencies = pd.DataFrame(groups | {"train_frequency": [0.4, 0.0, 0.01]})
    chance = pd.Series(0.0, index=NAMES)
    table = SafeSparsity()(study(collapse), frequencies, chance)
    rare = table[table["class_name"] == "Rare"]
    assert set(rare["verdict"]) == {"cannot tell"}
    assert set(rare["reason"]) == {"no training image carries this class"}
    answer = safe_answer(table)
    assert (answer.n_classes, answer.safe_up_to) == (1, 0.75)
    assert answer.not_found == ("Rare",)


def test_a_wide_interval_says_cannot_tell_and_why():
    def noise(scores, sparsity, run):
        scores[:, 1] -= np.random.default_rng([run, 5]).normal(size=len(scores)) * 0.6
        return scores

    row = table_of(study(noise, n_runs=2)).query("class_name == 'Rare'").iloc[0]
    assert row["ci_low"] < -0.1 < row["ci_high"]
    assert (row["verdict"], row["reason"]) == ("cannot tell", "interval reaches over the margin")


def test_safe_means_safe_without_gaps():
    def dip(scores, sparsity, run):
        return collapse(scores, sparsity, run) if sparsity == 0.5 else scores

    table = table_of(study(dip))
    rare = table[table["class_name"] == "Rare"].set_index("sparsity")
    # Unsafe is what is so at every higher sparsity too.
    assert list(rare["verdict"]) == ["safe", "cannot tell", "safe"]
    assert "not after correction" in rare["reason"][0.5]
    assert list(rare["safe_so_far"]) == [True, False, False]
    assert safe_answer(table).safe_up_to == 0.25


def test_one_run_speaks_for_patients_only_and_says_so():
    table = table_of(study(collapse, n_runs=1))
    assert set(table["interval_over"]) == {"patients"}
    assert safe_answer(table).n_runs == 1
    assert safe_answer(table).first.class_name == "Rare"
    assert set(table_of(study())["interval_over"]) == {"runs and patients"}


def test_what_dense_does_not_find_is_not_judged_and_where_chance_nearly_passes_it_is_told():
    labels, patients = labels_of()
    cells = []
    for run in range(3):
        dense = 2 * labels + np.random.default_rng(run).normal(size=labels.shape)
        dense[:, 0] = np.random.default_rng([run, 1]).normal(size=len(dense))  # knows nothing
        cells += [(0.0, dense, dense), (0.5, dense, dense)]
    moments = paired_moments(labels, NAMES, patients, cells).by_class
    for metric in ("ap", "auroc", "somers_d"):
        answer = safe_answer(table_of(moments, metric=metric))
        assert (answer.not_found, answer.too_few) == (("Common",), ("Hardly there",))
        assert (answer.n_classes, answer.safe_up_to, answer.chance_passes) == (1, 0.5, ())
    weak = moments.assign(dense=moments["dense"].where(moments["class_name"] != "Common", 0.6))
    weak["patients_var_dense"] = 1e-6
    answer = safe_answer(table_of(weak, metric="auroc", margin=0.4))
    assert "Common" in answer.chance_passes  # one half is more than 60 % of 0.6


def test_a_wider_margin_and_a_lower_confidence_only_allow_more():
    moments = study(collapse)
    strict, wide = table_of(moments, margin=0.02), table_of(moments, margin=0.4)
    assert ((strict["verdict"] == "safe") <= (wide["verdict"] == "safe")).all()
    sure, unsure = table_of(moments, confidence=0.99), table_of(moments, confidence=0.8)
    assert (sure["ci_low"] <= unsure["ci_low"]).all()


@pytest.mark.parametrize(
    "wrong", [{"margin": 0}, {"margin": 1}, {"confidence": 1}, {"min_patients": 0}]
)
def test_settings_without_a_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="margin lies in"):
        SafeSparsity(**wrong)


def test_images_of_one_patient_are_not_independent():
    labels, patients = labels_of()
    rng = np.random.default_rng(0)
    dense = 1.5 * labels + rng.normal(size=(200, 3))[patients]
    pruned = dense - 0.5 * labels * rng.random((200, 3))[patients]
    cells = [(0.0, dense, dense), (0.5, dense, pruned)]
    together = paired_moments(labels, NAMES, patients, cells).by_class
    apart = paired_moments(labels, NAMES, np.arange(400), cells).by_class
    ratio = together["patients_var_pruned"] / apart["patients_var_pruned"]
    np.testing.assert_allclose(ratio[together["class_name"] == "Common"], 2, rtol=0.05)


def test_nothing_to_compare_is_an_empty_table():
    labels, patients = labels_of()
    moments = paired_moments(labels, NAMES, patients, [(0.0, labels, labels)]).by_class
    assert list(moments.columns) == list(PAIRED_MOMENTS)
    assert safe_answers(table_of(moments)) == {}


def test_bounds_are_those_of_the_paired_bootstrap_over_patients_and_runs():
    """Against 2,000 draws of patients and runs together, with enough of both that t is normal."""
    n_runs, draws = 40, 2000
    labels, patients, runs = Binormal(300, 2, 60, n_runs, 1.8, 1.2).draw(0)
    cells = [
        cell
        for scores in np.asarray(runs)[..., None]
        for cell in ((0.0, scores[0], scores[0]), (0.5, scores[0], scores[1]))
    ]
    moments = paired_moments(labels, ["A"], patients, cells).by_class
    ap = moments[moments["metric"] == "ap"]
    change, low, high = (float(bound[0]) for bound in ratio_bounds(ap, 0.95))
    images = image_counts(patients, draws, 0)
    drawn_runs = resample_counts(n_runs, draws, 1) / n_runs
    means = np.zeros((2, draws))
    for run, scores in enumerate(runs):
        for model in range(2):
            means[model] += drawn_runs[:, run] * weighted_ap(labels[:, 0], scores[model], images)
    ratios = means[1] / means[0] - 1
    assert (high - low) / 2 == pytest.approx(np.std(ratios) * 1.65, rel=0.1)
    assert low == pytest.approx(np.quantile(ratios, 0.05), abs=0.02)
    assert high == pytest.approx(np.quantile(ratios, 0.95), abs=0.02)
    assert low < change < high


DESIGNS = {
    "10 positives, 5 runs": Binormal(300, 2, 10, 5, 1.8, 0),
    "25 positives, 3 runs": Binormal(300, 2, 25, 3, 1.8, 0),
    "25 positives, 1 run": Binormal(300, 2, 25, 1, 1.8, 0, spread=0),
    "100 positives, 10 runs": Binormal(500, 1, 100, 10, 1.8, 0),
}


@pytest.mark.parametrize(
    ("repetitions", "most"),
    [
        pytest.param(60, 0.15, id="few"),
        # 5 %, and two standard errors of 400 repetitions.
        pytest.param(400, 0.072, id="many", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", DESIGNS)
def test_a_class_at_the_margin_is_called_safe_one_time_in_twenty(name, repetitions, most):
    """True AP pruned is exactly 90 % of dense: safe and unsafe are both errors."""
    called = error_rates(DESIGNS[name], repetitions)
    assert called["safe"] <= most
    assert called["unsafe"] <= most


def error_rates(design: Binormal, repetitions: int) -> dict[str, float]:
    """Shares of "safe" and "unsafe" where truly at the margin of 10 %."""
    keeping = d_prime_keeping(0.9, design.dense, design.prevalence, design.spread)
    at_margin = Binormal(**(vars(design) | {"pruned": keeping}))
    names = pd.DataFrame({"class_name": ["A"], "group": ["tail"]})
    verdicts = []
    for seed in range(repetitions):
        labels, patients, runs = at_margin.draw(seed)
        cells = [
            cell
            for scores in np.asarray(runs)[..., None]
            for cell in ((0.0, scores[0], scores[0]), (0.5, scores[0], scores[1]))
        ]
        moments = paired_moments(labels, ["A"], patients, cells).by_class
        table = SafeSparsity("ap")(moments, names, pd.Series([0.0], index=["A"]))
        verdicts.append(table["verdict"].iloc[0])
    return {verdict: verdicts.count(verdict) / repetitions for verdict in ("safe", "unsafe")}
