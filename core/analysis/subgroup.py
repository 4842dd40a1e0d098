"""A subgroup of the test images: several conditions at once, such as women of 60 and over, seen PA.

Its text stands in addresses, on the command line and in notebooks: `sex:F,age:60-,view:PA`. A value
of an attribute, several separated by |, or of a number a range that includes both ends: `20-39`,
`60-`, `-40`. The characters , : | % within a name or value are written as in addresses, %2C.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from core.analysis.groupings import (
    FEW_NUMBERS,
    FINDINGS,
    column_of,
    counted,
    grouping,
    groupings,
    is_number,
    patient_list,
)
from core.errors import InputError
from core.study.labels import Labels, findings, label_matrix, positive_patients

EVERYTHING = "All test images"  # no subgroup
# What every study can be divided by, beside attributes. No attribute is called `patient_id`.
N_FINDINGS, PATIENT_ID = "n_findings", "patient_id"
OLD_PATIENTS = "Patients"  # what addresses called `patient_id`, and FINDINGS `n_findings`
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER})?-({NUMBER})?")


@dataclass(frozen=True)
class OneOf:
    """The images whose attribute is one of these values, each as text."""

    by: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(sorted(set(self.values))))
        if not self.values:
            raise InputError(f"No value of {self.by} is given.")

    def __call__(self, column: pd.Series) -> np.ndarray:
        """(images,) bool of (images,) numbers or text."""
        if is_number(column):
            return column.isin([float(value) for value in self.values]).to_numpy(bool)
        return column.isin(self.values).to_numpy(bool)

    def __str__(self) -> str:
        return f"{_escaped(self.by)}:{'|'.join(map(_escaped, self.values))}"


@dataclass(frozen=True)
class Between:
    """The images whose number lies between two, both included; None for no limit on that side."""

    by: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            value = getattr(self, end)
            object.__setattr__(self, end, value if value is None else float(value))
        if self.low is None and self.high is None:
            raise InputError(f"The range of {self.by} has no end: {self.by}:60- or {self.by}:-40.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError(
                f"The range of {self.by} begins at {number(self.low)}, above its end at "
                f"{number(self.high)}."
            )

    def __call__(self, column: pd.Series) -> np.ndarray:
        """(images,) bool of (images,) numbers; False where there is none."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return column.astype(float).between(low, high).to_numpy(bool)

    def __str__(self) -> str:
        return f"{_escaped(self.by)}:{number(self.low)}-{number(self.high)}"


Condition = OneOf | Between


@dataclass(frozen=True)
class Attribute:
    """What test images can be chosen by. `values`: each with its number of test images, where they
    are few; `ends`: the least and the largest of a number."""

    name: str
    is_number: bool = False
    values: Mapping[str, int] = field(default_factory=dict, hash=False)
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Subgroup:
    """The test images that meet every condition, one for each attribute. Equal subgroups have equal
    texts, whatever the order in which their conditions were given."""

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.conditions, key=lambda one: one.by))
        object.__setattr__(self, "conditions", ordered)
        names = [one.by for one in ordered]
        if not names:
            raise InputError("A subgroup needs a condition, such as sex:F or age:60-.")
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"{name} stands twice. Write one condition: {name}:a|b of several values, "
                    f"or a range such as {name}:20-39."
                )

    @classmethod
    def parse(cls, text: str, labels: Labels) -> Subgroup:
        """The subgroup of a text, as `str` writes it. Raises InputError that lists the attributes,
        or the values of one, where the study has not what the text names."""
        return cls.read(text, attributes(labels))

    @classmethod
    def read(cls, text: str, known: Mapping[str, Attribute]) -> Subgroup:
        """The same where the attributes are known."""
        return cls(tuple(_condition(part, known) for part in text.split(",")))

    def __call__(self, labels: Labels) -> np.ndarray:
        """(test images,) bool, in test-set order; all False where nothing fits. Raises InputError
        where there is no such attribute."""
        test = labels.split("test")
        chosen = np.ones(len(test), bool)
        for one in self.conditions:
            chosen &= one(_column(test, one.by, labels.class_names))
        return chosen

    def __str__(self) -> str:
        return ",".join(map(str, self.conditions))


def with_condition(of: Subgroup | None, by: str, condition: Condition | None) -> Subgroup | None:
    """A subgroup with this condition on an attribute, or with none; None where none is left."""
    others = tuple(one for one in (of.conditions if of else ()) if one.by != by)
    conditions = (*others, condition) if condition else others
    return Subgroup(conditions) if conditions else None


