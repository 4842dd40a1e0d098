"""Prediction files made elsewhere: which there are, and the probabilities in one of them.

A file is called `<dataset>_<architecture>_seed-S_prune-R.pkl`, `.parquet`, `.csv` or `.npy`, with R
the sparsity: 0, 0.05, ..., 0.95. It has one column of probabilities per class.

- A pickle is a DataFrame as Holste et al. publish them: its rows are the images of the test split
  in the order of the label file, and its column `label` holds each image's classes, joined by "|".
  The order is checked by that column, row by row.
- A bare array (.npy) names nothing: the user states the class of each column, and its rows are
  taken in the order of the label file.
- Parquet and CSV have a column `image_id`, `id` or `path`, and rows in any order; a column `label`
  is checked where there is one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.datasets.rows import dialect, refuse_long_rows
from core.errors import InputError
from core.importing.pickles import read_pickled_frame
from core.study.labels import Labels, label_matrix
from core.study.settings import ImportedSettings

LONGEST_TEXT = 4096  # bytes of an image id or of the labels of one image
IMAGE_COLUMNS = ("image_id", "id", "path")
LABEL = "label"
IN_ORDER = (".pkl", ".npy")  # rows are the test split's, in its order
ROUNDING = 1e-5
PATTERN = "<dataset>_<architecture>_seed-S_prune-R.pkl (or .parquet, .csv, .npy)"


@dataclass(frozen=True)
class PredictionFile:
    path: Path
    architecture: str
    seed: int
    sparsity: float


def prediction_files(folder: Path, dataset: str) -> list[PredictionFile]:
    """The predictions of one dataset in `folder`, by seed and sparsity; other files are passed by.

    Raises InputError without any, where two hold the same cell or two architectures are
    mixed, where R is no whole percent, or where no file is of a dense model.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of prediction files.")
    name = re.compile(
        rf"{re.escape(dataset)}_(?P<architecture>.+)_seed-(?P<seed>\d{{1,9}})"
        r"_prune-(?P<sparsity>\d+(?:\.\d+)?)\.(?:pkl|parquet|csv|npy)"
    )
    files = []
    for path in sorted(folder.iterdir()):
        if (match := name.fullmatch(path.name)) and path.is_file():
            sparsity = _sparsity(match["sparsity"], path)
            files.append(PredictionFile(path, match["architecture"], int(match["seed"]), sparsity))
    if not files:
        raise InputError(
            f"{folder} holds no predictions for {dataset}. Files are called {PATTERN}, such as "
            f"{dataset}_resnet50_seed-0_prune-0.05.pkl."
        )
    architectures = sorted({file.architecture for file in files})
    if len(architectures) > 1:
        raise InputError(
            f"{folder} holds predictions of several architectures ({', '.join(architectures)}). "
            "A study is about one: give each a folder of its own."
        )
    files.sort(key=lambda file: (file.seed, file.sparsity))
    for one, other in pairwise(files):
        if (one.seed, one.sparsity) == (other.seed, other.sparsity):
            raise InputError(
                f"{one.path.name} and {other.path.name} are both seed {one.seed} at sparsity "
                f"{one.sparsity:g}. Keep one of them."
            )
    if not any(file.sparsity == 0 for file in files):
        raise InputError(
            f"{folder} holds no predictions of a dense model (..._prune-0.pkl). Everything is "
            "measured against those."
        )
    return files


