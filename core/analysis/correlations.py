"""The paper's correlations over classes and over pairs of classes, for AP and calibrated AP.

A name is `x~y`, as in the paper's figures; for any other metric than AP it ends in `:metric`, as
in `log_train_frequency~first_drop_sparsity:calibrated_ap`. `_fourth_root` is IoU^(1/4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import bootstrap
from core.analysis.class_pairs import pair_matrices
from core.analysis.class_summary import EXTREME_SPARSITY
from core.analysis.decay import ForgettabilityCurves
from core.analysis.forgettability import InterpolatedFirstDrop, change_at
from core.study.columns import Column, Columns, Unit

CORRELATIONS = Columns(
    Column("name", "`x~y`, as in the paper's figures.", label="Correlation"),
    Column("n", "Classes, or pairs of classes.", label="n"),
    Column("pearson_r", "Pearson's correlation.", label="r"),
    Column("pearson_p", "Its p-value, which takes the points as independent (paper).", Unit.P, "p"),
    Column("spearman_rho", "Spearman's rank correlation.", label="rho"),
    Column("spearman_p", "Its p-value (paper).", Unit.P, "p of rho"),
    Column("permutation_p", "From permuting classes; Mantel's test for pairs.", Unit.P),
    Column(
        "kendall_tau_b",
        "Of the interpolated first drop; classes that never drop are tied last, and so "
        "are those that drop between the same sparsities more than 10 points apart.",
    ),
    Column("kendall_p", "Its p-value.", Unit.P),
    Column("n_kendall", "Classes in it."),
    what="The paper's correlations, with p-values that know that pairs share classes.",
    row="a correlation; one with `:calibrated_ap` is of that metric. Noise counts as difference in "
    "all of them: see `claims` for conclusions",
)
# A correlation of two points is always 1 or -1.
LEAST_CLASSES = 3
Figures = dict[str, float]  # of CORRELATIONS without the name; counts are whole


@dataclass(frozen=True)
class Correlations:
    """CORRELATIONS: for each metric, two rows over classes and four over pairs of classes. Noise
    counts as difference in all of them, so nothing is concluded from them but by the paper; see
    `claims`.

    Takes the class metrics table, class frequencies, the test split's label matrix and its class
    names. Pearson and Spearman with their p-values are the paper's; the 190 pairs of 20 classes
    are not independent, so the corrected permutation_p permutes classes: over classes one of
    the two variables, over pairs the rows and columns of FCD together (Mantel), two-sided in
    Pearson's r. Classes that never drop by 20 % are left out of n (paper); the first-drop
    rows add Kendall's tau-b of the interpolated first drop with those classes, right-censored
    at the end of the grid, tied above all others (corrected). A class without a curve or without
    a positive is left out everywhere. Below 3 points, or where one side is constant: missing.
    """

    metrics: tuple[str, ...] = ("ap", "calibrated_ap")
    permutations: int = 2000
    seed: int = bootstrap.SEED

    def __call__(
        self,
        class_metrics: pd.DataFrame,
        frequencies: pd.DataFrame,
        label_matrix: np.ndarray,
        class_names: list[str],
    ) -> pd.DataFrame:
        names = list(class_names)
        train = frequencies.set_index("class_name")["train_frequency"].reindex(names)
        log_train = np.full(len(names), np.nan)
        np.log(train.to_numpy(float), out=log_train, where=train.to_numpy(float) > 0)
        rows = []
        for metric in self.metrics:
            curves = ForgettabilityCurves(metric)(class_metrics)
            suffix = "" if metric == "ap" else f":{metric}"
            found = self._over_classes(curves, log_train, names)
            found |= self._over_pairs(pair_matrices(curves, label_matrix, names))
            rows += [{"name": name + suffix, **figures} for name, figures in found.items()]
        return pd.DataFrame(rows, columns=CORRELATIONS.names).astype({"n_kendall": "Int64"})

    def _over_classes(
        self, curves: pd.DataFrame, log_train: np.ndarray, names: list[str]
    ) -> dict[str, Figures]:
        drops = InterpolatedFirstDrop()(curves).set_index("class_name").reindex(names)
        first = drops["first_drop_sparsity"].to_numpy(float)
        extreme = change_at(curves, EXTREME_SPARSITY).reindex(names).to_numpy(float)
        # Those that drop in one wide gap of the grid are tied.
        interpolated = drops["first_drop_interpolated"].fillna(drops["first_drop_sparsity"])
        censored = drops["first_drop_censored"].eq(True).to_numpy()
        return {
            "log_train_frequency~first_drop_sparsity": self._class_figures(log_train, first)
            | censored_kendall(log_train, interpolated.to_numpy(float), censored),
            "log_train_frequency~relative_ap_change_at_95": self._class_figures(log_train, extreme),
        }

    def _class_figures(self, x: np.ndarray, y: np.ndarray) -> Figures:
        there = ~(np.isnan(x) | np.isnan(y))
        row = correlate(x[there], y[there])
        if not np.isnan(row["pearson_r"]):
            orders = bootstrap.permutations_of(int(there.sum()), self.permutations, self.seed)
            shuffled = bootstrap.row_pearson(x[there], y[there][orders])
            row["permutation_p"] = bootstrap.permutation_p(row["pearson_r"], shuffled)
        return row

    def _over_pairs(self, matrices: dict[str, np.ndarray]) -> dict[str, Figures]:
        sides = {
            "log_frequency_difference": matrices["log_frequency_difference"],
            "cooccurrence_iou_fourth_root": matrices["cooccurrence_iou"] ** 0.25,
            "log_frequency_difference_paper": matrices["log_frequency_difference_paper"],
            "cooccurrence_iou_paper_fourth_root": matrices["cooccurrence_iou_paper"] ** 0.25,
        }
        return {
            f"fcd~{name}": mantel(side, matrices["fcd"], self.permutations, self.seed)
            for name, side in sides.items()
        }


def named_row(table: pd.DataFrame, name: str, metric: str = "ap") -> dict[str, float] | None:
    """One row of `Correlations`' table; None without one."""
    wanted = name if metric == "ap" else f"{name}:{metric}"
    rows = table[table["name"] == wanted]
    return None if rows.empty else rows.iloc[0].to_dict()


