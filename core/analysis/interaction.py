"""Do frequency and co-occurrence act together on how differently two classes are forgotten?

Holste et al., MICCAI 2023, section 3.2: ordinary least squares
fcd ~ frequency difference * IoU^(1/4) over all pairs of classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import (
    CONFIDENCE,
    SEED,
    permutation_p,
    permutations_of,
    permuted_pairs,
)
from core.analysis.class_pairs import pair_matrices
from core.analysis.decay import ForgettabilityCurves

INTERACTION = ("term", "model", "n", "coefficient", "t", "ols_p", "permutation_p")
MODELS = {"corrected": "", "paper": "_paper"}


@dataclass(frozen=True)
class Interaction:
    """INTERACTION, four terms each for the corrected pair statistics and for the paper's.

    Takes the class metrics table, the test split's label matrix and its class names. Terms:
    `intercept`, `log_frequency_difference`, `cooccurrence_iou_fourth_root` and the product, written
    `log_frequency_difference:cooccurrence_iou_fourth_root`; those of the paper's model carry
    `_paper`. ols_p takes the pairs as independent (paper). permutation_p (corrected) is MRQAP
    with double semi-partialing (Dekker, Krackhardt and Snijders, Psychometrika 2007): what the
    other terms leave of a term has its classes permuted, rows and columns together, and its t
    value is compared, two-sided. Missing for the intercept, and everywhere where fewer than five
    pairs are known or the terms depend linearly on each other.
    """

    metric: str = "ap"
    permutations: int = 2000
    seed: int = SEED

    def __call__(
        self, class_metrics: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str]
    ) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        matrices = pair_matrices(curves, label_matrix, list(class_names))
        rows = []
        for model, suffix in MODELS.items():
            frequency = matrices[f"log_frequency_difference{suffix}"]
            iou = matrices[f"cooccurrence_iou{suffix}"] ** 0.25
            names = [f"log_frequency_difference{suffix}", f"cooccurrence_iou{suffix}_fourth_root"]
            terms = {names[0]: frequency, names[1]: iou, ":".join(names): frequency * iou}
            fit = mrqap(matrices["fcd"], terms, self.permutations, self.seed)
            fit["term"] = fit["term"].replace("intercept", f"intercept{suffix}")
            rows.append(fit.assign(model=model))
        return pd.concat(rows, ignore_index=True)[list(INTERACTION)]


def one_model(table: pd.DataFrame, corrected: bool) -> pd.DataFrame:
    """The rows of one model, with `plain_term`: the term's name without `_paper`."""
    rows = table[table["model"] == ("corrected" if corrected else "paper")]
    return rows.assign(plain_term=rows["term"].str.replace("_paper", "", regex=False))


def mrqap(
    outcome: np.ndarray, terms: dict[str, np.ndarray], permutations: int, seed: int
) -> pd.DataFrame:
    """term, n, coefficient, t, ols_p, permutation_p, ci_low, ci_high of symmetric (classes,
    classes) matrices.

    Classes with a missing value towards any class that is kept are left out, fewest first. The
    interval is the coefficient with its standard error times the 95th percentile of |t| under
    permutation, so that it and the permutation p agree.
    """
    keep = _complete_classes([outcome, *terms.values()])
    square = np.ix_(keep, keep)
    first, second = np.triu_indices(len(keep), k=1)
    y = outcome[square][first, second]
    columns = [np.ones(len(y)), *(matrix[square][first, second] for matrix in terms.values())]
    design = np.column_stack(columns)
    names = ["intercept", *terms]
    freedom = len(y) - design.shape[1]
    table = pd.DataFrame({"term": names, "n": len(y)})
    table[["coefficient", "t", "ols_p", "permutation_p", "ci_low", "ci_high"]] = np.nan
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return table
    orders = permutations_of(len(keep), permutations, seed)
    for row, name in enumerate(names):
        others, _ = np.linalg.qr(np.delete(design, row, axis=1))
        left = design[:, row] - others @ (others.T @ design[:, row])
        coefficient, t = _partial_fit(y, left[None, :], others, freedom)
        if not np.isfinite(t[0]):  # nothing left to explain
            table.loc[row, "coefficient"] = coefficient[0]
            continue
        table.loc[row, ["coefficient", "t"]] = coefficient[0], t[0]
        table.loc[row, "ols_p"] = 2 * scipy.stats.t.sf(abs(t[0]), freedom)
        if name != "intercept":
            residual = np.zeros((len(keep), len(keep)))
            residual[first, second] = residual[second, first] = left
            permuted = [
                _partial_fit(y, rows, others, freedom)[1]
                for rows in permuted_pairs(residual, orders)
            ]
            drawn = np.concatenate(permuted)
            half = np.quantile(np.abs(drawn), CONFIDENCE) * abs(coefficient[0] / t[0])
            table.loc[row, "permutation_p"] = permutation_p(t[0], drawn)
            table.loc[row, ["ci_low", "ci_high"]] = coefficient[0] - half, coefficient[0] + half
    return table


def _partial_fit(
    y: np.ndarray, rows: np.ndarray, others: np.ndarray, freedom: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficient and t of each of (m, n) rows beside the columns of orthonormal `others`."""
    left = rows - (rows @ others) @ others.T
    y_left = y - others @ (others.T @ y)
    square = (left**2).sum(axis=1)
    coefficient = left @ y_left / square
    unexplained = np.maximum((y_left**2).sum() - coefficient**2 * square, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return coefficient, coefficient / np.sqrt(unexplained / freedom / square)


def _complete_classes(matrices: list[np.ndarray]) -> np.ndarray:
    missing = np.any([np.isnan(matrix) for matrix in matrices], axis=0)
    np.fill_diagonal(missing, False)
    keep = np.arange(len(missing))
    while missing[np.ix_(keep, keep)].any():
        keep = np.delete(keep, missing[np.ix_(keep, keep)].sum(axis=1).argmax())
    return keep
