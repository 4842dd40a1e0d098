"""What the test images can be divided by: the columns of the labels that say something of an image,
and their values in words."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pandas as pd

from core.study.labels import Labels, findings, label_matrix

FINDINGS = "Number of findings"
FINDING_COUNTS = ("0", "1", "2", "3", "4+")
MOST_VALUES = 30  # an attribute of more values than this is no grouping, unless it is a number
FEW_NUMBERS = 8  # a number of no more values than this is chosen by its values
AGE_EDGES = (20, 40, 60, 80)
AGE = re.compile(r"(?<![a-z])age(?![a-z])")  # age, patient_age; not image_width
NUMBERING = {"id", "uid", "uuid", "seed"}  # parts of a name whose numbers name, and measure nothing


def groupings(labels: Labels) -> list[str]:
    """The attributes that divide the test images: numbers, and text of few values.

    Left out is what means nothing: a column of one value, text that is another for every image,
    seeds and ids, and whole numbers that are another for every image or every patient.
    """
    test = labels.split("test")
    return [name for name in labels.attributes if _divides(test, name)]


def _divides(test: pd.DataFrame, name: str) -> bool:
    column = column_of(test, name).dropna()
    n_values = column.nunique()
    if n_values < 2:
        return False
    if not is_number(column):
        return n_values <= MOST_VALUES and n_values < len(column)
    if n_values <= FEW_NUMBERS:
        return True
    return not (NUMBERING & _parts(name) or _tells_apart(column, test["patient_id"]))


def _parts(name: str) -> set[str]:
    """image_seed and ImageSeed as image, seed."""
    return set(re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))


def _tells_apart(column: pd.Series, patients: pd.Series) -> bool:
    """Whether whole numbers are another for every image, or for every patient, as no age need be
    that happens to be."""
    if (column.astype(float) % 1 != 0).any() or AGE.search(str(column.name).lower()):
        return False
    n_values, of = column.nunique(), patients[column.index]
    n_pairs = len(pd.DataFrame({"patient": of, "value": column}).drop_duplicates())
    return n_values == len(column) or n_values == n_pairs == of.nunique()


def column_of(test: pd.DataFrame, name: str) -> pd.Series:
    """An attribute as it is chosen by: numbers, or text with yes and no for truth."""
    column = test[name]
    if pd.api.types.is_bool_dtype(column):
        return column.map({True: "yes", False: "no"})
    if pd.api.types.is_numeric_dtype(column):
        return column
    return column.astype("string").str.strip().replace("", pd.NA)


def is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def values(labels: Labels, by: str) -> dict[str, int]:
    """Each value of a grouping and how many test images have it, in a readable order."""
    return counted(grouping(labels.split("test"), by, labels.class_names))


def counted(column: pd.Series) -> dict[str, int]:
    """Each value of a column of text and how many images have it, in a readable order."""
    counts = column.value_counts()
    return {str(value): int(counts[value]) for value in sorted(counts.index, key=_in_order)}


def grouping(test: pd.DataFrame, by: str, class_names: tuple[str, ...]) -> pd.Series:
    """The text each test image has in a grouping; missing where it has none.

    Numbers of more than FEW_NUMBERS values become ranges: ages at AGE_EDGES, others at quartiles.
    """
    if by == FINDINGS:
        return pd.Series(np.array(FINDING_COUNTS)[finding_counts(test, class_names)], test.index)
    if by not in test.columns:
        return pd.Series(pd.NA, test.index, dtype="object")
    column = column_of(test, by)
    if is_number(column) and column.nunique() > FEW_NUMBERS:
        return _ranges(column, bool(AGE.search(by.lower())))
    return column.astype("string")


def finding_counts(rows: pd.DataFrame, class_names: tuple[str, ...]) -> np.ndarray:
    """(images,) of certain findings, as places in FINDING_COUNTS."""
    count = np.nan_to_num(label_matrix(rows, findings(class_names))).sum(axis=1)
    return np.minimum(count, len(FINDING_COUNTS) - 1).astype(int)


def patient_list(text: str) -> list[str]:
    """Patient ids of a pasted list, each once, in its order."""
    return list(dict.fromkeys(part for part in re.split(r"[\s,;]+", text) if part))


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
