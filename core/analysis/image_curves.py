"""One image's probabilities over sparsity: the middle of the runs, how many lie below the operating
point, and how many of those that had a finding when dense lose it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from core.analysis.lost import CHANGED, OPERATING_POINT, RANK, LostBy

SUMMARY = ("mean", "median", "lower", "upper", "n_below")
# "below" is below the operating point, or ranking above too few images without the class.
Fate = Literal["no_limit", "below_dense", "lost", "dips", "stays", "raised"]
COUNTED: dict[Fate, tuple[str, str]] = {
    "below_dense": ("n_below", "n_runs"),
    "lost": ("n_lost", "n_had"),
    "dips": ("n_lost", "n_had"),
    "raised": ("n_raised", "n_lacked"),
}


def over_runs(probabilities: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(images, classes, SUMMARY) float32 of (runs, images, classes) probabilities.

    mean is the ensemble's, to the last bit: summed run by run in float64. Median and quartiles as
    numpy.quantile, interpolated linearly; n_below counts the runs whose probability is below the
    class's operating point, NaN where it has none. points: (classes,).
    """
    n_runs = len(probabilities)
    ordered = np.sort(probabilities, axis=0)
    summary = np.empty((*probabilities.shape[1:], len(SUMMARY)), np.float32)
    total = np.zeros(probabilities.shape[1:])
    for of_run in probabilities:
        total += of_run
    summary[..., 0] = total / n_runs
    for at, share in enumerate((0.5, 0.25, 0.75), start=1):
        place = share * (n_runs - 1)
        low = int(place)
        high = min(low + 1, n_runs - 1)
        weight = np.float32(place - low)
        summary[..., at] = ordered[low] + weight * (ordered[high] - ordered[low])
    limits = points.astype(np.float32)
    summary[..., -1] = (probabilities < limits).sum(axis=0)
    summary[..., -1][:, np.isnan(limits)] = np.nan
    return summary


def changed_runs(
    probabilities: np.ndarray, dense: list[np.ndarray | None], points: np.ndarray
) -> np.ndarray:
    """(images, classes, CHANGED) float32: how many runs had a finding when dense (their own dense
    probability reaches the class's operating point), and how many of these are below the point
    here; how many lacked it, and how many of these reach the point here.

    probabilities: (runs, images, classes) here. dense: (images, classes) of the same runs, None for
    a run without a dense prediction, which counts in none. points: (classes,), NaN for none, where
    all is NaN.
    """
    limits = points.astype(np.float32)
    counts = np.zeros((*probabilities.shape[1:], len(CHANGED)), np.float32)
    for of_run, when_dense in zip(probabilities, dense, strict=True):
        if when_dense is None:
            continue
        had, called = when_dense >= limits, of_run >= limits
        for at, found in enumerate((had, had & ~called, ~had, ~had & called)):
            counts[..., at] += found
    counts[:, np.isnan(limits)] = np.nan
    return counts


def curves_table(
    summary: np.ndarray,
    ranks: np.ndarray,
    changed: np.ndarray,
    sparsities: list[float],
    n_runs: list[int],
    class_names: tuple[str, ...],
) -> pd.DataFrame:
    """class_name, sparsity, mean, median, lower, upper, n_below, n_runs, rank, n_had, n_lost,
    n_lacked, n_raised of one image, by class.

    summary: (sparsities, classes, SUMMARY). ranks: (sparsities, classes). changed: (sparsities,
    classes, CHANGED). With one run lower and upper are missing: a single value has no quartiles.
    """
    n_classes = len(class_names)
    by_class = summary.transpose(1, 0, 2).reshape(-1, len(SUMMARY)).astype(float)
    table = pd.DataFrame(by_class, columns=list(SUMMARY))
    table.insert(0, "class_name", np.repeat(np.array(class_names, object), len(sparsities)))
    table.insert(1, "sparsity", list(sparsities) * n_classes)
    table["n_below"] = table["n_below"].astype("Int64")
    table["n_runs"] = list(n_runs) * n_classes
    table.loc[table["n_runs"] < 2, ["lower", "upper"]] = np.nan
    table["rank"] = ranks.T.reshape(-1).astype(float)
    for at, name in enumerate(CHANGED):
        table[name] = changed[..., at].T.reshape(-1).astype(float)
        table[name] = table[name].astype("Int64")
    return table


