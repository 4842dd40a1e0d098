"""Where nothing happened, nothing is found; where nothing is known, nothing is claimed."""

import numpy as np
import pandas as pd
import pytest

from core.analysis.class_pairs import ClassPairs, cooccurrence_iou_paper
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations, correlate
from core.analysis.forgettability import Forgettability, InterpolatedFirstDrop
from core.analysis.interaction import Interaction
from core.analysis.overall import Overall
from core.analysis.pairs import cooccurrence_iou
from core.analysis.pie import Pies
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.analysis.pie_definitions import AgreementZ, ModalDisagreement, best_f1_thresholds
from tests.simulations import metrics_frame, prevalence_metrics, simulate

SHORT = (0.0, 0.5, 0.9, 0.95)


def frequencies_of(names, train=None) -> pd.DataFrame:
    train = np.geomspace(0.3, 0.004, len(names)) if train is None else train
    return pd.DataFrame(
        {"class_name": names, "group": "tail", "train_frequency": train, "test_frequency": train}
    ).assign(test_positive_patients=20)


def labels_of(n_classes: int, n_images: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((n_images, n_classes)) < np.linspace(0.4, 0.05, n_classes)).astype(float)


def names_of(metrics: pd.DataFrame) -> list[str]:
    return list(metrics["class_name"].unique())


def all_tables(metrics: pd.DataFrame) -> dict[str, pd.DataFrame]:
    names = names_of(metrics)
    matrix, frequencies = labels_of(len(names)), frequencies_of(names)
    return {
        "forgettability": Forgettability()(metrics),
        "class_summary": ClassSummary()(metrics, frequencies),
        "class_pairs": ClassPairs()(metrics, matrix, names),
        "correlations": Correlations(permutations=20)(metrics, frequencies, matrix, names),
        "overall": Overall()(metrics),
        "interaction": Interaction(permutations=20)(metrics, matrix, names),
    }


def test_two_identical_models_give_no_significant_class_and_no_drop():
    rng = np.random.default_rng(0)
    dense = rng.uniform(0.2, 0.8, (4, 6, 1))
    tables = all_tables(metrics_frame(np.repeat(dense, len(SHORT), axis=2), SHORT))
    summary, overall = tables["class_summary"], tables["overall"]
    assert (summary["q_value"] == 1).all()
    assert summary["first_drop_censored"].all()
    assert summary[["first_drop_sparsity", "first_drop_interpolated"]].isna().all(axis=None)
    assert not overall[["first_significant_paper", "first_significant_corrected"]].any(axis=None)
    assert (overall["paired_p"].iloc[1:] == 1).all()
    assert overall["welch_p"].iloc[1:].to_numpy() == pytest.approx(1)
    assert (tables["class_pairs"][["fcd", "fcd_rms"]] == 0).all(axis=None)
    assert tables["correlations"]["pearson_r"].isna().all()


def test_two_models_that_differ_by_chance_alone_rarely_give_a_significant_class():
    rng = np.random.default_rng(1)
    values = 0.5 + 0.02 * rng.normal(size=(30, 20, len(SHORT)))
    summary = ClassSummary()(
        metrics_frame(values, SHORT),
        frequencies_of(range(20)).assign(class_name=[f"Finding {i:02d}" for i in range(20)]),
    )
    assert (summary["q_value"] > 0.05).all()


def test_identical_models_have_z_of_zero_and_still_five_percent_pies():
    simulation = simulate(n_images=300, n_runs=6, sparsities=(0.0,))
    dense = simulation.probabilities[:, 0]
    z = AgreementZ(splits=5)(dense, dense.copy())
    assert np.abs(z).max() < 1e-9
    ensemble = dense.mean(axis=0)
    pies = Pies()(simulation.test["image_id"], ensemble, ensemble)
    assert pies["is_pie"].sum() == int(0.05 * len(pies))


@pytest.mark.parametrize("n_runs", [4, 10])
def test_models_trained_anew_have_z_centred_on_zero_and_pruned_ones_below(n_runs):
    simulation = simulate(n_images=500, n_runs=2 * n_runs, sparsities=(0.0, 0.9))
    dense, anew = simulation.probabilities[:n_runs, 0], simulation.probabilities[n_runs:, 0]
    pruned = simulation.probabilities[:n_runs, 1]
    z = AgreementZ()(dense, anew)
    assert np.isfinite(z).all()
    assert abs(z.mean()) < 0.15
    assert AgreementZ()(dense, pruned).mean() < -0.5


