"""Which classes are forgotten first, and how sure that is.

Two editions. Corrected: the order of classes by how probable it is that each is among the first
three to lose a fifth of its Somers' D, over draws of runs and patients (`onset`). Paper, and of a
subgroup, whose patients are not drawn: the first drops of a metric as they were observed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from core.analysis import gaps
from core.analysis.onset import FIRST
from core.study.labels import untrained

# A class is said to be among the first from this probability on. Where all classes are forgotten
# alike some class reaches one half in 9 of 10 studies of 3 runs, but this in 1 of 60.
LIKELY = 0.9
CANDIDATE = 0.1


@dataclass(frozen=True)
class Onset:
    """A judged class: probability to be among the first FIRST, and the sparsity at which a fifth of
    its Somers' D is gone with its interval; NaN and `censored` where that lies beyond the grid, NaN
    in a wide gap of it. by: the first grid point at which it is gone."""

    class_name: str
    n_patients: int
    among_first: float
    onset: float
    by: float
    low: float
    high: float
    censored: bool


@dataclass(frozen=True)
class Gap:
    """Neighbours on the grid too far apart to read a sparsity between them, and how many of the
    judged classes lose their fifth there."""

    low: float
    high: float
    n_classes: int


@dataclass(frozen=True)
class FirstForgotten:
    """likely: the classes of at least LIKELY; candidates: the next ones, down to CANDIDATE; both
    most probable first. few_patients and not_found are not judged: class name and patients with it,
    the most first. n_censored of the n_judged lose no fifth by `last`, the end of the grid. gaps:
    the wide ones in which a judged class loses it, from the lowest up."""

    likely: tuple[Onset, ...]
    candidates: tuple[Onset, ...]
    few_patients: tuple[tuple[str, int], ...]
    not_found: tuple[tuple[str, int], ...]
    n_judged: int
    n_censored: int
    n_runs: int
    last: float
    gaps: tuple[Gap, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether any class can be named: of FIRST classes or fewer all are among the first."""
        return bool(self.likely) and self.n_judged > FIRST


def first_forgotten(summary: pd.DataFrame, n_runs: int, pruned: Sequence[float]) -> FirstForgotten:
    """Takes `ClassSummary`'s table with onsets; n_runs: that have every sparsity; pruned: the
    sparsities above 0, rising."""
    judged = summary[summary["judged"]].sort_values(
        "p_among_first", ascending=False, kind="stable", ignore_index=True
    )
    rows = [_onset(row) for row in judged.to_dict(orient="records")]
    others = summary[~summary["judged"]].sort_values(
        "n_positive_patients", ascending=False, kind="stable"
    )
    return FirstForgotten(
        tuple(one for one in rows if one.among_first >= LIKELY),
        tuple(one for one in rows if CANDIDATE <= one.among_first < LIKELY),
        _names(others[others["unstable"]]),
        _names(others[~others["unstable"]]),
        len(rows),
        sum(one.censored for one in rows),
        n_runs,
        pruned[-1],
        _gaps(rows, pruned),
    )


def _gaps(judged: list[Onset], pruned: Sequence[float]) -> tuple[Gap, ...]:
    counts = Counter(one.by for one in judged if math.isnan(one.onset) and not one.censored)
    grid = (0.0, *pruned)
    neighbours = pairwise(grid)
    return tuple(
        Gap(low, high, counts[high])
        for low, high in neighbours
        if counts[high] and gaps.is_wide(low, high)
    )


@dataclass(frozen=True)
class Drop:
    """A class and the sparsity of its first drop; in_gap: somewhere in the wide gap of the grid
    that ends there."""

    class_name: str
    sparsity: float
    in_gap: bool = False

    @property
    def percent(self) -> int:
        """As a page shows it, in whole percent: those that are equal are a tie."""
        return round(self.sparsity * 100)


@dataclass(frozen=True)
class FirstDrops:
    """first: the classes that drop first, with all that tie with the last of them; n_classes have
    enough patients, n_left_out have not, n_never of the former never drop on the grid."""

    first: tuple[Drop, ...]
    n_classes: int
    n_left_out: int
    n_never: int


def first_drops(summary: pd.DataFrame, corrected: bool, n: int = FIRST) -> FirstDrops:
    """Takes `ClassSummary`'s table; between grid points, or the paper's grid points."""
    at, between = summary["first_drop_sparsity"], summary["first_drop_interpolated"]
    in_gap = corrected & at.notna() & between.isna()
    found = summary.assign(at=between.fillna(at) if corrected else at, in_gap=in_gap)
    stable = found[~found["unstable"] & ~found["class_name"].isin(untrained(found))]
    stable = stable.sort_values("at", kind="stable")
    drops = [
        Drop(row.class_name, float(row.at), bool(row.in_gap))
        for row in stable.itertuples()
        if not pd.isna(row.at)
    ]
    latest = drops[:n][-1].percent if drops else 0
    return FirstDrops(
        tuple(one for one in drops if one.percent <= latest),
        len(stable),
        int(summary["unstable"].sum()),
        int(stable["first_drop_censored"].sum()),
    )


def _onset(row: dict) -> Onset:
    return Onset(
        row["class_name"],
        int(row["n_positive_patients"]),
        _number(row["p_among_first"]),
        _number(row["onset"]),
        _number(row["onset_by"]),
        _number(row["onset_ci_low"]),
        _number(row["onset_ci_high"]),
        bool(row["onset_censored"]),  # known of a class that is judged
    )


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _names(rows: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    patients = rows["n_positive_patients"].astype(int)
    return tuple(zip(rows["class_name"], patients, strict=True))
