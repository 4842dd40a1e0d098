"""What the columns of a table mean: declared once, beside the code that makes the table.

`export --describe`, the documentation's reference, page headers, the report and the codebook of a
reader study all take name, meaning and unit from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum


class Unit(Enum):
    """What a number is counted in, and how pages show it: a printf format, or a name of
    `core.ui.tables.TELLINGS`. Two may count in the same and differ in what they show of it."""

    NONE = ("", "")  # text, counts, yes or no, and numbers without a unit
    SPARSITY = ("fraction of weights", "sparsity")
    SHARE = ("fraction", "share")
    CHANGE = ("fraction of dense", "change")
    BOUND = ("fraction of dense", "bound")
    MARGIN = ("fraction of dense", "margin")
    POINTS = ("difference of fractions", "points")
    PER_100 = ("per 100 images", "tenths")
    CHANCE = ("probability", "sparsity")
    PROBABILITY = ("probability", "significant")
    P = ("probability", "p")
    METRIC = ("", "%.3f")
    DIFFERENCE = ("", "%+.3f")
    T = ("", "%.2f")
    SECONDS = ("seconds", "%.0f")
    TIME = ("UTC", "YYYY-MM-DD HH:mm:ss")

    @property
    def words(self) -> str:
        return self.value[0]

    @property
    def shown(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Column:
    """meaning: a sentence or two of Markdown. label: the column's header on a page."""

    name: str
    meaning: str
    unit: Unit = Unit.NONE
    label: str = ""

    def meaning_here(self, meaning: str) -> Column:
        """The same column in a table where it means this."""
        return replace(self, meaning=meaning)


class Columns(Mapping[str, Column]):
    """The columns of a table by name, in order. what: what the table answers. row: what one row of
    it is. Columns that are only part of tables have neither."""

    def __init__(self, *parts: Column | Columns, what: str = "", row: str = "") -> None:
        self.what, self.row = what, row
        self._columns: dict[str, Column] = {}
        for part in parts:
            for column in part.values() if isinstance(part, Columns) else (part,):
                if column.name in self._columns:
                    raise ValueError(f"The column {column.name} is there twice.")
                self._columns[column.name] = column

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def names(self) -> list[str]:
        return list(self._columns)

    def only(self, *names: str) -> Columns:
        """These, in this order."""
        return Columns(*(self[name] for name in names))

    def but(self, *names: str) -> Columns:
        """Those with other names."""
        return Columns(*(column for name, column in self.items() if name not in names))


def interval(
    stem: str = "ci", of: str = "its 95 % interval", unit: Unit = Unit.NONE, label: str = "{} 95 %"
) -> Columns:
    """`stem`_low and `stem`_high, the ends of `of`. label: with {} for lower or upper."""
    ends = {"low": "lower", "high": "upper"}
    return Columns(
        *(
            Column(f"{stem}_{short}", f"{end.capitalize()} end of {of}.", unit, _begun(label, end))
            for short, end in ends.items()
        )
    )


def _begun(label: str, end: str) -> str:
    text = label.format(end)
    return text[0].upper() + text[1:]


# Columns of several tables.
SHARED = Columns(
    Column("image_id", "The image, as in the study's labels."),
    Column("class_name", "The class, as the dataset calls it.", label="Class"),
    Column("group", "head, medium or tail, by train frequency and the study's `[groups]`; \"not "
           "known\" where the train frequency is missing.",
           label="Group"),
    Column("run", "Number of the run, from 0; runs differ only by seed."),
    Column("sparsity", "Fraction of the prunable weights that are zero; 0 is dense.",
           Unit.SPARSITY, "Sparsity"),
    Column("train_frequency", "Share of the training images that carry the class; missing of a "
           "given checkpoint whose training is not known.", Unit.SHARE,
           "Train frequency"),
    Column("test_frequency", "Share of the test images that carry the class.", Unit.SHARE,
           "Test frequency"),
    Column("n_positive", "Test images that carry the class.", label="Test positives"),
    Column("n_positive_patients", "Patients with a test image that carries the class.",
           label="Patients with it"),
    Column("n_runs", "Runs (trainings) the row rests on.", label="Runs"),
)  # fmt: skip
# The tables that a sweep writes.
CLASS_METRICS = Columns(
    SHARED.only("run", "sparsity", "class_name", "n_positive"),
    Column("ap", "Average precision; missing where no test image carries the class."),
    Column("auroc", "Area under the ROC curve; missing where only one kind of image is there."),
    Column("calibrated_ap", "AP with precision restated at a prevalence of 5 %."),
)
ACHIEVED_SPARSITY = Columns(
    SHARED.only("run", "sparsity"),
    Column("layer", "`overall`, or the name of a weight tensor."),
    Column("row", "Output of the classifier, counted from 0; missing for whole layers."),
    Column("n_weights", "Prunable weights in it."),
    Column("n_zero", "How many of them are zero."),
    Column("achieved_sparsity", "`n_zero` over `n_weights`.", Unit.SPARSITY),
    what="Where the zeros are: how much of each layer was pruned.",
    row="a run, sparsity and layer, and one for each output of the classifier",
)
