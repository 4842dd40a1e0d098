"""What is counted among PIEs, as `PieExcess` takes it: classes, numbers of findings, wrong labels,
and what the claims about PIEs are about."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from core.analysis.groupings import FINDING_COUNTS, finding_counts
from core.analysis.pie_excess import Carried
from core.analysis.pie_label_noise import WRONG_LABELS, wrongly_labelled
from core.study.labels import findings, label_matrix

# Kinds of rows, and the names of those that are claims.
CLASS, FINDING_COUNT, LABEL_NOISE, ANY, CLAIM = "class", "finding_count", "noise", "any", "claim"
RARE, MANY_FINDINGS, NOISE = "pies~rare", "pies~many_findings", "pies~label_noise"


def carries_any(rows: pd.DataFrame, names: Collection[str]) -> np.ndarray:
    """(images,) bool: labelled with at least one of these classes."""
    return np.nan_to_num(label_matrix(rows, list(names))).any(axis=1)


def all_carried(
    rows: pd.DataFrame, class_names: tuple[str, ...], tail: Collection[str]
) -> list[Carried]:
    """rows: the test rows of the labels; tail: the classes called rare."""
    count = finding_counts(rows, class_names)
    everywhere = np.zeros(len(rows), int)
    labels = label_matrix(rows, findings(class_names))
    known = ~np.isnan(labels)
    carried = [
        Carried(CLASS, name, labels[:, at] == 1, np.where(known[:, at], 0, -1))
        for at, name in enumerate(findings(class_names))
    ]
    carried += [
        Carried(FINDING_COUNT, name, count == at, everywhere)
        for at, name in enumerate(FINDING_COUNTS)
    ]
    # An image with a finding may have several: rare ones are compared at equal numbers.
    with_finding = np.where(count > 0, count, -1)
    rare, many = carries_any(rows, findings(tuple(tail))), count >= 2
    carried += [
        Carried(ANY, "2+ findings", many, everywhere),
        Carried(ANY, "tail class", rare, everywhere),
        Carried(CLAIM, RARE, rare, with_finding),
        Carried(CLAIM, MANY_FINDINGS, many, everywhere, of_labels=True),
    ]
    if WRONG_LABELS in rows:
        wrong = wrongly_labelled(rows)
        carried += [
            Carried(LABEL_NOISE, "all", wrong, everywhere),
            Carried(LABEL_NOISE, "with findings", wrong, np.where(count > 0, 0, -1)),
            Carried(LABEL_NOISE, "without findings", wrong, np.where(count == 0, 0, -1)),
            Carried(CLAIM, NOISE, wrong, count),  # more labels, more that can be wrong
        ]
    return carried