def correlate(x: np.ndarray, y: np.ndarray) -> Figures:
    """n, pearson_r, pearson_p, spearman_rho, spearman_p as scipy gives them; NaN if undefined."""
    row: Figures = dict.fromkeys(CORRELATIONS.names[2:], np.nan) | {"n": len(x)}
    if len(x) >= LEAST_CLASSES and np.ptp(x) > 0 and np.ptp(y) > 0:
        row["pearson_r"], row["pearson_p"] = map(float, scipy.stats.pearsonr(x, y))
        row["spearman_rho"], row["spearman_p"] = map(float, scipy.stats.spearmanr(x, y))
    return row


def censored_kendall(x: np.ndarray, y: np.ndarray, censored: np.ndarray) -> Figures:
    """kendall_tau_b, kendall_p, n_kendall of x and y, censored y tied above every known one."""
    there = ~np.isnan(x) & (censored | ~np.isnan(y))
    x, y = x[there], np.where(censored, np.inf, y)[there]
    row: Figures = {"n_kendall": len(x)}
    if len(x) >= LEAST_CLASSES and len(np.unique(x)) > 1 and len(np.unique(y)) > 1:
        # Ranks only: any number above 1 stands for "later than the grid ends".
        tau, p = scipy.stats.kendalltau(x, np.where(np.isinf(y), 2.0, y), variant="b")
        row |= {"kendall_tau_b": float(tau), "kendall_p": float(p)}
    return row


def mantel(x: np.ndarray, y: np.ndarray, permutations: int, seed: int) -> Figures:
    """`correlate` of the upper triangles of two symmetric matrices, with Mantel's p-value.

    Classes that have no pair with both values are left out before classes are permuted; a pair
    that a permutation leaves without a value is left out of that permutation.
    """
    known = ~(np.isnan(x) | np.isnan(y))
    np.fill_diagonal(known, False)
    keep = np.flatnonzero(known.any(axis=1))
    x, y = x[np.ix_(keep, keep)], y[np.ix_(keep, keep)]
    first, second = np.triu_indices(len(keep), k=1)
    x_pairs, y_pairs = x[first, second], y[first, second]
    there = ~(np.isnan(x_pairs) | np.isnan(y_pairs))
    row = correlate(x_pairs[there], y_pairs[there])
    if not np.isnan(row["pearson_r"]):
        orders = bootstrap.permutations_of(len(keep), permutations, seed)
        shuffled = [
            bootstrap.row_pearson(x_pairs, rows) for rows in bootstrap.permuted_pairs(y, orders)
        ]
        row["permutation_p"] = bootstrap.permutation_p(row["pearson_r"], np.concatenate(shuffled))
    return row
