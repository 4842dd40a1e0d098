"""The probabilities in a prediction file made elsewhere, matched with the images they are of.

`core.importing.files` says what files are called, `core.importing.frames` reads one as a table.

- A table with a column of images (`image_id`, `id`, `path` or another known name) has rows in any
  order. A column `label` is checked where there is one.
- A DataFrame as Holste et al. publish it names no images: its rows are the images of the test split
  in the order of the label file, and its column `label` holds each image's classes, joined by "|".
  The order is checked by that column, row by row.
- A bare array names nothing: the user states the class of each column, and its rows are taken in
  the order of the label file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InputError
from core.importing.frames import IMAGE_COLUMNS, LABEL, image_column, is_bare, read_frame
from core.study.labels import Labels, label_matrix
from core.study.settings import ImportedSettings

ROUNDING = 1e-5
# Columns that hold the class where a file has a row for each image and class.
LONG = re.compile(r"class(_?name)?|label|finding|disease|pathology|variable", re.IGNORECASE)


@dataclass(frozen=True)
class TestSplit:
    """What every prediction file has to fit: the images of the test split and their labels."""

    rows: pd.DataFrame
    class_names: tuple[str, ...]
    logits: bool = False
    array_classes: tuple[str, ...] = ()

    __test__ = False  # not a test, whatever pytest makes of its name

    @classmethod
    def of(cls, labels: Labels, settings: ImportedSettings | None = None) -> TestSplit:
        split, names = labels.split("test"), labels.class_names
        if settings is None:
            return cls(split, names)
        return cls(split, names, settings.logits, settings.array_classes)

    @property
    def image_ids(self) -> pd.Series:
        return self.rows["image_id"]

    @cached_property
    def truth(self) -> np.ndarray:
        return label_matrix(self.rows, self.class_names)

    @cached_property
    def joined(self) -> np.ndarray:
        """Each image's classes, sorted and joined by "|"."""
        patterns, which = np.unique(self.truth == 1, axis=0, return_inverse=True)
        names = np.array(self.class_names, dtype=object)
        texts = np.array([_joined(names[pattern]) for pattern in patterns], dtype=object)
        return texts[which.reshape(-1)]

    def row_of(self, given: pd.Series, path: Path, column: str) -> np.ndarray:
        """Where in the file each image stands; by bare names where folders, endings or case differ.

        Raises InputError for images that are missing, there twice, or not of the test split.
        """
        index = pd.Index(given)
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise InputError(f"{path}: the {column} {twice!r} occurs more than once.")
        order = self.found(index)
        if (order < 0).any():
            missing = self.image_ids.iloc[int(np.argmax(order < 0))]
            n_missing, n_there = int((order < 0).sum()), int((order >= 0).sum())
            seen = "" if n_there or index.empty else f" Its first is {index[0]!r}."
            raise InputError(
                f"{path} lacks image {missing!r} of the test split ({n_missing:,} of "
                f"{len(order):,} are missing).{seen}"
            )
        if len(index) > len(order):
            foreign = np.delete(index.to_numpy(object), order)
            raise InputError(
                f"{path} has {len(index):,} rows; the test split has {len(order):,} images. Image "
                f"{foreign[0]!r} is not in the test split: keep only rows of test images."
            )
        return order

    def found(self, index: pd.Index) -> np.ndarray:
        """The place of each image in `index`, or -1."""
        orders = []
        for spelled in (_clean, _alike, _bare_name, _stem):
            there = index.map(spelled)
            # Labels know an image by id and by path; a file may use either.
            for key in ("image_id", "path"):
                wanted = pd.Index(self.rows[key].astype(object)).map(spelled)
                if there.is_unique and wanted.is_unique:
                    orders.append(there.get_indexer(wanted))
        none = np.full(len(self.rows), -1)
        return max([none, *orders], key=lambda order: int((order >= 0).sum()))


def _text(name: object) -> str:
    return "" if name is None or name != name else str(name)


