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

INTERACTION = ("term", "model", "n", "coefficient", "t", "ols_p", "permutation_p")
MODELS = {"corrected": "", "paper": "_paper"}


@dataclass(frozen=True)
class Interaction:
    """INTERACTION, four terms each for the corrected pair statistics and for the paper's, of FCD as
    a root mean square (corrected) and as a Euclidean distance (paper).

    Takes the class metrics table, the test split's label matrix and its class names. Terms:
    `intercept`, `log_frequency_difference`, `cooccurrence_iou_fourth_root` and the product, written
    `log_frequency_difference:cooccurrence_iou_fourth_root`; those of the paper's model carry
    `_paper`. ols_p takes the pairs as independent (paper). permutation_p (corrected) is MRQAP
    with double semi-partialing (Dekker, Krackhardt and Snijders, Psychometrika 2007): what the
    other terms leave of a term has its classes permuted, rows and columns together, and its t
    value is compared, two-sided. Missing for the intercept, and everywhere where fewer than five
    pairs are known or the terms depend linearly on each other.
    """

    metric: str = "ap"
    permutations: int = 2000
    seed: int = SEED

    def __call__(
        self, class_metrics: pd.DataFrame, label_matrix: np.ndarray, class_names: list[str]
    ) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        matrices = pair_matrices(curves, label_matrix, list(class_names))
        rows = []
        for model, suffix in MODELS.items():
            frequency = matrices[f"log_frequency_difference{suffix}"]
            iou = matrices[f"cooccurrence_iou{suffix}"] ** 0.25
            names = [f"log_frequency_difference{suffix}", f"cooccurrence_iou{suffix}_fourth_root"]
            terms = {names[0]: frequency, names[1]: iou, ":".join(names): frequency * iou}
            distance = matrices["fcd" if suffix else "fcd_rms"]
            fit = mrqap(distance, terms, self.permutations, self.seed)
            fit["term"] = fit["term"].replace("intercept", f"intercept{suffix}")
            rows.append(fit.assign(model=model))
        return pd.concat(rows, ignore_index=True)[list(INTERACTION)]


def one_model(table: pd.DataFrame, corrected: bool) -> pd.DataFrame:
    """The rows of one model, with `plain_term`: the term's name without `_paper`."""
    rows = table[table["model"] == ("corrected" if corrected else "paper")]
    return rows.assign(plain_term=rows["term"].str.replace("_paper", "", regex=False))