def test_z_needs_three_runs_and_is_missing_where_agreement_is():
    rng = np.random.default_rng(0)
    dense = rng.random((4, 5, 6))
    assert np.isnan(AgreementZ()(dense[:2], dense[:2])).all()
    dense[:, 2] = 0.5
    z = AgreementZ()(dense, dense)
    assert np.isnan(z[2])
    assert (np.delete(z, 2) == 0).all()


def test_identical_classes_have_iou_one_and_a_third_in_the_papers_form():
    column = np.array([1, 1, 0, 0, 1, 0], float)
    matrix = np.column_stack([column, column])
    assert cooccurrence_iou(matrix, ["A", "B"]).loc["A", "B"] == 1
    assert cooccurrence_iou_paper(matrix, ["A", "B"]).loc["A", "B"] == pytest.approx(1 / 3)


def test_a_class_that_never_drops_is_censored_and_counts_as_latest_for_kendall():
    losses = np.array([[0, 0.1, 0.3, 0.6], [0, 0.2, 0.5, 0.7], [0, 0.4, 0.6, 0.9], [0, 0, 0, 0.1]])
    metrics = metrics_frame(np.repeat(0.5 * (1 - losses)[None], 3, axis=0), (0.0, 0.1, 0.2, 0.3))
    names = names_of(metrics)
    frequencies = frequencies_of(names, train=[0.1, 0.05, 0.01, 0.4])
    table = Correlations(permutations=20)(metrics, frequencies, labels_of(4), names)
    row = table.set_index("name").loc["log_train_frequency~first_drop_sparsity"]
    assert (row["n"], row["n_kendall"]) == (3, 4)
    assert row["kendall_tau_b"] == pytest.approx(1)
    coarse = metrics_frame(np.repeat(0.5 * (1 - losses)[None], 3, axis=0), SHORT)
    row = Correlations(permutations=20)(coarse, frequencies, labels_of(4), names).iloc[0]
    assert row["kendall_tau_b"] < 1, "those that drop in one wide gap of the grid are tied"


def test_the_interpolated_first_drop_lies_on_the_line_between_two_grid_points():
    curves = pd.DataFrame(
        {
            "class_name": ["A"] * 3 + ["B"] * 3 + ["C"] * 3,
            "sparsity": [0.0, 0.08, 0.16] * 3,
            "relative_ap_change": [0, -0.1, -0.5, 0, -0.4, -0.5, np.nan, np.nan, np.nan],
        }
    )
    table = InterpolatedFirstDrop()(curves).set_index("class_name")
    assert table["first_drop_sparsity"].tolist()[:2] == [0.16, 0.08]
    assert table["first_drop_interpolated"].tolist()[:2] == pytest.approx([0.1, 0.04])
    assert table.loc["C"].isna().sum() == 2
    assert not table["first_drop_censored"].any()


def test_one_run_has_values_and_no_p_and_no_interval():
    values = np.linspace(0.8, 0.2, 4)[None, None] * np.linspace(1, 0.5, 5)[None, :, None]
    tables = all_tables(metrics_frame(values ** np.arange(1, 6)[None, :, None], SHORT))
    assert tables["forgettability"]["relative_ap_change"].notna().all()
    pruned = tables["forgettability"].query("sparsity > 0")
    assert pruned["mean_change"].notna().all()
    assert pruned[["ci_low", "ci_high"]].isna().all(axis=None)
    assert tables["class_summary"]["q_value"].isna().all()
    assert tables["class_pairs"][["fcd_corrected", "p_value"]].isna().all(axis=None)
    assert tables["class_pairs"]["fcd"].notna().all()
    assert tables["overall"][["welch_p", "paired_p"]].isna().all(axis=None)


def test_a_class_without_an_ap_is_missing_everywhere_and_breaks_nothing():
    rng = np.random.default_rng(0)
    losses = np.linspace(0, 1, 4) * rng.uniform(0.3, 0.9, (3, 6, 1))
    values = 0.6 * (1 - losses)
    values[:, 2] = np.nan
    tables = all_tables(metrics_frame(values, SHORT))
    summary = tables["class_summary"].set_index("class_name")
    assert summary.loc["Finding 02"][["relative_ap_change_at_95", "q_value"]].isna().all()
    assert not summary.loc["Finding 02", "first_drop_censored"]
    pairs = tables["class_pairs"]
    with_it = (pairs[["class_a", "class_b"]] == "Finding 02").any(axis=1)
    assert pairs.loc[with_it, ["fcd", "fcd_rms"]].isna().all(axis=None)
    assert pairs.loc[~with_it, ["fcd", "fcd_rms"]].notna().all(axis=None)
    assert (tables["correlations"]["n"].isin([4, 5, 10])).all()
    assert (tables["interaction"]["n"] == 10).all()