def _sparsity(text: str, path: Path) -> float:
    percent = float(text) * 100
    if percent >= 100 or abs(percent - round(percent)) > 1e-9:
        raise InputError(
            f"{path.name}: sparsity {text} is not a whole percent below 1, such as 0 or 0.05."
        )
    return round(percent) / 100


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
        """Where in the file each image stands; ./x.PNG is x.png where that is clear.

        Raises InputError for images that are missing, there twice, or not of the test split.
        """
        index = pd.Index(given)
        keys = [self.rows[key] for key in ("image_id", "path")]
        if not any(key.isin(index).all() for key in keys):
            alike, others = index.map(_alike), [key.map(_alike) for key in keys]
            unique = alike.is_unique and all(one.is_unique for one in others)
            if unique and _most_in(others, alike) > _most_in(keys, index):
                index, keys = alike, others
        if not index.is_unique:
            twice = index[index.duplicated()][0]
            raise InputError(f"{path}: the {column} {twice!r} occurs more than once.")
        # Labels know an image by id and by path; a file may use either.
        candidates = [pd.Index(one.astype(object)) for one in keys]
        orders = [index.get_indexer(wanted) for wanted in candidates]
        best = max((0, 1), key=lambda n: int((orders[n] >= 0).sum()))
        wanted, order = candidates[best], orders[best]
        if (order < 0).any():
            raise InputError(
                f"{path} lacks image {wanted[int(np.argmax(order < 0))]!r} of the test split "
                f"({int((order < 0).sum()):,} of {len(wanted):,} are missing)."
            )
        if len(index) > len(wanted):
            foreign = index.difference(wanted, sort=False)[0]
            raise InputError(f"{path}: image {foreign!r} is not in the test split.")
        return order


def read_probabilities(path: Path, test: TestSplit) -> np.ndarray:
    """(images, classes) in the order of the test split, in the precision of the file.

    Raises InputError that names the file and what is wrong with it: a class that is missing, a
    wrong number of rows, a row whose label is another, or a value that is no probability.
    """
    if path.suffix == ".pkl":
        frame = read_pickled_frame(path, len(test.rows), len(test.class_names))
        _refuse_missing(frame.columns, (*test.class_names, LABEL), path)
    elif path.suffix == ".npy":
        frame = _read_array(path, test)
    else:
        frame = _read_table(path, test)
    if len(frame) != len(test.rows):
        raise InputError(
            f"{path} has {len(frame):,} rows; the test split has {len(test.rows):,} images."
        )
    if path.suffix not in IN_ORDER:
        column = image_column(frame.columns, path)
        order = test.row_of(frame[column].astype(str).astype(object), path, column)
        frame = frame.iloc[order].reset_index(drop=True)
    if LABEL in frame.columns and LABEL not in test.class_names:
        _refuse_other_labels(frame[LABEL], test, path)
    return _probabilities(frame, test, path)


def _read_array(path: Path, test: TestSplit) -> pd.DataFrame:
    """Nothing in the file is run, and nothing is read before its shape fits."""
    names, shape = test.array_classes, (len(test.rows), len(test.array_classes))
    if not names:
        raise InputError(
            f"{path} is a bare array: nothing in it says which column is which class. State them "
            'in order with --array-classes "Hernia,Mass,...".'
        )
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is not a readable array of numbers: {error}.") from error
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise InputError(
            f"{path} holds {values.dtype} of shape {values.shape}; expected numbers of shape "
            f"{shape}: {shape[0]:,} images of the test split and {shape[1]} classes as stated."
        )
    frame = pd.DataFrame(np.array(values), columns=list(names))
    _refuse_missing(frame.columns, test.class_names, path)
    return frame


def _read_table(path: Path, test: TestSplit) -> pd.DataFrame:
    wanted = {*test.class_names, LABEL}
    most_bytes = 2**20 + len(test.rows) * (64 * (len(wanted) + 8) + 1024)
    try:
        if path.stat().st_size > most_bytes:
            raise InputError(
                f"{path} has {path.stat().st_size:,} bytes, far more than {len(test.rows):,} "
                f"images take (at most {most_bytes:,}); it is not read."
            )
        if path.suffix == ".parquet":
            # As dictionaries, since a Parquet file of a few bytes can repeat one long text per row.
            schema = pq.read_schema(path)
            kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
            texts = [field.name for field in schema if any(kind(field.type) for kind in kinds)]
            file = pq.ParquetFile(path, read_dictionary=texts)
            if file.metadata.num_rows > len(test.rows):
                return pd.DataFrame(index=range(file.metadata.num_rows))
            names = file.schema_arrow.names
            column = image_column(names, path)
            _refuse_missing(names, test.class_names, path)
            used = [name for name in names if name in wanted or name == column]
            _refuse_text(file.schema_arrow, test.class_names, path)
            table = file.read(columns=used, use_pandas_metadata=False)
            _refuse_long_texts(table, path)
            frame = table.to_pandas(ignore_metadata=True)
            return frame.astype({name: object for name in texts if name in used})
        with open(path, "rb") as content:
            written = dialect(content)
            refuse_long_rows(content, path, written)
        names = pd.read_csv(
            path,
            nrows=0,
            encoding=written.encoding,
            sep=written.delimiter,
            skiprows=written.skipped,
        ).columns
        column = image_column(names, path)
        _refuse_missing(names, test.class_names, path)
        return pd.read_csv(
            path,
            usecols=[name for name in names if name in wanted or name == column],
            index_col=False,
            dtype={column: str} | ({LABEL: str} if LABEL in names else {}),
            decimal="," if written.delimiter == ";" else ".",
            encoding=written.encoding,
            sep=written.delimiter,
            skiprows=written.skipped,
        )
    except InputError:
        raise
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path} is not a readable CSV or Parquet table: {error}.") from error


