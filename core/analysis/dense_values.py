"""How well the dense model recognises each class, and how sure that is: of a study that prunes
nothing, all there is to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.bootstrap import CONFIDENCE, combined_half_width
from core.analysis.class_changes import LEAST_PATIENTS, OVER_BOTH, OVER_PATIENTS
from core.analysis.influence import influences
from core.study.columns import SHARED, Column, Columns, Unit, interval
from core.study.labels import FEW_PATIENTS, UNSTABLE

DENSE_VALUES = Columns(
    SHARED.only("class_name"),
    Column("dense", "The metric of the dense model, mean over runs.", Unit.METRIC),
    interval(unit=Unit.METRIC),
    Column("interval_over", "`runs and patients`; `patients` of a single run.", label="Over"),
    SHARED.only("n_runs", "n_positive", "n_positive_patients"),
    UNSTABLE,
    what="How well the dense model recognises each class.",
    row="a class with a positive",
)


@dataclass(frozen=True)
class DenseValues:
    """DENSE_VALUES of a metric, one row per class that has it.

    The standard error over patients is that of the infinitesimal jackknife of the run means
    (`influence`), with n / (n - 1) for n patients with the class; over runs the sample one. The
    interval is `combined_half_width` on the scale of the logit, so that it stays between 0 and 1
    (Pepe, *The Statistical Evaluation of Medical Tests*, 2003, 5.2.4); Somers' D is 2 AUROC - 1
    with its ends. Missing below LEAST_PATIENTS patients with the class, and where the value is 0
    or 1.
    """

    metric: str = "ap"
    confidence: float = CONFIDENCE

    def __call__(
        self,
        labels: np.ndarray,
        class_names: list[str],
        patient_ids: pd.Series | np.ndarray,
        runs: Iterable[np.ndarray],
    ) -> pd.DataFrame:
        """labels (images, classes) of 1, 0, NaN; runs: (images, classes) probabilities of each."""
        codes, patients = pd.factorize(np.asarray(patient_ids))
        of = "auroc" if self.metric == "somers_d" else self.metric
        values: dict[int, list[float]] = {}
        moved = np.zeros((len(class_names), len(patients)))
        for probabilities in runs:
            for column in range(len(class_names)):
                one = influences(labels[:, column], probabilities[:, column]).get(of)
                if one is not None:
                    values.setdefault(column, []).append(one.value)
                    moved[column] += np.bincount(codes, one.of_images, len(patients))
        rows = [
            (class_names[column], *self._row(labels[:, column], codes, found, moved[column]))
            for column, found in sorted(values.items())
        ]
        return pd.DataFrame(rows, columns=DENSE_VALUES.names)

    def _row(
        self, labels: np.ndarray, codes: np.ndarray, values: list[float], moved: np.ndarray
    ) -> tuple[float, float, float, str, int, int, int, bool]:
        positive, n_runs = labels == 1, len(values)
        n = len(np.unique(codes[positive]))
        over_patients = np.sqrt(np.sum((moved / n_runs) ** 2) * n / max(n - 1, 1))
        over_runs = np.std(values, ddof=1) / np.sqrt(n_runs) if n_runs > 1 else np.nan
        mean, low, high = float(np.mean(values)), np.nan, np.nan
        if n >= LEAST_PATIENTS and 0 < mean < 1:
            slope = mean * (1 - mean)
            half = combined_half_width(
                over_runs / slope, n_runs, over_patients / slope, n, self.confidence
            )
            middle = np.log(mean / (1 - mean))
            low, high = (float(1 / (1 + np.exp(-(middle + side * half)))) for side in (-1, 1))
        over = OVER_BOTH if n_runs > 1 else OVER_PATIENTS
        shown = [2 * x - 1 for x in (mean, low, high)] if self.metric == "somers_d" else None
        counts = n_runs, int(positive.sum()), n, n < FEW_PATIENTS
        return (*(shown or (mean, low, high)), over, *counts)  # type: ignore[return-value]
