"""What PIEs are made of: how much more often than other images they carry a class, or several.

Ratios of Holste et al., MICCAI 2023, section 3.3; "No Finding" and every column that is no
class are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis import bootstrap
from core.analysis.groupings import FINDING_COUNTS, finding_counts
from core.analysis.pie_excess import WITH_EXCESS
from core.study.columns import SHARED, Column, Columns, Unit, interval
from core.study.labels import FEW_PATIENTS, findings, label_matrix

RATIO = Columns(
    Column("pie_frequency", "Share of the PIEs that carry it.", Unit.SHARE, "Among PIEs"),
    Column("non_pie_frequency", "Share of the other test images that carry it.", Unit.SHARE,
           "Among others"),
    Column("ratio", "`pie_frequency` over `non_pie_frequency`; missing where no other image "
           "carries it.", label="Ratio"),
    interval(of="the 95 % bootstrap interval over patients"),
)  # fmt: skip
CARRIED = Columns(
    RATIO,
    Column("n_pie_positive", "PIEs that carry it."),
    Column("n_positive", "Test images that carry it.", label="Test positives"),
    Column("n_positive_patients", "Patients with such an image."),
    Column("unstable", f"True below {FEW_PATIENTS} of `n_positive_patients`: no verdict is given."),
)
PIE_CLASS_RATIO = Columns(
    SHARED["class_name"], CARRIED, WITH_EXCESS,
    what="Which findings PIEs hold more of.", row="a finding",
)  # fmt: skip
PIE_FINDING_COUNT_RATIO = Columns(
    Column("finding_count", "0, 1, 2, 3 or 4+ certain findings."),
    CARRIED, WITH_EXCESS,
    what="Whether PIEs have more findings.", row="a number of findings",
)  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """Frequency among PIEs over frequency among the others, resampling patients.

    The ratio is missing where no other image carries it; the interval is over the draws that have
    a ratio, with PIEs as they were found: which images are PIEs is not decided again. The interval
    is missing where no PIE carries it: every draw gives 0 then, however few the PIEs.
    """

    confidence: float = bootstrap.CONFIDENCE
    draws: int = bootstrap.DRAWS
    seed: int = bootstrap.SEED

    def of(self, values: np.ndarray, is_pie: np.ndarray, patient_ids: pd.Series) -> pd.DataFrame:
        """RATIO and n_pie_positive, n_positive, n_positive_patients of (images, columns) values of
        1, 0, NaN = left out."""
        positive, known = np.nan_to_num(values), (~np.isnan(values)).astype(float)
        pie = np.asarray(is_pie, bool)[:, None]
        parts = [np.where(mask, part, 0) for mask in (pie, ~pie) for part in (positive, known)]
        sums = bootstrap.patient_sums(patient_ids, np.hstack(parts))
        width = values.shape[1]
        counts = bootstrap.resample_counts(len(sums), self.draws, self.seed)
        drawn = _frequencies((counts @ sums).reshape(self.draws, 4, width))
        low, high = bootstrap.percentile_interval(drawn[:, 2], self.confidence)
        observed = _frequencies(sums.sum(axis=0).reshape(1, 4, width))[0]
        table = pd.DataFrame(dict(zip(RATIO, (*observed, low, high), strict=True)))
        undefined = table["ratio"].isna() | (table["ratio"] == 0)
        table.loc[undefined, ["ci_low", "ci_high"]] = np.nan
        table["n_pie_positive"] = parts[0].sum(axis=0).astype(int)
        table["n_positive"] = positive.sum(axis=0).astype(int)
        table["n_positive_patients"] = (sums[:, :width] + sums[:, 2 * width : 3 * width] > 0).sum(
            axis=0
        )
        return table


@dataclass(frozen=True)
class PieClassRatio(Ratio):
    """class_name and CARRIED of every finding.

    Takes `Pies`' table (image_id, is_pie) and the test rows of the labels, and the class names. A
    frequency is positives over images whose label is certain. Interval: percentile bootstrap over
    patients.
    """

    def __call__(
        self, pies: pd.DataFrame, test: pd.DataFrame, class_names: tuple[str, ...]
    ) -> pd.DataFrame:
        rows = _joined(pies, test)
        names = findings(class_names)
        table = self.of(label_matrix(rows, names), rows["is_pie"], rows["patient_id"])
        table.insert(0, "class_name", names)
        return table.assign(unstable=table["n_positive_patients"] < FEW_PATIENTS)


@dataclass(frozen=True)
class PieFindingCountRatio(Ratio):
    """finding_count and CARRIED, one row for each of FINDING_COUNTS.

    Takes what `PieClassRatio` takes. Findings that are certain are counted.
    """

    def __call__(
        self, pies: pd.DataFrame, test: pd.DataFrame, class_names: tuple[str, ...]
    ) -> pd.DataFrame:
        rows = _joined(pies, test)
        count = finding_counts(rows, class_names)
        values = (count[:, None] == np.arange(len(FINDING_COUNTS))).astype(float)
        table = self.of(values, rows["is_pie"], rows["patient_id"])
        table.insert(0, "finding_count", list(FINDING_COUNTS))
        return table.assign(unstable=table["n_positive_patients"] < FEW_PATIENTS)


def _joined(pies: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    return pies[["image_id", "is_pie"]].merge(test, on="image_id", validate="one_to_one")


def _frequencies(sums: np.ndarray) -> np.ndarray:
    """(draws, 4, columns) sums of pie positive, pie known, other positive, other known to
    (draws, 3, columns): frequency among PIEs, among the others, and their ratio."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pie, other = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
        ratio = np.where(other > 0, pie / other, np.nan)
    return np.stack([pie, other, ratio], axis=1)
