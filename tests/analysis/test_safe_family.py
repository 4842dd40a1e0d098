"""Safe sparsity over many classes and sparsities: how often any class is called unsafe wrongly."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from core.analysis.bootstrap import combined_half_width, combined_p
from core.analysis.safe_sparsity import SafeSparsity

N_CLASSES, N_PATIENTS = 20, 40
SPARSITIES = tuple(percent / 100 for percent in range(10, 100, 10))
NEVER = len(SPARSITIES)
# At which sparsity of the grid each class becomes truly unsafe.
TRUTHS = {
    "no class": np.full(N_CLASSES, NEVER),
    "one after another": np.arange(N_CLASSES) % NEVER,
    "half of them": np.where(np.arange(N_CLASSES) < 10, NEVER, 3 + np.arange(N_CLASSES) % 5),
}


def moments_of(unsafe_from: np.ndarray, n_runs: int, runs_sd: float, seed: int) -> pd.DataFrame:
    """Estimates around dense 0.6 and a true loss of just the margin of 10 %, of 40 % from
    `unsafe_from` on: (runs or patients) really drawn, alike over sparsities to 0.9."""
    rng = np.random.default_rng(seed)
    shape = (N_CLASSES, len(SPARSITIES))
    lost = np.arange(len(SPARSITIES)) >= unsafe_from[:, None]
    true = np.where(lost, 0.36, 0.54)

    def drawn(n, sd):
        alike = np.sqrt(0.9) * rng.normal(size=(n, N_CLASSES, 1))
        pruned = alike + np.sqrt(0.1) * rng.normal(size=(n, *shape))
        dense = np.repeat(0.5 * alike + np.sqrt(0.75) * rng.normal(size=(n, N_CLASSES, 1)), 9, 2)
        return sd * dense, sd * pruned

    parts = {"runs": drawn(n_runs, runs_sd), "patients": drawn(N_PATIENTS, 0.2)}
    table = {"dense": np.full(shape, 0.6), "pruned": true.copy()}
    for over, (dense, pruned) in parts.items():
        n = len(dense)
        table["dense"] = table["dense"] + dense.mean(axis=0)
        table["pruned"] = table["pruned"] + pruned.mean(axis=0)
        table[f"{over}_var_dense"] = dense.var(axis=0, ddof=1) / n
        table[f"{over}_var_pruned"] = pruned.var(axis=0, ddof=1) / n
        off = (dense - dense.mean(axis=0)) * (pruned - pruned.mean(axis=0))
        table[f"{over}_cov"] = off.sum(axis=0) / (n - 1) / n
    frame = pd.DataFrame({name: values.ravel() for name, values in table.items()})
    frame.insert(0, "class_name", np.repeat([f"C{c:02d}" for c in range(N_CLASSES)], shape[1]))
    return frame.assign(
        metric="somers_d", sparsity=SPARSITIES * N_CLASSES, n_runs=n_runs,
        n_positive=N_PATIENTS, n_positive_patients=N_PATIENTS,
    )  # fmt: skip


def verdicts(moments: pd.DataFrame, **settings) -> pd.DataFrame:
    names = moments["class_name"].unique()
    groups = pd.DataFrame({"class_name": names, "group": "tail"})
    return SafeSparsity(**settings)(moments, groups, pd.Series(0.0, index=names))


@pytest.mark.parametrize(
    ("repetitions", "most"),
    [
        pytest.param(30, 0.17, id="few"),
        # 5 %, and two standard errors of 300 repetitions.
        pytest.param(300, 0.075, id="many", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(("n_runs", "runs_sd"), [(2, 0.05), (3, 0.05), (3, 0.005), (10, 0.1)])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_any_class_is_called_unsafe_wrongly_in_one_study_of_twenty(
    repetitions, most, n_runs, runs_sd, truth
):
    wrong, found = [], []
    really = np.arange(len(SPARSITIES)) >= truth[:, None]
    for seed in range(repetitions):
        table = verdicts(moments_of(truth, n_runs, runs_sd, seed))
        called = (table["verdict"] == "unsafe").to_numpy().reshape(really.shape)
        wrong.append((called & ~really).any())
        found.append(called[really].mean() if really.any() else np.nan)
    assert np.mean(wrong) <= most
    print(f"wrong {np.mean(wrong):.3f}, found {np.mean(found):.2f}")


def test_unsafe_at_a_sparsity_means_unsafe_at_every_higher_one():
    table = verdicts(moments_of(TRUTHS["one after another"], 10, 0.1, 3))
    for _, rows in table.groupby("class_name"):
        unsafe = (rows["verdict"] == "unsafe").to_numpy()
        assert (np.diff(unsafe.astype(int)) >= 0).all()
        assert (np.diff(rows["unsafe_p"]) <= 0).all()
    assert (table["verdict"] == "unsafe").any()
    uncorrected = table[table["reason"].str.contains("not after correction")]
    assert (uncorrected["ci_high"] < -0.1).all()
    assert set(uncorrected["verdict"]) == {"cannot tell"}


def test_one_class_at_one_sparsity_needs_no_correction():
    moments = moments_of(TRUTHS["no class"], 10, 0.02, 0)
    table = verdicts(moments)
    alone = verdicts(moments[(moments["class_name"] == "C00") & (moments["sparsity"] == 0.9)])
    row = table[(table["class_name"] == "C00") & (table["sparsity"] == 0.9)].iloc[0]
    assert row["unsafe_p"] == pytest.approx(min(20 * alone["unsafe_p"].iloc[0], 1))
    known = moments[(moments["class_name"] == "C00") & (moments["sparsity"] == 0.9)].iloc[0]
    variance = {
        over: known[f"{over}_var_pruned"]
        + 0.81 * known[f"{over}_var_dense"]
        - 1.8 * known[f"{over}_cov"]
        for over in ("runs", "patients")
    }
    below = 0.9 * known["dense"] - known["pruned"]
    total = sum(variance.values())
    both = total**2 / (variance["runs"] ** 2 / 9 + variance["patients"] ** 2 / 39)
    parts = [(total, both), (variance["runs"], 9), (variance["patients"], 39)]
    p = max(scipy.stats.t.sf(below / np.sqrt(v), df) for v, df in parts)
    assert alone["unsafe_p"].iloc[0] == pytest.approx(p)


def test_the_p_value_is_the_intervals():
    rng = np.random.default_rng(0)
    runs, patients, above = np.exp(rng.normal(size=(3, 300)))
    n_runs, n_patients = rng.integers(2, 12, 300), rng.integers(2, 90, 300)
    p = combined_p(above, runs, n_runs, patients, n_patients)
    for confidence in (0.6, 0.9, 0.99):
        half = combined_half_width(runs, n_runs, patients, n_patients, 2 * confidence - 1)
        np.testing.assert_array_equal(p < 1 - confidence, above > half)
    assert combined_p([0.1, 0.0, -0.1], 0.0, 3, 0.0, 20).tolist() == [0, 1, 1]
    assert np.isnan(combined_p(0.1, np.nan, 1, np.nan, 1))


def test_the_smallest_margin_is_the_one_from_which_on_the_class_is_safe():
    moments = moments_of(TRUTHS["half of them"], 10, 0.02, 1)
    table = verdicts(moments)
    row = table[table["smallest_margin"].between(0.05, 0.5)].iloc[0]
    here = (table["class_name"] == row["class_name"]) & (table["sparsity"] == row["sparsity"])
    for margin, verdict in ((0.001, "safe"), (-0.001, "cannot tell")):
        again = verdicts(moments, margin=row["smallest_margin"] + margin)
        assert (again.loc[here, "verdict"].iloc[0] == "safe") == (verdict == "safe")


def test_a_class_that_dense_does_not_find_gets_no_verdict():
    moments = moments_of(TRUTHS["no class"], 3, 0.02, 2)
    chance_like = moments["class_name"] == "C03"
    moments.loc[chance_like, ["dense", "pruned"]] = [0.01, 0.0]
    table = verdicts(moments)
    row = table[chance_like]
    assert set(row["reason"]) == {"the dense model does not find this class"}
    assert set(row["verdict"]) == {"cannot tell"}
    assert row["smallest_margin"].isna().all()
    assert not table.loc[~chance_like, "reason"].str.contains("dense model").any()
