"""A slice of the test images, and class metrics recomputed for it from stored ranks.

AP, calibrated AP and AUROC depend only on the order of the probabilities, so a slice needs only
their ranks: one sort of small integers per (run, sparsity, class) serves all three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from core.analysis.metrics import REFERENCE_PREVALENCE
from core.study.labels import Labels, findings, label_matrix, positive_patients

EVERYTHING = "All test images"  # no subgroup
FINDINGS, PATIENTS = "Number of findings", "Patients"
FINDING_COUNTS = ("0", "1", "2", "3", "4+")
MOST_VALUES = 30  # an attribute of more values than this is no grouping, unless it is a number
AGE_EDGES = (20, 40, 60, 80)
AGE = re.compile(r"(?<![a-z])age(?![a-z])")  # age, patient_age; not image_width
MOST_STEPS = 4


@dataclass(frozen=True)
class Subgroup:
    """The test images whose attribute `by` is `value`; `by` is one of `groupings`.

    value: the text of `values`; for PATIENTS the patient ids, divided by commas or blanks.
    """

    by: str
    value: str

    def __call__(self, labels: Labels) -> np.ndarray:
        """(test images,) bool, in test-set order; all False where nothing fits."""
        test = labels.split("test")
        if self.by == PATIENTS:
            return test["patient_id"].isin(patient_list(self.value)).to_numpy()
        return (grouping(test, self.by, labels.class_names) == self.value).to_numpy(bool)

    @property
    def title(self) -> str:
        if self.by == PATIENTS:
            n = len(patient_list(self.value))
            return f"{n} listed patient{'' if n == 1 else 's'}"
        return f"{self.by}: {self.value}"


@dataclass(frozen=True)
class SliceFacts:
    """How much a slice holds; by class, in the classes' order, `n_positive` images with the class
    of `n_positive_patients` patients."""

    n_images: int
    n_patients: int
    n_positive: dict[str, int]
    n_positive_patients: dict[str, int]


def slice_facts(labels: Labels, chosen: np.ndarray) -> SliceFacts:
    test = labels.split("test")[chosen]
    counts = {name: int(test[name].sum()) for name in labels.class_names}
    patients = positive_patients(test, labels.class_names).to_dict()
    return SliceFacts(len(test), int(test["patient_id"].nunique()), counts, patients)


def groupings(labels: Labels) -> list[str]:
    """What the test images can be divided by: attributes with few values or of numbers, then the
    number of findings and a list of patients."""
    test = labels.split("test")
    usable = [
        name
        for name in labels.attributes
        if len(counts := grouping(test, name, labels.class_names).value_counts()) > 1
        and len(counts) <= MOST_VALUES
    ]
    return [*usable, FINDINGS, PATIENTS]


def values(labels: Labels, by: str) -> dict[str, int]:
    """Each value of a grouping and how many test images have it, in a readable order."""
    column = grouping(labels.split("test"), by, labels.class_names)
    counts = column.value_counts()
    return {str(value): int(counts[value]) for value in sorted(counts.index, key=_in_order)}


def grouping(test: pd.DataFrame, by: str, class_names: tuple[str, ...]) -> pd.Series:
    """The text each test image has in a grouping; missing where it has none.

    Numbers of more than eight values become ranges: ages at AGE_EDGES, others at quartiles.
    """
    if by == FINDINGS:
        return pd.Series(np.array(FINDING_COUNTS)[finding_counts(test, class_names)], test.index)
    if by not in test.columns:
        return pd.Series(pd.NA, test.index, dtype="object")
    column = test[by]
    if pd.api.types.is_bool_dtype(column):
        return column.map({True: "yes", False: "no"})
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 8:
        return _ranges(column, bool(AGE.search(by.lower())))
    return column.astype("string").str.strip().replace("", pd.NA)


def finding_counts(rows: pd.DataFrame, class_names: tuple[str, ...]) -> np.ndarray:
    """(images,) of certain findings, as places in FINDING_COUNTS."""
    count = np.nan_to_num(label_matrix(rows, findings(class_names))).sum(axis=1)
    return np.minimum(count, len(FINDING_COUNTS) - 1).astype(int)


def patient_list(text: str) -> list[str]:
    """Patient ids of a pasted list, each once, in its order."""
    return list(dict.fromkeys(part for part in re.split(r"[\s,;]+", text) if part))


def even_ranks(probabilities: np.ndarray) -> np.ndarray:
    """(classes, images) ranks of (images, classes) probabilities: 2, 4, 6, ...; ties share one.

    Even, so that the last bit is free for the label; the smallest type that holds them.
    """
    ranks = np.empty(probabilities.T.shape, np.uint32)
    for row, column in enumerate(probabilities.T):
        _, place = np.unique(column, return_inverse=True)
        ranks[row] = 2 * (place + 1)
    return ranks.astype(ranks_type(probabilities.shape[0]))


def ranks_type(n_images: int) -> np.dtype:
    """The smallest type that holds the ranks of so many images."""
    return np.dtype(np.uint16 if 2 * n_images + 1 < 2**16 else np.uint32)


@dataclass(frozen=True, eq=False)
class SliceTruth:
    """What the labels of a slice say, once for all cells: see `slice_truth`.

    bits and unknown are (classes, images), counts (classes,); row and place tell of each positive,
    class by class, its class and its number among that class's positives.
    """

    bits: np.ndarray
    unknown: np.ndarray | None
    n_positive: np.ndarray
    n_unknown: np.ndarray
    row: np.ndarray
    place: np.ndarray


def slice_truth(labels: np.ndarray) -> SliceTruth:
    """labels: (classes, images) of 1, 0, NaN."""
    positive, unknown = labels == 1, np.isnan(labels)
    n_positive, n_unknown = positive.sum(axis=1), unknown.sum(axis=1)
    row = np.repeat(np.arange(len(labels)), n_positive)
    before = np.cumsum(n_positive) - n_positive
    return SliceTruth(
        positive.astype(np.uint16),
        unknown if n_unknown.any() else None,
        n_positive,
        n_unknown,
        row,
        np.arange(len(row)) - before[row],
    )


def slice_metrics(truth: SliceTruth, ranks: np.ndarray) -> dict[str, np.ndarray]:
    """n_positive, ap, auroc, calibrated_ap, each (classes,), NaN where undefined.

    ranks as `even_ranks` gives them, of the images of `truth`. Equal to `ClassLabels.measure`
    of the probabilities to rounding.
    """
    keys = ranks | truth.bits
    if truth.unknown is not None:
        keys[truth.unknown] = 0  # below all others, where it is above nobody
    # Equal keys are alike, so any sort will do: of small types numpy's stable one goes by digits,
    # and is the faster; of larger ones its default takes two fifths of the time.
    keys.sort(axis=1, kind="stable" if keys.dtype == np.uint16 else "quicksort")
    return _from_sorted(keys, truth)


def _from_sorted(keys: np.ndarray, truth: SliceTruth) -> dict[str, np.ndarray]:
    """Of each positive: how many lie at or above its score, and how many of them are positive."""
    n_classes, n = keys.shape
    n_positive, n_unknown, row, place = truth.n_positive, truth.n_unknown, truth.row, truth.place
    flat = keys.ravel()
    at = np.flatnonzero((flat.astype(np.uint8) & 1).view(bool))
    column = at - row * n
    start = _starts(flat, at, row * n) - row * n
    first = place
    if (start < column).any():
        # The first positive of a tie is the one whose predecessor is none of it.
        begins = np.flatnonzero(np.diff(start + row * n, prepend=-1))
        first = place[np.repeat(begins, np.diff(begins, append=len(at)))]
    true = n_positive[row] - first
    predicted = n - start
    n_negative = n - n_unknown - n_positive
    weight = np.where(n_positive > 0, 1 / np.maximum(n_positive, 1), np.nan)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(row, values, n_classes) * weight

    ap = mean(true / predicted)
    with np.errstate(invalid="ignore", divide="ignore"):
        true_rate = REFERENCE_PREVALENCE * true * weight[row]
        false_rate = (1 - REFERENCE_PREVALENCE) * (predicted - true) / n_negative[row]
        calibrated = mean(true_rate / (true_rate + false_rate))
        negatives_below = start - first - n_unknown[row]
        # Negatives of a tie stand before its positives.
        negatives_tied = (column - place) - (start - first)
        auroc = mean(negatives_below + 0.5 * negatives_tied) / n_negative
    undefined = n_negative == 0
    calibrated[undefined] = auroc[undefined] = np.nan
    return {"n_positive": n_positive, "ap": ap, "auroc": auroc, "calibrated_ap": calibrated}


def _starts(flat: np.ndarray, at: np.ndarray, row_start: np.ndarray) -> np.ndarray:
    """Where the tie of each place `at` begins, not before its row does.

    Most places are tied with nobody or with few: one step to the left for all that still are.
    Where more than that is tied, every tie of every row is looked for instead.
    """
    start = at.copy()
    rank = flat[at] >> 1
    still = np.arange(len(at))
    for _ in range(MOST_STEPS):
        left = start[still] - 1
        still = still[(left >= row_start[still]) & (flat[left] >> 1 == rank[still])]
        if len(still) == 0:
            return start
        start[still] -= 1
    new = np.ones(len(flat), bool)
    np.not_equal(flat[1:] >> 1, flat[:-1] >> 1, out=new[1:])
    new[row_start] = True
    return np.maximum.accumulate(np.where(new, np.arange(len(flat)), 0))[at]


def _ranges(column: pd.Series, age: bool) -> pd.Series:
    numbers = column.astype(float)
    edges = AGE_EDGES if age else numbers.quantile([0.25, 0.5, 0.75]).tolist()
    edges = list(dict.fromkeys(edges))
    whole = bool((numbers.dropna() % 1 == 0).all())
    texts = [f"under {edges[0]:g}"]
    for low, high in pairwise(edges):
        texts.append(f"{low:g} to {high - 1:g}" if whole and age else f"{low:g} to under {high:g}")
    texts.append(f"{edges[-1]:g} and over")
    places = np.searchsorted(edges, numbers.to_numpy(), side="right")
    found = pd.Series(np.array(texts, object)[places], column.index)
    return found.where(numbers.notna())


def _in_order(text: str) -> tuple[float, float, str]:
    number = re.search(r"-?\d+(\.\d+)?", text)
    under = 0.0 if text.startswith("under") else 1.0
    return (under, float(number[0]) if number else np.inf, text)
