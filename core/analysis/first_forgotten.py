"""Which classes are forgotten first, and how sure that is.

Two editions. Corrected: the order of classes by how probable it is that each is among the first
three to lose a fifth of its Somers' D, over draws of runs and patients (`onset`). Paper, and of a
subgroup, whose patients are not drawn: the first drops of a metric as they were observed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.analysis.onset import FIRST
from core.study.labels import untrained

# A class is said to be among the first from this probability on. Where all classes are forgotten
# alike some class reaches one half in 9 of 10 studies of 3 runs, but this in 1 of 60.
LIKELY = 0.9
CANDIDATE = 0.1


@dataclass(frozen=True)
class Onset:
    """A judged class: probability to be among the first FIRST, and the sparsity at which a fifth of
    its Somers' D is gone with its interval; NaN and `censored` where that lies beyond the grid."""

    class_name: str
    n_patients: int
    among_first: float
    onset: float
    low: float
    high: float
    censored: bool


@dataclass(frozen=True)
class FirstForgotten:
    """likely: the classes of at least LIKELY; candidates: the next ones, down to CANDIDATE; both
    most probable first. few_patients and not_found are not judged: class name and patients with it,
    the most first. n_censored of the n_judged lose no fifth by `last`, the end of the grid."""

    likely: tuple[Onset, ...]
    candidates: tuple[Onset, ...]
    few_patients: tuple[tuple[str, int], ...]
    not_found: tuple[tuple[str, int], ...]
    n_judged: int
    n_censored: int
    n_runs: int
    last: float

    @property
    def decided(self) -> bool:
        """Whether any class can be named: of FIRST classes or fewer all are among the first."""
        return bool(self.likely) and self.n_judged > FIRST


def first_forgotten(summary: pd.DataFrame, n_runs: int, last: float) -> FirstForgotten:
    """Takes `ClassSummary`'s table with onsets; n_runs: that have every sparsity."""
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
        last,
    )


@dataclass(frozen=True)
class Drop:
    """A class and the sparsity of its first drop."""

    class_name: str
    sparsity: float

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
    column = "first_drop_interpolated" if corrected else "first_drop_sparsity"
    kept = ~summary["unstable"] & ~summary["class_name"].isin(untrained(summary))
    stable = summary[kept].sort_values(column, kind="stable")
    drops = [
        Drop(name, float(sparsity))
        for name, sparsity in zip(stable["class_name"], stable[column], strict=True)
        if not pd.isna(sparsity)
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
        _number(row["onset_ci_low"]),
        _number(row["onset_ci_high"]),
        bool(row["onset_censored"]),  # known of a class that is judged
    )


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)


def _names(rows: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    patients = rows["n_positive_patients"].astype(int)
    return tuple(zip(rows["class_name"], patients, strict=True))
