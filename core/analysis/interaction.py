"""Do frequency and co-occurrence act together on how differently two classes are forgotten?

Holste et al., MICCAI 2023, section 3.2: ordinary least squares
fcd ~ frequency difference * IoU^(1/4) over all pairs of classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import SEED
from core.analysis.class_pairs import pair_matrices
from core.analysis.decay import ForgettabilityCurves
from core.analysis.mrqap import mrqap
from core.study.columns import Column, Columns, Unit

INTERACTION = Columns(
    Column("term", "Of the regression; `a:b` is a product.", label="Term"),
    Column("n", "Pairs of classes.", label="Pairs"),
    Column("coefficient", "Of ordinary least squares on `fcd` (paper).", Unit.METRIC,
           "Coefficient"),
    Column("t", "t value of the coefficient (paper).", Unit.T, "t"),
    Column("ols_p", "p-value of the coefficient; takes pairs as independent (paper).", Unit.P,
           "p, pairs independent"),
    Column("permutation_p", "From permuting classes: MRQAP, double semi-partialing. Noise counts "
           "as difference in it, so nothing is concluded from it.", Unit.P),
    what="The paper's regression: do frequency and co-occurrence act together?", row="a term",
)  # fmt: skip


@dataclass(frozen=True)
class Interaction:
    """INTERACTION, the paper's four terms.

    Takes the class metrics table, the test split's label matrix and its class names. Terms:
    `intercept_paper`, `log_frequency_difference_paper`, `cooccurrence_iou_paper_fourth_root` and
    the product of the two, joined by a colon, on the Euclidean FCD. ols_p takes the pairs as
    independent (paper). permutation_p is MRQAP with double semi-partialing: what the other terms
    leave of a term has its classes permuted, rows and columns together, and its t value is
    compared, two-sided. It knows that pairs share classes, but not that FCD grows with noise, so
    nothing is concluded from it: see `claims` for what is. Missing for the intercept, and
    everywhere where fewer than five pairs are known or the terms depend linearly on each other.
    """

    metric: str = "ap"
    permutations: int = 2000
    seed: int = SEED

    def __call__(
        self, class_metrics: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str]
    ) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        matrices = pair_matrices(curves, label_matrix, list(class_names))
        frequency = matrices["log_frequency_difference_paper"]
        iou = matrices["cooccurrence_iou_paper"] ** 0.25
        names = ["log_frequency_difference_paper", "cooccurrence_iou_paper_fourth_root"]
        terms = {names[0]: frequency, names[1]: iou, ":".join(names): frequency * iou}
        fit = mrqap(matrices["fcd"], terms, self.permutations, self.seed)
        fit["term"] = fit["term"].replace("intercept", "intercept_paper")
        return fit[INTERACTION.names]


def with_plain_terms(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `plain_term`: the term's name without `_paper`."""
    return table.assign(plain_term=table["term"].str.replace("_paper", "", regex=False))