@dataclass(frozen=True)
class FindingFate:
    """What becomes of one class of one image as the model is pruned.

    labelled: None for uncertain. at: where it is lost or raised, or first dips; there it is so in
    n_changed of the n_before runs that had it when dense (raised: that lacked it). Where the dense
    average is below already, these are the runs below the operating point, of all.
    `dense_mean` and `last_mean` are of the probabilities over runs, when dense and at the end of
    the grid, `last_sparsity`. By rank runs are not counted; there are `dense_rank`, `rank` there,
    and `least`, the smallest that is found. "raised" is of a class that the image is certain not to
    carry: called from there on, and not when dense.
    """

    class_name: str
    labelled: bool | None
    fate: Fate
    at: float | None = None
    n_changed: int | None = None
    n_before: int | None = None
    by: LostBy = OPERATING_POINT
    dense_rank: float | None = None
    rank: float | None = None
    least: float | None = None
    dense_mean: float | None = None
    last_mean: float | None = None
    last_sparsity: float | None = None


def finding_fates(
    curves: pd.DataFrame,
    points: dict[str, float],
    labelled: dict[str, bool | None],
    by: LostBy = OPERATING_POINT,
) -> list[FindingFate]:
    """Of every class an image is labelled with, those that it loses first; then of every class
    that it is certain not to carry and that is raised, then of others that are lost; the earliest
    first within each.

    curves: `curves_table` of the image. points: operating points by class, NaN for none; by rank
    the smallest rank that is found. Below and above are said of the mean over runs, as for
    `lost_at_sparsity`.
    """
    fates = [
        _finding_fate(str(name), labelled[name], curve, points[name], by)
        for name, curve in curves.groupby("class_name", sort=False)
    ]
    kinds = ["raised", "lost"]  # of what an image is not labelled with
    told = [fate for fate in fates if fate.labelled or fate.fate in kinds]
    return sorted(
        told,
        key=lambda fate: (
            not fate.labelled,
            fate.fate != "lost" if fate.labelled else kinds.index(fate.fate),
            np.inf if fate.at is None else fate.at,
        ),
    )


def _finding_fate(
    name: str, labelled: bool | None, curve: pd.DataFrame, limit: float, by: LostBy
) -> FindingFate:
    first, last = curve.iloc[0], curve.iloc[-1]
    found = FindingFate(
        name,
        labelled,
        "no_limit",
        by=by,
        dense_mean=float(first["mean"]),
        last_mean=float(last["mean"]),
        last_sparsity=float(last["sparsity"]),
    )
    values = curve["rank" if by == RANK else "mean"]
    if np.isnan(limit) or (by == RANK and values.isna().any()):
        return found
    fate, at = _fate(values, limit, labelled is False)
    row = last if at is None else curve.iloc[at]
    found = replace(found, fate=fate, at=None if at is None else float(row["sparsity"]))
    if by == RANK:
        dense, here = float(first["rank"]), float(row["rank"])
        return replace(found, dense_rank=dense, rank=here, least=limit)
    if at is None:
        return found
    changed, before = COUNTED[fate]
    return replace(found, n_changed=int(row[changed]), n_before=int(row[before]))


def _fate(values: pd.Series, limit: float, absent: bool) -> tuple[Fate, int | None]:
    """What becomes of a curve over the grid, and at which grid point. absent: the image is certain
    not to carry the class, so that to be called is a false alarm."""
    below = values.to_numpy(np.float32) < np.float32(limit)
    if not below.any():
        return "stays", None
    if below[0]:
        if absent and not below[-1]:
            return "raised", int(np.flatnonzero(below)[-1]) + 1
        return "below_dense", 0
    if not below[-1]:
        return "dips", int(below.argmax())
    return "lost", int(np.flatnonzero(~below)[-1]) + 1
