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
    "n_positive_patients": "Patients with such an image.",
    "unstable": "True below 10 of `n_positive_patients`: no verdict is given.",
}
EXCESS = {
    "pruned_ratio": "The ratio among PIEs of single pruned against single dense models of other "
    "runs, by ranks within class, with 0.5 added to PIEs seen and expected.",
    "pruned_ci_low": "Lower end of its 95 % interval over runs and patients, PIEs found again in "
    "each draw.",
    "pruned_ci_high": "Upper end of it.",
    "dense_ratio": "The same of dense against dense models, nothing pruned.",
    "ratio_of_ratios": "`pruned_ratio` over `dense_ratio`. A description: images with more labels "
    "have more to lose, so it can lie above 1 where all classes are forgotten alike. What may be "
    "claimed is in the table `claims`.",
    "ror_ci_low": "Lower end of its 95 % interval over runs and patients.",
    "ror_ci_high": "Upper end of it.",
    "ror_p": "Two-sided p-value that it is 1. All of these are missing below 3 runs.",
    "ror_q": "Benjamini-Hochberg of `ror_p` over the rows that are not unstable.",
    "n_pruned": "PIEs of pruned against dense models that carry it.",
    "n_dense": "PIEs of dense against dense models that carry it.",
}
N_RUNS = {"n_runs": "Runs (trainings) the row rests on."}
