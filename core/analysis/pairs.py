"""Pairs of classes: how differently two classes are forgotten, and how often they occur together.

Formulas of Holste et al., MICCAI 2023, section 2: forgettability curve dissimilarity (FCD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.decay import wide_curves


def fcd_matrix(curves: pd.DataFrame) -> pd.DataFrame:
    """Euclidean distance of every two forgettability curves over sparsities > 0 (paper).

    Takes forgettability curves, returns a symmetric frame, class by class, zero on its diagonal;
    missing for a class whose curve is missing anywhere.
    """
    names, sparsities, values = wide_curves(curves)
    pruned = values[:, sparsities > 0]
    difference = pruned[:, None, :] - pruned[None, :, :]
    return pd.DataFrame(np.sqrt((difference**2).sum(axis=2)), index=names, columns=names)


def cooccurrence_iou(label_matrix: np.ndarray, class_names: list[str]) -> pd.DataFrame:
    """n_ab / (n_a + n_b - n_ab) for every two classes, over images where both are certain.

    label_matrix: (images, classes) of 1, 0, NaN. Missing where neither class occurs.
    """
    known = (~np.isnan(label_matrix)).astype(float)
    positive = np.nan_to_num(label_matrix)
    both = positive.T @ positive
    # A class counts only where its partner's label is known too.
    either = positive.T @ known + known.T @ positive - both
    with np.errstate(invalid="ignore"):
        iou = np.where(either > 0, both / either, np.nan)
    return pd.DataFrame(iou, index=class_names, columns=class_names)


def clustered_order(distances: pd.DataFrame) -> list[str]:
    """Class names so that similarly forgotten ones stand together (average linkage, optimal
    leaves); classes without a distance come last."""
    complete = distances.index[distances.notna().sum(axis=1) > 1]
    rest = [name for name in distances.index if name not in complete]
    if len(complete) < 3:
        return [*complete, *rest]
    condensed = scipy.spatial.distance.squareform(
        distances.loc[complete, complete].to_numpy(), checks=False
    )
    hierarchy = scipy.cluster.hierarchy
    tree = hierarchy.optimal_leaf_ordering(hierarchy.linkage(condensed, "average"), condensed)
    return [*complete[hierarchy.leaves_list(tree)], *rest]


@dataclass(frozen=True)
class PairFacts:
    """What is known of two classes together; `fcd` and `iou` are NaN where undefined."""

    fcd: float
    iou: float
    n_both: int
    n_first: int
    n_second: int


def pair_facts(
    fcd: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str], pair: tuple[str, str]
) -> PairFacts:
    """FCD, co-occurrence and counts of one pair over images where both labels are certain.

    label_matrix: (images, classes) of 1, 0, NaN, in the order of `class_names`.
    """
    columns = label_matrix[:, [class_names.index(name) for name in pair]]
    certain = columns[~np.isnan(columns).any(axis=1)]
    n_first, n_second = (int(n) for n in certain.sum(axis=0))
    iou = float(cooccurrence_iou(columns, list(pair)).iat[0, 1])
    both = int((certain.sum(axis=1) == 2).sum())
    return PairFacts(float(fcd.at[pair]), iou, both, n_first, n_second)


def most_different(fcd: pd.DataFrame, leave_out: frozenset[str] = frozenset()) -> tuple[str, str]:
    """The two classes of largest FCD, of those not left out while two remain; the first two where
    no pair has one."""
    kept = [name for name in fcd.index if name not in leave_out]
    if len(kept) > 1 and fcd.loc[kept, kept].notna().sum(axis=None) > len(kept):
        fcd = fcd.loc[kept, kept]
    upper = np.triu(fcd.to_numpy(float), k=1)
    row, column = divmod(int(np.nanargmax(upper)), len(upper))
    if row == column:
        row, column = 0, 1
    return str(fcd.index[row]), str(fcd.index[column])