@pytest.mark.parametrize("n_classes", [1, 2])
def test_one_or_two_classes_have_no_correlation(n_classes):
    rng = np.random.default_rng(0)
    tables = all_tables(metrics_frame(rng.uniform(0.2, 0.8, (3, n_classes, 4)), SHORT))
    assert len(tables["class_pairs"]) == n_classes - 1
    correlations = tables["correlations"]
    assert correlations[["pearson_r", "spearman_p", "permutation_p"]].isna().all(axis=None)
    assert tables["interaction"]["ols_p"].isna().all()


def test_a_grid_without_95_has_no_change_at_95():
    rng = np.random.default_rng(0)
    tables = all_tables(metrics_frame(rng.uniform(0.2, 0.8, (3, 4, 2)), (0.0, 0.5)))
    assert tables["class_summary"]["relative_ap_change_at_95"].isna().all()
    assert tables["class_summary"]["q_value"].isna().all()


def test_modal_disagreement_is_a_changed_majority_at_the_thresholds():
    dense = np.array([[[0.9, 0.1]], [[0.8, 0.1]], [[0.2, 0.1]]])
    pruned = np.array([[[0.9, 0.1]], [[0.2, 0.1]], [[0.2, 0.1]]])
    table = ModalDisagreement()(dense, pruned, np.array([0.5, 0.5]))
    assert table.loc[0].tolist() == [1, True]
    same = ModalDisagreement()(dense, dense, np.array([0.5, np.nan]))
    assert same.loc[0].tolist() == [0, False]
    assert ModalDisagreement()(dense, pruned, None).isna().all(axis=None)


def test_thresholds_are_those_of_highest_f1():
    labels = np.array([[1, 0], [1, 0], [0, 0], [1, 0], [np.nan, 0]])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.4], [0.95, 0.5]])
    thresholds = best_f1_thresholds(labels, probabilities)
    assert thresholds[0] == 0.1  # 2*3/(4+3) = 0.857 beats 0.8 at the threshold 0.8
    assert np.isnan(thresholds[1])


def test_pie_ratios_are_missing_where_no_other_image_has_the_class():
    test = pd.DataFrame(
        {
            "image_id": list("abcdef"),
            "patient_id": list("ppqqrr"),
            "Only PIEs": [1, 0, 0, 0, 0, 0],
            "Both": [1, 1, 1, 0, 0, 0],
            "Unknown": [np.nan] * 6,
            "No Finding": [0, 0, 0, 1, 1, 1],
        }
    )
    pies = pd.DataFrame({"image_id": list("fedcba"), "is_pie": [False] * 4 + [True] * 2})
    names = ("Only PIEs", "Both", "Unknown", "No Finding")
    table = PieClassRatio(draws=50)(pies, test, names).set_index("class_name")
    assert "No Finding" not in table.index
    assert table.loc["Both", ["pie_frequency", "non_pie_frequency", "ratio"]].tolist() == [
        1,
        0.25,
        4,
    ]
    assert table.loc[["Only PIEs", "Unknown"], ["ratio", "ci_low", "ci_high"]].isna().all(axis=None)
    counts = PieFindingCountRatio(draws=50)(pies, test, names).set_index("finding_count")
    assert counts["n_positive"].tolist() == [3, 2, 1, 0, 0]


def test_prevalence_alone_makes_the_papers_headline_and_not_of_calibrated_ap():
    metrics = prevalence_metrics((1.5, 1.0, 0.5, 0.0))
    prevalence = metrics.groupby("class_name", as_index=False)["prevalence"].first()
    frequencies = prevalence.rename(columns={"prevalence": "train_frequency"})
    raw, calibrated = (
        Forgettability(metric)(metrics).rename(columns={"relative_ap_change": "relative_change"})
        for metric in ("ap", "calibrated_ap")
    )
    for sparsity in (0.25, 0.5, 0.75):
        change = raw[raw["sparsity"] == sparsity].merge(frequencies, on="class_name")
        logs = np.log10(change["train_frequency"])
        assert correlate(logs, change["relative_change"])["pearson_r"] > 0.8
        even = calibrated.loc[calibrated["sparsity"] == sparsity, "relative_change"]
        assert np.ptp(even) < 0.2
