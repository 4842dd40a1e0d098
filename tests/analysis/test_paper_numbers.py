"""Every paper-compatible column equals plain scikit-learn, scipy and pandas code written after
the published analysis code of Holste et al. (VITA-Group/PruneCXR), to 1e-9."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import euclidean
from scipy.stats import pearsonr, spearmanr, ttest_1samp, ttest_ind
from sklearn.metrics import average_precision_score

from core.analysis.class_pairs import ClassPairs
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations
from core.analysis.forgettability import Forgettability
from core.analysis.interaction import Interaction
from core.analysis.overall import Overall
from core.analysis.pie import Pies
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.study.labels import class_frequencies
from core.study.settings import GroupSettings
from tests.simulations import simulate

CLOSE = {"rel": 0, "abs": 1e-9, "nan_ok": True}
SHAPES = {"nih-cxr-lt": 700, "mimic-cxr-lt": 500}


def plain_metrics(simulation) -> pd.DataFrame:
    truth = simulation.matrix
    rows = [
        (
            run,
            s,
            name,
            average_precision_score(truth[:, c], simulation.probabilities[run, at, :, c]),
        )
        for run in range(len(simulation.probabilities))
        for at, s in enumerate(simulation.sparsities)
        for c, name in enumerate(simulation.class_names)
        if truth[:, c].any()
    ]
    return pd.DataFrame(rows, columns=["seed", "ratio", "label", "ap"])


def plain_medians(metrics: pd.DataFrame) -> pd.DataFrame:
    """Median over runs of the relative change, ratios > 0: rows classes, columns ratios."""
    dense = metrics[metrics["ratio"] == 0].set_index(["seed", "label"])["ap"]
    pruned = metrics[metrics["ratio"] > 0].copy()
    before = dense.reindex(pd.MultiIndex.from_frame(pruned[["seed", "label"]])).to_numpy()
    pruned["ap"] = (pruned["ap"] - before) / before
    return pruned.groupby(["label", "ratio"])["ap"].median().unstack()


def plain_means(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean AP over runs: rows classes, columns ratios."""
    return metrics.groupby(["label", "ratio"])["ap"].mean().unstack()


def plain_pairs(simulation, medians: pd.DataFrame) -> pd.DataFrame:
    y = pd.DataFrame(simulation.matrix.astype(int), columns=simulation.class_names)
    co = pd.DataFrame(np.dot(y.T, y), index=y.columns, columns=y.columns)
    rows = []
    for a, b in combinations(y.columns, 2):
        fcd = euclidean(medians.loc[a].values, medians.loc[b].values)
        n_ab = co.loc[a, b]
        iou_paper = n_ab / (co[a].sum() + co[b].sum() - n_ab)
        iou = (y[a].astype(bool) & y[b].astype(bool)).sum() / (y[a] + y[b] > 0).sum()
        log_paper = abs(np.log(co[a].sum()) - np.log(co[b].sum()))
        log = abs(np.log(y[a].sum()) - np.log(y[b].sum()))
        rms = np.sqrt(np.mean((medians.loc[a] - medians.loc[b]) ** 2))
        rows.append((a, b, fcd, rms, iou, iou_paper, log, log_paper))
    return pd.DataFrame(
        rows,
        columns=[
            "class_a",
            "class_b",
            "fcd",
            "fcd_rms",
            "cooccurrence_iou",
            "cooccurrence_iou_paper",
            "log_frequency_difference",
            "log_frequency_difference_paper",
        ],
    )


@pytest.fixture(scope="module", params=list(SHAPES))
def case(request):
    simulation = simulate(request.param, SHAPES[request.param])
    plain = plain_metrics(simulation)
    frequencies = class_frequencies(simulation.labels, GroupSettings())
    return simulation, simulation.class_metrics(), frequencies, plain, plain_medians(plain)


def first_drops(medians: pd.DataFrame) -> pd.Series:
    drops = {}
    for name, curve in medians.iterrows():
        below = np.where(curve.to_numpy() < -0.2)[0]
        drops[name] = curve.index[below[0]] if len(below) else np.nan
    return pd.Series(drops)


