"""Which classes are forgotten first, and how many of the losses the evidence carries."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class FirstForgotten:
    """The classes that drop first among those with enough positives, with where they do.

    n_significant of the n_tested have changed at 95 % with q below SIGNIFICANT; n_never are known
    and never drop, n_unstable have fewer than ten positives. n_runs is the most any class has.
    """

    class_names: tuple[str, ...]
    sparsities: tuple[float, ...]
    n_significant: int
    n_tested: int
    n_never: int
    n_unstable: int
    n_runs: int


def first_forgotten(summary: pd.DataFrame, corrected: bool, n: int = 3) -> FirstForgotten:
    """Takes `ClassSummary`'s table; by its interpolated first drop, or by the paper's."""
    column = "first_drop_interpolated" if corrected else "first_drop_sparsity"
    stable = summary[~summary["unstable"]]
    # Classes that drop at one grid point are told apart by what is left of them at 95 %.
    order = [column, "relative_ap_change_at_95"]
    first = stable[stable[column].notna()].sort_values(order, kind="stable")[:n]
    tested = stable["q_value"].dropna()
    return FirstForgotten(
        tuple(first["class_name"]),
        tuple(first[column].astype(float)),
        int((tested < SIGNIFICANT).sum()),
        len(tested),
        int(stable["first_drop_censored"].sum()),
        int(summary["unstable"].sum()),
        int(summary["n_runs"].max()) if len(summary) else 0,
    )