def _refuse_text(schema: pa.Schema, class_names: Iterable[str], path: Path) -> None:
    for name in class_names:
        kind = schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise InputError(f"{path}: class {name!r} holds {kind}, not probabilities.")


def _refuse_long_texts(table: pa.Table, path: Path) -> None:
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
            if longest > LONGEST_TEXT:
                raise InputError(
                    f"{path}: column {name!r} holds a text of {longest:,} bytes; at most "
                    f"{LONGEST_TEXT:,} are read."
                )


def image_column(names: Iterable[str], path: Path, preferred: Iterable[str] = IMAGE_COLUMNS) -> str:
    """The column of `path` that names images, the first of `preferred` that is there."""
    column = next((name for name in preferred if name in names), None)
    if column is None:
        raise InputError(
            f"{path} names no images: it needs one of the columns {', '.join(IMAGE_COLUMNS)}. "
            f"Its columns: {', '.join(map(str, names))}."
        )
    return column


def _refuse_missing(names: Iterable[str], needed: tuple[str, ...], path: Path) -> None:
    there = list(names)
    missing = [name for name in needed if name not in there]
    if missing:
        raise InputError(
            f"{path} lacks the column(s) {', '.join(missing)}. Its columns: {', '.join(there)}."
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


def _most_in(keys: list[pd.Series], index: pd.Index) -> int:
    return max(int(key.isin(index).sum()) for key in keys)


def _alike(text: str) -> str:
    return text.strip().replace("\\", "/").removeprefix("./").casefold()


def _joined(names: Iterable[str]) -> str:
    return "|".join(sorted(name.strip() for name in names))


def _probabilities(frame: pd.DataFrame, test: TestSplit, path: Path) -> np.ndarray:
    for name in test.class_names:
        if frame[name].dtype.kind != "f" and frame[name].dtype.kind not in "iu":
            raise InputError(f"{path}: class {name!r} holds something else than numbers.")
    values = frame[list(test.class_names)].to_numpy()
    values = values if values.dtype == np.float64 else values.astype(np.float32)
    if test.logits:
        return _sigmoid(values, test, path)
    # Sums of floats may end a little outside, which is no other scale.
    wrong = ~((values >= -ROUNDING) & (values <= 1 + ROUNDING))  # NaN is neither
    if wrong.any():
        row, column = (int(n[0]) for n in np.nonzero(wrong))
        raise InputError(
            f"{path}: class {test.class_names[column]!r} of image {test.image_ids.iloc[row]!r} is "
            f"{values[row, column]:.9g}; a probability is between 0 and 1.{_logits_hint(values)}"
        )
    return np.clip(values, 0, 1)


def _logits_hint(values: np.ndarray) -> str:
    """Where a file looks like logits: all finite, and on both sides of 0."""
    if not (np.isfinite(values).all() and values.min() < 0 < values.max()):
        return ""
    return (
        f" The file holds {values.min():.3g} to {values.max():.3g}: if these are logits, import "
        "them with --logits."
    )


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
