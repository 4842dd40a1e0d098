"""Operating points: from which probability on a class counts as found. Fixed on validation, never
on test, at one specificity for every class, so that rare classes are not judged at 0.5."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd

from core.study.columns import SHARED, Column, Columns, Unit

SPECIFICITY = 0.9
OPERATING_POINTS = Columns(
    SHARED["class_name"],
    Column("operating_point", "Smallest probability with the study's specificity below it; missing "
           "where no training image carries the class.",
           Unit.PROBABILITY),
    Column("validation_specificity", "Share of validation images without the class below it.",
           Unit.SHARE),
    Column("validation_sensitivity", "Share of those with the class that reach it.", Unit.SHARE),
    Column("n_negatives", "Validation images certain not to carry the class."),
    Column("n_positives", "Validation images that carry it."),
    Column("n_runs", "Runs whose validation predictions were averaged."),
    what="The probability from which a class counts as found, fixed on validation images.",
    row="a class",
)  # fmt: skip


def operating_point(negatives: np.ndarray, specificity: float) -> float:
    """The smallest float32 t such that at least `specificity` of `negatives` lie strictly below t.

    negatives: float32 probabilities of the images certain not to carry the class. A class is found
    where its probability is >= t. Let x be the k-th smallest negative, k = ceil(specificity * n):
    every t <= x leaves fewer than k below it, so t is the next float32 above x, and negatives tied
    with x are below it too: ties raise the specificity, never lower it. NaN without negatives.
    """
    if len(negatives) == 0:
        return np.nan
    values = np.asarray(negatives, np.float32)
    # Rounded first: 0.7 * 10 must not become 8 for want of a last binary digit.
    k = min(max(ceil(round(specificity * len(values), 9)), 1), len(values))
    return float(np.nextafter(np.partition(values, k - 1)[k - 1], np.float32(np.inf)))


@dataclass(frozen=True)
class OperatingPoints:
    """OPERATING_POINTS of every class, without n_runs.

    Takes validation labels (images, classes) of 1, 0, NaN = left out, and the dense model's
    probabilities there, averaged over runs, so that the average over runs of the test images and
    each run's own are compared with one line. Missing where no validation image is certain
    not to carry the class; validation_sensitivity also where none carries it.
    """

    specificity: float = SPECIFICITY

    def __call__(
        self, labels: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...]
    ) -> pd.DataFrame:
        rows = []
        for column, name in enumerate(class_names):
            truth, values = labels[:, column], probabilities[:, column]
            negatives, positives = values[truth == 0], values[truth == 1]
            point = operating_point(negatives, self.specificity)
            rows.append(
                {
                    "class_name": name,
                    "operating_point": point,
                    "validation_specificity": _share(negatives < point, point),
                    "validation_sensitivity": _share(positives >= point, point),
                    "n_negatives": len(negatives),
                    "n_positives": len(positives),
                }
            )
        return pd.DataFrame(rows)


def no_operating_points(class_names: tuple[str, ...]) -> pd.DataFrame:
    """The table of a study that keeps no validation predictions: nothing known of any class."""
    nothing = np.empty((0, len(class_names)), np.float32)
    return OperatingPoints()(nothing, nothing, class_names)


def _share(met: np.ndarray, point: float) -> float:
    return float(met.mean()) if len(met) and not np.isnan(point) else np.nan
