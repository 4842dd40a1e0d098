"""Regression over pairs of classes whose p-values know that pairs share classes: MRQAP with double
semi-partialing (Dekker, Krackhardt and Snijders, *Psychometrika* 2007)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import permutation_p, permutations_of, permuted_pairs


def mrqap(
    outcome: np.ndarray, terms: dict[str, np.ndarray], permutations: int, seed: int
) -> pd.DataFrame:
    """term, n, coefficient, t, ols_p, permutation_p of symmetric (classes, classes) matrices.

    Classes with a missing value towards any class that is kept are left out, fewest first.
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
    table[["coefficient", "t", "ols_p", "permutation_p"]] = np.nan
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
            table.loc[row, "permutation_p"] = permutation_p(t[0], np.concatenate(permuted))
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
