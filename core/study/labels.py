"""Labels: image ids, patients, splits, class names and the label matrix, always together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import InputError
from core.study.columns import SHARED, Column, Columns
from core.study.settings import GroupSettings

KEYS = ("image_id", "patient_id", "path", "split")
SPLITS = ("train", "validation", "test")
NO_FINDING = "No Finding"
GROUPS = ("head", "medium", "tail")
# Of every class of a network of which nobody knows what it was trained on.
UNKNOWN_GROUP = "not known"
EVERY_GROUP = (*GROUPS, UNKNOWN_GROUP)
# Below this many patients with the class, a metric is shown, but marked as unstable: the images of
# one patient are no independent evidence.
FEW_PATIENTS = 10
UNSTABLE = Column(
    "unstable",
    f"True where fewer than {FEW_PATIENTS} patients of the test set have the class.",
    label=f"Unstable (< {FEW_PATIENTS} patients)",
)
CLASS_FREQUENCIES = Columns(
    SHARED.only("class_name", "group", "train_frequency"),
    Column("train_positives", "Number of them; missing of a given checkpoint that was not "
           "trained on the train split."),
    SHARED["test_frequency"],
    Column("test_positives", "Number of them."),
    Column("test_positive_patients", "Patients with a test image that carries the class."),
    what="How long the tail is.",
    row="a class, the most frequent in training first",
)  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """A table whose columns are KEYS, one Int8 column per class (1/0/missing = uncertain), and
    any further attributes (age, view, ...), with the class names in their one order.

    Raises InputError where ids repeat, a class is missing, or a value is not 1, 0 or missing.
    """

    table: pd.DataFrame
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _refuse_bad_names(self.class_names)
        missing = [c for c in (*KEYS, *self.class_names) if c not in self.table.columns]
        if missing:
            raise InputError(f"The labels lack the column(s) {', '.join(missing)}.")
        if len(self.table) == 0:
            raise InputError("The labels have no rows.")
        repeated = self.table["image_id"][self.table["image_id"].duplicated()]
        if len(repeated):
            raise InputError(
                f"image_id {repeated.iloc[0]!r} occurs more than once; ids must be unique."
            )
        odd_splits = set(self.table["split"].unique()) - set(SPLITS)
        if odd_splits:
            raise InputError(f"split holds {sorted(map(str, odd_splits))}; allowed: {SPLITS}.")
        table = self.table.reset_index(drop=True).copy()
        for name in self.class_names:
            table[name] = _as_label(table[name], name)
        for key in KEYS:
            table[key] = table[key].astype(str)
        attributes = [c for c in table.columns if c not in KEYS and c not in self.class_names]
        object.__setattr__(self, "table", table[[*KEYS, *self.class_names, *attributes]])

    @property
    def attributes(self) -> tuple[str, ...]:
        """Columns that are neither keys nor classes, such as age or view."""
        return tuple(self.table.columns[len(KEYS) + len(self.class_names) :])

    def split(self, name: str) -> pd.DataFrame:
        """Rows of one split, in their stored order, which is the "test-set order" of the paper."""
        return self.table[self.table["split"] == name].reset_index(drop=True)

    def fingerprint(self) -> str:
        """Sixteen hex digits over ids, patients, splits, class names and labels (not paths)."""
        decisive = self.table[["image_id", "patient_id", "split", *self.class_names]]
        digest = hashlib.sha256("\x1f".join(self.class_names).encode())
        digest.update(pd.util.hash_pandas_object(decisive, index=False).to_numpy().tobytes())
        return digest.hexdigest()[:16]


def label_matrix(table: pd.DataFrame, class_names: tuple[str, ...] | list[str]) -> np.ndarray:
    """(images, classes) float32 of 1, 0 and NaN for uncertain."""
    return table[list(class_names)].to_numpy(dtype=np.float32, na_value=np.nan)


def findings(class_names: tuple[str, ...] | list[str]) -> list[str]:
    """The classes that are findings: all but "No Finding"."""
    return [name for name in class_names if name != NO_FINDING]


def class_frequencies(
    labels: Labels, groups: GroupSettings, trained_on: str | Mapping[str, float] = "train"
) -> pd.DataFrame:
    """CLASS_FREQUENCIES.

    A frequency is positives over images of that split. Groups and order, the most frequent class
    first, go by the frequency in `known_split`. trained_on: "train", the split; the share of the
    training images by class; or "unknown", and then no class has a group.
    """
    columns = {}
    for split in ("train", "test"):
        rows = labels.split(split)
        positives = rows[list(labels.class_names)].sum().astype(int)
        columns[f"{split}_frequency"] = positives / max(len(rows), 1)
        columns[f"{split}_positives"] = positives
    columns["test_positive_patients"] = positive_patients(labels.split("test"), labels.class_names)
    if trained_on != "train":
        told = {} if isinstance(trained_on, str) else trained_on
        columns["train_frequency"] = pd.Series(
            [told.get(name, np.nan) for name in labels.class_names], labels.class_names, float
        )
        columns["train_positives"] = pd.Series(pd.NA, labels.class_names, "Int64")
    table = pd.DataFrame(columns).rename_axis("class_name").reset_index()
    known = f"{known_split(table)}_frequency"
    of_class = [UNKNOWN_GROUP] * len(table)
    if training_known(table):
        of_class = [group_of(f, groups) for f in table[known]]
    table.insert(1, "group", of_class)
    return table.sort_values(known, ascending=False, kind="stable", ignore_index=True)


def training_known(frequencies: pd.DataFrame) -> bool:
    """Whether anybody knows how frequent the classes were in training; where they do not, classes
    have no groups, and nothing is said of rare ones."""
    return bool(frequencies["train_frequency"].notna().any())


def known_split(frequencies: pd.DataFrame) -> str:
    """The split whose frequencies say how rare a class is: train, or test where no training image
    is known."""
    return "train" if frequencies["train_frequency"].gt(0).any() else "test"


def untrained(frequencies: pd.DataFrame) -> frozenset[str]:
    """The classes that no training image carries: no model has learnt them, so none can lose them.
    None where no training image is known."""
    if "train_frequency" not in frequencies or known_split(frequencies) == "test":
        return frozenset()
    return frozenset(frequencies.loc[frequencies["train_frequency"].eq(0), "class_name"])


def positive_patients(rows: pd.DataFrame, class_names: tuple[str, ...] | list[str]) -> pd.Series:
    """class_name to the number of patients with at least one image that carries the class."""
    patients = rows["patient_id"].to_numpy()
    counts = [
        pd.unique(patients[rows[name].eq(1).to_numpy(bool, na_value=False)]).size
        for name in class_names
    ]
    return pd.Series(counts, pd.Index(class_names, name="class_name"), dtype=int)


def group_of(frequency: float, groups: GroupSettings) -> str:
    """head, medium or tail, by the thresholds of the study."""
    if frequency > groups.head_above:
        return "head"
    return "tail" if frequency < groups.tail_below else "medium"


def split_by_patient(
    patient_ids: pd.Series, validation_share: float, test_share: float, seed: int
) -> pd.Series:
    """Assign whole patients to train, validation or test; equal seeds give equal splits.

    Shares are of patients; what they leave is for training. Of few patients, each split with a
    share still gets one. The result has the index of `patient_ids`.
    """
    patients = np.array(sorted(patient_ids.astype(str).unique()))
    to_train, to_validate = validation_share + test_share < 1 - 1e-9, validation_share > 0
    wanted = [
        name for name, some in zip(SPLITS, (to_train, to_validate, True), strict=True) if some
    ]
    if len(patients) < len(wanted):
        raise InputError(
            f"{len(patients)} patient(s) cannot be divided into {', '.join(wanted[:-1])} and test."
        )
    np.random.default_rng(seed).shuffle(patients)
    n_test = min(max(1, round(test_share * len(patients))), len(patients) - len(wanted) + 1)
    n_validation = max(1, round(validation_share * len(patients))) if to_validate else 0
    n_validation = min(n_validation, len(patients) - n_test - to_train)
    if not to_train:
        n_test = len(patients) - n_validation
    split = dict.fromkeys(patients, "train")
    split |= dict.fromkeys(patients[:n_test], "test")
    split |= dict.fromkeys(patients[n_test : n_test + n_validation], "validation")
    return patient_ids.astype(str).map(split)


def _refuse_bad_names(class_names: tuple[str, ...]) -> None:
    if not class_names:
        raise InputError("There are no classes.")
    if len(set(class_names)) < len(class_names):
        raise InputError(f"A class name occurs twice: {', '.join(class_names)}.")
    reserved = set(class_names) & set(KEYS)
    if reserved:
        raise InputError(f"{sorted(reserved)[0]!r} is a key column and cannot be a class name.")
    for name in class_names:
        if not name.strip() or "|" in name or len(name) > 100:
            raise InputError(f"{name!r} is no class name: 1 to 100 characters, without '|'.")


def _as_label(column: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    unreadable = numbers.isna() & column.notna()
    allowed = numbers.isna() | numbers.isin([0, 1])
    if unreadable.any() or not allowed.all():
        bad = column[unreadable | ~allowed].iloc[0]
        raise InputError(f"Class {name!r} holds {bad!r}; allowed: 1, 0, or empty for uncertain.")
    return numbers.astype("Int8")