def test_forgettability_curves(case):
    _, metrics, _, plain, medians = case
    table = Forgettability()(metrics)
    pruned = table[table["sparsity"] > 0].pivot(
        index="class_name", columns="sparsity", values="relative_ap_change"
    )
    assert pruned.loc[medians.index].to_numpy() == pytest.approx(medians.to_numpy(), **CLOSE)
    assert (table[table["sparsity"] == 0]["relative_ap_change"] == 0).all()
    assert (table["n_runs"] == 4).all()
    wide = plain_means(plain)
    ratio = wide.drop(columns=0.0).div(wide[0.0], axis=0) - 1
    means = table[table["sparsity"] > 0].pivot(
        index="class_name", columns="sparsity", values="mean_change"
    )
    assert means.loc[ratio.index].to_numpy() == pytest.approx(ratio.to_numpy(), **CLOSE)
    known = table["ci_low"].notna()
    assert (table["ci_low"] <= table["mean_change"])[known].all()
    assert (table["ci_high"] >= table["mean_change"])[known].all()


def test_class_summary(case):
    simulation, metrics, frequencies, plain, medians = case
    table = ClassSummary()(metrics, frequencies).set_index("class_name")
    train = simulation.labels.split("train")
    names = medians.index
    assert table.loc[names, "first_drop_sparsity"].to_numpy() == pytest.approx(
        first_drops(medians)[names].to_numpy(), **CLOSE
    )
    assert table.loc[names, "relative_ap_change_at_95"].to_numpy() == pytest.approx(
        medians[0.95].to_numpy(), **CLOSE
    )
    assert table.loc[names, "train_frequency"].to_numpy() == pytest.approx(
        train[list(names)].astype(float).mean().to_numpy(), **CLOSE
    )
    wide = plain.pivot(index="seed", columns=["label", "ratio"], values="ap")
    p = {c: ttest_1samp(wide[c, 0.95] - wide[c, 0.0], 0).pvalue for c in names}
    assert table.loc[names, "p_value"].to_numpy() == pytest.approx(list(p.values()), **CLOSE)
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    q = multitest.multipletests(list(p.values()), method="fdr_bh")[1]
    assert table.loc[names, "q_value"].to_numpy() == pytest.approx(q, **CLOSE)


def test_class_pairs(case):
    simulation, metrics, _, _, medians = case
    table = ClassPairs()(metrics, simulation.matrix, simulation.class_names)
    plain = plain_pairs(simulation, medians)
    assert table[["class_a", "class_b"]].equals(plain[["class_a", "class_b"]])
    for column in plain.columns[2:]:
        assert table[column].to_numpy() == pytest.approx(plain[column].to_numpy(), **CLOSE), column


def test_correlations(case):
    simulation, metrics, frequencies, _, medians = case
    table = (
        Correlations(permutations=99)(
            metrics, frequencies, simulation.matrix, simulation.class_names
        )
    ).set_index("name")
    pairs = plain_pairs(simulation, medians)
    log_train = np.log(simulation.labels.split("train")[list(medians.index)].sum().astype(float))
    drops = first_drops(medians)[medians.index]
    known = drops.notna().to_numpy()
    expected = {
        "log_train_frequency~first_drop_sparsity": (log_train[known], drops[known]),
        "log_train_frequency~relative_ap_change_at_95": (log_train, medians[0.95]),
        "fcd~log_frequency_difference": (pairs["log_frequency_difference"], pairs["fcd"]),
        "fcd~cooccurrence_iou_fourth_root": (pairs["cooccurrence_iou"] ** 0.25, pairs["fcd"]),
        "fcd~log_frequency_difference_paper": (
            pairs["log_frequency_difference_paper"],
            pairs["fcd"],
        ),
        "fcd~cooccurrence_iou_paper_fourth_root": (
            pairs["cooccurrence_iou_paper"] ** 0.25,
            pairs["fcd"],
        ),
    }
    assert list(table.index) == [*expected, *(f"{name}:calibrated_ap" for name in expected)]
    for name, (x, y) in expected.items():
        row = table.loc[name]
        assert row["n"] == len(x)
        assert [row["pearson_r"], row["pearson_p"]] == pytest.approx(list(pearsonr(x, y)), **CLOSE)
        rank = list(spearmanr(x, y))
        assert [row["spearman_rho"], row["spearman_p"]] == pytest.approx(rank, **CLOSE)
        assert 0.01 <= row["permutation_p"] <= 1


