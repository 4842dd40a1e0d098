"""Columns that several exported tables share, in words, and the shape of a table's description."""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """An exported table: what it answers, what a row is, and what each column means, in order."""

    what: str
    row: str
    columns: dict[str, str]


CLASS = {"class_name": "The class, as the dataset calls it."}
GROUP = {"group": "head, medium or tail, by train frequency and the study's `[groups]`."}
SPARSITY = {"sparsity": "Fraction of the prunable weights that are zero; 0 is dense."}
INTERVAL = {
    "ci_low": "Lower end of the 95 % interval.",
    "ci_high": "Upper end of the 95 % interval.",
}
RATIO = {
    "pie_frequency": "Share of the PIEs that carry it.",
    "non_pie_frequency": "Share of the other test images that carry it.",
    "ratio": "`pie_frequency` over `non_pie_frequency`; missing where no other image carries it.",
    "ci_low": "Lower end of the 95 % bootstrap interval over patients.",
    "ci_high": "Upper end of it.",
    "n_pie_positive": "PIEs that carry it.",
    "n_positive": "Test images that carry it.",
    "unstable": "True below 10 of `n_positive`: read with care.",
}
N_RUNS = {"n_runs": "Runs (trainings) the row rests on."}