def _clean(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def _alike(name: str) -> str:
    return _clean(name).casefold()  # x.PNG for x.png


def _bare_name(name: str) -> str:
    return _alike(name).rpartition("/")[2]


def _stem(name: str) -> str:
    bare = _bare_name(name)
    return bare.rpartition(".")[0] or bare


def read_probabilities(path: Path, test: TestSplit) -> np.ndarray:
    """(images, classes) in the order of the test split, in the precision of the file.

    Raises InputError that names the file and what is wrong with it: a class that is missing, a
    wrong number of rows, a row whose label is another, or a value that is no probability.
    """
    names = test.class_names
    frame = read_frame(path, len(test.rows), {*names, *test.array_classes})
    if bare := is_bare(frame):
        frame = _with_stated_classes(frame, test, path)
    _refuse_missing(frame.attrs.pop("names", frame.columns), names, path)
    column = image_column(frame.columns, class_names=names)
    has_labels = LABEL in frame.columns and LABEL not in names
    in_order = bare or (has_labels and path.suffix.lower() not in (".csv", ".parquet"))
    images = None if column is None else frame[column].map(_text).astype(object)
    # Beside labels, names of rows that are no images are only that.
    if images is not None and has_labels and column not in IMAGE_COLUMNS:
        images = images if (test.found(pd.Index(images)) >= 0).any() else None
    if images is not None:
        frame = frame.iloc[test.row_of(images, path, str(column))].reset_index(drop=True)
    elif not in_order:
        raise InputError(
            f"{path} names no images: it needs one of the columns {', '.join(IMAGE_COLUMNS)}; or, "
            f"of a DataFrame, {LABEL} with each image's classes joined by |, to check the order of "
            f"its rows. Its columns: {', '.join(map(str, frame.columns))}."
        )
    elif len(frame) != len(test.rows):
        raise InputError(
            f"{path} has {len(frame):,} rows; the test split has {len(test.rows):,} images."
        )
    if has_labels:
        _refuse_other_labels(frame[LABEL], test, path)
    return _probabilities(frame, test, path)


def remarks(values: np.ndarray) -> list[str]:
    """What is odd about (images, classes) of probabilities, though they can be read."""
    said = []
    if np.isin(values, (0, 1)).all():
        said.append(
            "they are only 0 and 1: decisions rather than probabilities, among which many images "
            "are tied"
        )
    elif values.shape[1] > 1 and np.abs(values.sum(axis=1) - 1).max() < 1e-3:
        said.append(
            "those of each image add up to 1, as after a softmax: an image with several findings "
            "divides them among its classes"
        )
    return said


def _with_stated_classes(frame: pd.DataFrame, test: TestSplit, path: Path) -> pd.DataFrame:
    names = test.array_classes
    if not names:
        raise InputError(
            f"{path} is a bare array: nothing in it says which column is which class. State them "
            'in order with --array-classes "Hernia,Mass,...".'
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"--array-classes names the class {twice!r} twice.")
    if frame.shape != (len(test.rows), len(names)):
        raise InputError(
            f"{path} holds an array of shape {frame.shape}; expected "
            f"{(len(test.rows), len(names))}: {len(test.rows):,} images of the test split and "
            f"{len(names)} classes as stated."
        )
    return frame.set_axis(list(names), axis=1)


def _refuse_missing(given: Iterable[object], needed: tuple[str, ...], path: Path) -> None:
    there = list(map(str, given))
    missing = [name for name in needed if name not in there]
    if not missing:
        return
    alike: dict[str, Callable[[str], bool]] = {
        "Names of classes are compared letter by letter: write": lambda c: (
            c.casefold() in {name.casefold() for name in missing}
        ),
        "Call each column as its class, and save one file per sparsity: rename": lambda c: any(
            name in c for name in missing
        ),
        "A file has one column per class and one row per image, but here is": lambda c: bool(
            LONG.fullmatch(c)
        ),
    }
    others = [name for name in there if name not in needed and name not in IMAGE_COLUMNS]
    hint = next((f" {say} {c!r}" for say, fits in alike.items() for c in others if fits(c)), "")
    raise InputError(
        f"{path} lacks the column(s) {', '.join(missing)}. Its columns: {', '.join(there)}."
        + (f"{hint}." if hint else "")
    )


def _refuse_other_labels(given: pd.Series, test: TestSplit, path: Path) -> None:
    texts = given.astype(object).where(given.notna(), "").astype(str)
    canonical = {text: _joined(n for n in text.split("|") if n) for text in texts.unique()}
    differs = texts.map(canonical).to_numpy(object) != test.joined
    if differs.any():
        row = int(np.argmax(differs))
        raise InputError(
            f"{path}: row {row + 1} is labelled {texts.iloc[row]!r}, but image "
            f"{test.image_ids.iloc[row]!r}, in that place of the test split, is "
            f"{test.joined[row]!r}. The file is in another order or for other labels; it is not "
            f"used ({int(differs.sum()):,} of {len(differs):,} rows differ)."
        )


def _joined(names: Iterable[str]) -> str:
    return "|".join(sorted(name.strip() for name in names))


def _probabilities(frame: pd.DataFrame, test: TestSplit, path: Path) -> np.ndarray:
    for name in test.class_names:
        if frame[name].dtype.kind not in "fiu":
            raise InputError(f"{path}: class {name!r} {_no_numbers(frame[name])}.")
    values = frame[list(test.class_names)].to_numpy()
    values = values if values.dtype == np.float64 else values.astype(np.float32)
    if test.logits:
        return _sigmoid(values, test, path)
    # Sums of floats may end a little outside, which is no other scale.
    wrong = ~((values >= -ROUNDING) & (values <= 1 + ROUNDING))  # NaN is neither
    if wrong.any():
        row, column = (int(n[0]) for n in np.nonzero(wrong))
        value = values[row, column]
        said = "missing (blank or NaN)" if np.isnan(value) else f"{value:.9g}"
        raise InputError(
            f"{path}: class {test.class_names[column]!r} of image {test.image_ids.iloc[row]!r} is "
            f"{said}; a probability is between 0 and 1.{scale_hint(values)}"
        )
    return np.clip(values, 0, 1)


def _no_numbers(column: pd.Series) -> str:
    if column.dtype.kind == "b":
        return "holds true and false, which are decisions; probabilities are needed"
    texts = column.dropna().astype(str)
    wrong = texts[pd.to_numeric(texts, errors="coerce").isna()]
    return f"holds {wrong.iloc[0][:40]!r}, not numbers" if len(wrong) else "holds no numbers"


def scale_hint(values: np.ndarray) -> str:
    """Of numbers that are no probabilities, what they may be: logits on both sides of 0 or all
    below it, or percent. Otherwise empty."""
    if not values.size or not np.isfinite(values).all():
        return ""
    least, most = values.min(), values.max()
    if least < -ROUNDING:
        return (
            f" The file holds {least:.3g} to {most:.3g}: if these are logits, import them with "
            "--logits."
        )
    if least >= 0 and 1 < most <= 100:
        return f" The file holds {least:.3g} to {most:.3g}: if these are percent, divide by 100."
    return ""


def _sigmoid(values: np.ndarray, test: TestSplit, path: Path) -> np.ndarray:
    """In 64 bits, which tell logits apart up to about 36; 32 bits end at 17."""
    if not np.isfinite(values).all():
        row, column = (int(n[0]) for n in np.nonzero(~np.isfinite(values)))
        raise InputError(
            f"{path}: class {test.class_names[column]!r} of image {test.image_ids.iloc[row]!r} is "
            f"{values[row, column]}, which is no logit."
        )
    if values.size and values.min() >= 0 and values.max() <= 1:
        raise InputError(
            f"{path} holds only {values.min():.3g} to {values.max():.3g}: these are probabilities. "
            "Import them without --logits."
        )
    return 1 / (1 + np.exp(-values.astype(np.float64)))
