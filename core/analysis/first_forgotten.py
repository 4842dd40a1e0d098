"""Which classes are forgotten first, and how far the evidence carries it.

One definition for every page: the classes whose first drop of AP, read between grid points
(corrected), comes at the smallest sparsity, among those with enough test positives. The same of
another metric, or by the paper's grid points, is a first drop and goes by that name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Dropped:
    """A class and its first drop; `sparsity` is NaN where it never drops or has no metric.

    change, ci_low and ci_high are `Forgettability`'s at the grid point of the first drop, which
    is `at`: the median over n_runs runs and its 95 % interval, missing below two runs.
    """

    class_name: str
    n_positive: int
    sparsity: float
    at: float
    change: float
    ci_low: float
    ci_high: float
    n_runs: int

    @property
    def falls(self) -> bool:
        return not math.isnan(self.sparsity)

    @property
    def told(self) -> int:
        """The first drop as a page tells it, in whole percent: those that are equal are a tie."""
        return round(self.sparsity * 100)


@dataclass(frozen=True)
class FirstForgotten:
    """The classes that drop first among those with enough positives, with all that tie with the
    last of them, and what was left out.

    left_out have fewer than ten positives, those that drop first first; as_early of these would be
    among the first if they were judged. n_judged have enough; n_never of these are known and never
    drop. n_significant of the n_tested have changed at 95 % with q below SIGNIFICANT, over n_runs.
    """

    first: tuple[Dropped, ...]
    left_out: tuple[Dropped, ...]
    as_early: tuple[Dropped, ...]
    n_judged: int
    n_never: int
    n_significant: int
    n_tested: int
    n_runs: int


def first_forgotten(
    summary: pd.DataFrame, forgettability: pd.DataFrame, corrected: bool, n: int = 3
) -> FirstForgotten:
    """Takes `ClassSummary`'s and `Forgettability`'s tables of one metric; by the first drop read
    between grid points, or by the paper's. More than `n` where first drops are told alike."""
    column = "first_drop_interpolated" if corrected else "first_drop_sparsity"
    there = forgettability.set_index(["class_name", "sparsity"])
    ordered = summary.sort_values(column, kind="stable")  # those that never drop come last
    dropped = [_dropped(row, column, there) for row in ordered.to_dict(orient="records")]
    few = set(summary.loc[summary["unstable"], "class_name"])
    judged = [one for one in dropped if one.class_name not in few]
    left_out = [one for one in dropped if one.class_name in few]
    stable = summary[~summary["unstable"]]
    tested = stable["q_value"].dropna()
    return FirstForgotten(
        _earliest(judged, n),
        tuple(left_out),
        tuple(one for one in _earliest(dropped, n) if one in left_out),
        len(judged),
        int(stable["first_drop_censored"].sum()),
        int((tested < SIGNIFICANT).sum()),
        len(tested),
        int(stable["n_runs"].max()) if len(stable) else 0,
    )


def _earliest(ordered: list[Dropped], n: int) -> tuple[Dropped, ...]:
    """The first `n` that fall, and all that tie with the last of them."""
    falling = [one for one in ordered if one.falls]
    last = falling[:n][-1].told if falling else 0
    return tuple(one for one in falling if one.told <= last)


def _dropped(row: dict, column: str, there: pd.DataFrame) -> Dropped:
    at = float(row["first_drop_sparsity"])
    key = (row["class_name"], at)
    found = there.loc[key] if key in there.index else {}
    change, low, high = (
        float(found.get(name, math.nan)) for name in ("relative_ap_change", "ci_low", "ci_high")
    )
    n_positive, n_runs = int(row["n_positive"]), int(found.get("n_runs", 0))
    return Dropped(row["class_name"], n_positive, float(row[column]), at, change, low, high, n_runs)
