"""Whether PIEs are richer in wrong labels, where it is known which labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.pie_composition import Ratio
from core.analysis.pie_excess import WITH_EXCESS
from core.study.columns import Column, Columns, Unit, interval
from core.study.labels import Labels, findings, label_matrix

# The column of the labels that names an image's wrong ones, "A|B", empty for none.
WRONG_LABELS = "wrong_labels"
PIE_LABEL_NOISE = Columns(
    Column("images", "Which images the row is of."),
    Column("n_pie", "PIEs."),
    Column("n_pie_wrong", "PIEs with at least one wrong label."),
    Column("n_non_pie", "Other test images."),
    Column("n_non_pie_wrong", "Those with at least one wrong label."),
    Column("pie_share", "`n_pie_wrong` over `n_pie`.", Unit.SHARE),
    Column("non_pie_share", "`n_non_pie_wrong` over `n_non_pie`.", Unit.SHARE),
    Column("ratio", "`pie_share` over `non_pie_share`."),
    interval(of="its 95 % bootstrap interval over patients"),
    Column("n_wrong_patients", "Patients with an image with a wrong label."),
    WITH_EXCESS,
    what="Whether PIEs hold more wrong labels, where that is known: phantoms record it.",
    row="all images, those with a finding, those without",
)


def wrongly_labelled(rows: pd.DataFrame) -> np.ndarray:
    """(images,) bool: with at least one wrong label."""
    return (rows[WRONG_LABELS].fillna("").astype(str).str.strip() != "").to_numpy(bool)


def labels_record_noise(labels: Labels) -> bool:
    """Whether it is known of each image which of its labels are wrong, as phantoms record it."""
    return WRONG_LABELS in labels.attributes


@dataclass(frozen=True)
class PieLabelNoise(Ratio):
    """PIE_LABEL_NOISE without WITH_EXCESS; one row for all images, one for those labelled with a
    finding, and one for those without: an image with findings has more labels to be wrong, and PIEs
    have more findings.

    Takes `Pies`' table (image_id, is_pie) and the test rows of labels that record their noise. A
    share is of images with at least one wrong label; ratio and interval are those of `Ratio`.
    """

    def __call__(
        self, pies: pd.DataFrame, test: pd.DataFrame, class_names: tuple[str, ...]
    ) -> pd.DataFrame:
        rows = pies[["image_id", "is_pie"]].merge(test, on="image_id", validate="one_to_one")
        wrong = wrongly_labelled(rows)
        finding = np.nan_to_num(label_matrix(rows, findings(class_names))).any(axis=1)
        slices = {"all": finding | True, "with findings": finding, "without findings": ~finding}
        values = np.column_stack([np.where(mask, wrong, np.nan) for mask in slices.values()])
        is_pie = rows["is_pie"].to_numpy(bool)
        ratios = self.of(values, is_pie, rows["patient_id"])
        known = ~np.isnan(values)
        return pd.DataFrame(
            {
                "images": list(slices),
                "n_pie": (known & is_pie[:, None]).sum(axis=0),
                "n_pie_wrong": ratios["n_pie_positive"],
                "n_non_pie": (known & ~is_pie[:, None]).sum(axis=0),
                "n_non_pie_wrong": ratios["n_positive"] - ratios["n_pie_positive"],
                "pie_share": ratios["pie_frequency"],
                "non_pie_share": ratios["non_pie_frequency"],
                **{name: ratios[name] for name in ("ratio", "ci_low", "ci_high")},
                "n_wrong_patients": ratios["n_positive_patients"],
            }
        )