def attributes(labels: Labels) -> dict[str, Attribute]:
    """What the test images of a study can be chosen by, by name: the attributes that divide them,
    the number of findings, and the patients."""
    test = labels.split("test")
    found = {N_FINDINGS, PATIENT_ID} | set(groupings(labels))
    return {
        name: _attribute(name, _column(test, name, labels.class_names))
        for name in dict.fromkeys((*labels.attributes, N_FINDINGS, PATIENT_ID))
        if name in found
    }


def subgroup_before(by: str, value: str, labels: Labels) -> Subgroup:
    """The subgroup of an address from before there were several conditions. Raises InputError where
    the study has not what it names."""
    if by == OLD_PATIENTS and patient_list(value):
        return Subgroup((OneOf(PATIENT_ID, tuple(patient_list(value))),))
    if by == FINDINGS:
        return Subgroup.parse(f"{N_FINDINGS}:{value.replace('+', '-')}", labels)
    known = attributes(labels).get(by)
    if known and known.is_number and not known.values:  # its values were ranges, in words
        test = labels.split("test")
        meant = test[by][(grouping(test, by, labels.class_names) == value).to_numpy(bool)]
        if len(meant):
            return Subgroup((Between(by, meant.min(), meant.max()),))
    return Subgroup.parse(str(OneOf(by, (value,))), labels)


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


def number(value: float | None) -> str:
    """60, 0.5, or nothing: the shortest digits that read back as the same number."""
    return "" if value is None else repr(float(value)).removesuffix(".0")


def _condition(part: str, known: Mapping[str, Attribute]) -> Condition:
    name, colon, said = part.strip().partition(":")
    name = unquote(name)
    if name not in known:
        raise InputError(
            f"The test images of this study cannot be chosen by {name[:80]!r}. "
            f"Attributes: {', '.join(known)}."
        )
    if not colon or not said:
        raise InputError(
            f"What of {name}? Write a value behind a colon, such as {_example(known[name])}."
        )
    values = tuple(unquote(value) for value in said.split("|"))
    return (
        _of_number(known[name], values) if known[name].is_number else _of_text(known[name], values)
    )


def _of_text(attribute: Attribute, values: tuple[str, ...]) -> OneOf:
    for value in values:
        if attribute.values and value not in attribute.values:
            raise InputError(
                f"{attribute.name} has no value {value[:80]!r} among the test images. "
                f"Values: {', '.join(attribute.values)}."
            )
    return OneOf(attribute.name, values)


def _of_number(attribute: Attribute, values: tuple[str, ...]) -> Condition:
    if len(values) == 1 and (ends := RANGE.fullmatch(values[0])) and any(ends.groups()):
        low, high = (float(end) if end else None for end in ends.groups())
        return Between(attribute.name, low, high)
    for value in values:
        if not re.fullmatch(NUMBER, value):
            raise InputError(
                f"{attribute.name} is a number, from "
                f"{' to '.join(map(number, attribute.ends or ()))}, and {value[:80]!r} is neither "
                f"one nor a range, such as {_example(attribute)}."
            )
    return OneOf(attribute.name, tuple(number(float(value)) for value in values))


def _example(attribute: Attribute) -> str:
    if attribute.is_number and attribute.ends:
        return str(Between(attribute.name, attribute.ends[0]))
    return f"{attribute.name}:{_escaped(next(iter(attribute.values), 'a'))}"


def _attribute(name: str, column: pd.Series) -> Attribute:
    if name == PATIENT_ID:
        return Attribute(name)
    if not is_number(column):
        return Attribute(name, values=counted(column))
    counts = column.value_counts().sort_index() if column.nunique() <= FEW_NUMBERS else {}
    values = {number(value): int(n) for value, n in counts.items()}
    return Attribute(name, True, values, (float(column.min()), float(column.max())))


def _column(test: pd.DataFrame, name: str, class_names: tuple[str, ...]) -> pd.Series:
    if name == N_FINDINGS and name not in test:
        count = np.nan_to_num(label_matrix(test, findings(class_names))).sum(axis=1)
        return pd.Series(count.astype(int), test.index)
    if name not in test:
        raise InputError(f"The labels have no attribute {name[:80]!r}.")
    return column_of(test, name)


def _escaped(text: str) -> str:
    return re.sub(r"[%,:|]|^\s|\s$", lambda found: quote(found[0], safe=""), text)