def test_overall(case):
    _, metrics, _, plain, _ = case
    table = Overall()(metrics).set_index("sparsity")
    means = plain.groupby(["seed", "ratio"])["ap"].mean().unstack()
    assert table["mean_ap"].to_numpy() == pytest.approx(means.mean().to_numpy(), **CLOSE)
    assert table["median_ap"].to_numpy() == pytest.approx(means.median().to_numpy(), **CLOSE)
    welch = {
        s: ttest_ind(means[s], means[0.0], equal_var=False).pvalue for s in means.columns if s > 0
    }
    assert table["welch_p"].iloc[1:].to_numpy() == pytest.approx(list(welch.values()), **CLOSE)
    first = next(s for s, p in welch.items() if p < 0.05 and means[s].mean() < means[0.0].mean())
    assert list(table.index[table["first_significant_paper"]]) == [first]
    raw = [ttest_1samp(means[s] - means[0.0], 0).pvalue for s in welch]
    assert table["paired_p_raw"].iloc[1:].to_numpy() == pytest.approx(raw, **CLOSE)
    largest, sequence = 0.0, {}
    for s, p in reversed(list(zip(welch, raw, strict=True))):  # from the highest sparsity down
        largest = max(largest, p if means[s].mean() < means[0.0].mean() else 1)
        sequence[s] = largest
    assert [sequence[s] for s in welch] == pytest.approx(table["paired_p"].iloc[1:], **CLOSE)
    reached = [s for s, p in sequence.items() if p < 0.05]
    assert list(table.index[table["first_significant_corrected"]]) == [min(reached)]


def test_interaction(case):
    ols = pytest.importorskip("statsmodels.formula.api").ols
    simulation, metrics, _, _, medians = case
    table = Interaction(permutations=99)(metrics, simulation.matrix, simulation.class_names)
    pairs = plain_pairs(simulation, medians)
    data = pairs.assign(
        f=pairs["log_frequency_difference_paper"], i=pairs["cooccurrence_iou_paper"] ** 0.25
    )
    fit = ols("fcd ~ f * i", data).fit()
    assert list(table["term"])[3] == (
        "log_frequency_difference_paper:cooccurrence_iou_paper_fourth_root"
    )
    for column, theirs in (("coefficient", fit.params), ("t", fit.tvalues)):
        assert table[column].to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-9, abs=1e-9)
    assert table["ols_p"].to_numpy() == pytest.approx(fit.pvalues.to_numpy(), **CLOSE)
    assert table["permutation_p"].iloc[1:].between(0.01, 1).all()


def test_pies_and_their_composition(case):
    simulation, *_ = case
    names, test = simulation.class_names, simulation.test
    at = simulation.sparsities.index(0.9)
    ensembles = [simulation.probabilities[:, i].mean(axis=0, dtype=float) for i in (0, at)]
    dense, pruned = (pd.DataFrame(matrix, columns=names) for matrix in ensembles)
    correlation = dense.corrwith(pruned, method="spearman", axis=1)
    lowest = np.argsort(correlation.to_numpy(), kind="stable")[: int(0.05 * len(test))]
    pies = Pies()(test["image_id"], *ensembles)
    assert pies["agreement"].to_numpy() == pytest.approx(correlation.to_numpy(), **CLOSE)
    assert set(np.flatnonzero(pies["is_pie"])) == set(lowest)

    y = test[names].astype(float)
    found = [name for name in names if name != "No Finding"]
    inside = y.loc[lowest, found].sum() / len(lowest)
    outside = y.drop(index=lowest)[found].sum() / (len(y) - len(lowest))
    table = PieClassRatio(draws=50)(pies, test, tuple(names))
    assert list(table["class_name"]) == found
    assert table["pie_frequency"].to_numpy() == pytest.approx(inside.to_numpy(), **CLOSE)
    assert table["non_pie_frequency"].to_numpy() == pytest.approx(outside.to_numpy(), **CLOSE)
    assert table["ratio"].to_numpy() == pytest.approx((inside / outside).to_numpy(), **CLOSE)

    n_findings = y[found].sum(axis=1).clip(upper=4)
    counts = PieFindingCountRatio(draws=50)(pies, test, tuple(names))
    assert list(counts["finding_count"]) == ["0", "1", "2", "3", "4+"]
    for k, row in counts.iterrows():
        among = (n_findings.loc[lowest] == k).mean()
        others = (n_findings.drop(index=lowest) == k).mean()
        assert [row["pie_frequency"], row["non_pie_frequency"], row["ratio"]] == pytest.approx(
            [among, others, among / others], **CLOSE
        )
