"""What predictions are understood to be: of a folder its cells, of a file what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.datasets.tables import read_rows
from core.errors import InputError
from core.importing.files import ENDINGS, MEANT, NAME, prediction_files
from core.importing.frames import LABEL, image_column, is_bare, read_frame
from core.importing.predictions import ROUNDING, TestSplit, read_probabilities, remarks, scale_hint
from core.importing.study import DATASETS, labels_of

SUFFIXES = tuple(f".{ending}" for ending in ENDINGS if ending not in ("csv", "parquet"))
MOST_ROWS = 300_000  # more than any chest X-ray dataset has test images


def is_predictions(name: str) -> bool:
    """By its name alone: an array, a pickle, or a table called as predictions are."""
    return name.lower().endswith(SUFFIXES) or bool(NAME.fullmatch(name))


def folder(path: Path, settings: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """Networks, runs, sparsities and what is missing; classes and scale of its first dense file;
    with the labels in `settings`, whether every file fits them, image by image.

    settings: labels, logits and array_classes, as for an import. Raises InputError for a folder
    that cannot be a study.
    """
    there = [one.name.lower() for one in path.iterdir() if MEANT.search(one.name)]
    prefixes = [name for name in DATASETS if any(one.startswith(f"{name}_") for one in there)]
    if len(prefixes) != 1:
        raise InputError(
            f"{path} holds prediction files of {' and '.join(prefixes) or 'no known dataset'}. "
            f"Their names begin with one of {', '.join(DATASETS)}; for a folder of labels, give "
            "--preset."
        )
    files = prediction_files(path, prefixes[0])
    cells = {(file.seed, file.sparsity) for file in files}
    seeds = sorted({seed for seed, _ in cells})
    sparsities = sorted({sparsity for _, sparsity in cells})
    lacking = [(seed, s) for seed in seeds for s in sparsities if (seed, s) not in cells]
    facts: dict[str, Any] = {
        "dataset": prefixes[0],
        "architecture": files[0].architecture,
        "n_files": len(files),
        "seeds": seeds,
        "sparsities": sparsities,
        "missing": [f"seed {seed} at sparsity {sparsity:g}" for seed, sparsity in lacking],
    }
    first = next(file.path for file in files if file.sparsity == 0)
    facts |= {name: value for name, value in of_file(first, warnings).items() if name != "named"}
    if "labels" not in settings:
        facts["order_check"] += "; not compared with labels yet: give them with --labels"
        return facts
    options = {name: settings[name] for name in ("logits", "array_classes") if name in settings}
    labels, dataset = labels_of(files, Path(settings["labels"]), prefixes[0], **options)
    test = TestSplit.of(labels, dataset)
    refused = []
    for file in files:
        try:
            read_probabilities(file.path, test)
        except InputError as error:
            refused.append(str(error))
    facts["order_check"] = f"{len(files) - len(refused)} of {len(files)} files fit the labels"
    warnings += refused[:3]
    if len(refused) > 3:
        warnings.append(f"and {len(refused) - 3} more files do not fit the labels")
    return facts


def of_file(path: Path, warnings: list[str], name: str = "") -> dict[str, Any]:
    """The rows, classes and numbers of one file, and what its order can be checked by.

    name: what its person calls it, where `path` does not say so. Raises InputError for what is no
    table of numbers.
    """
    frame = _numbers(path)
    image = None if is_bare(frame) else image_column(frame.columns)
    classes = [
        column
        for column in frame
        if column not in (image, LABEL) and not str(column).startswith("Unnamed:")
        if pd.api.types.is_numeric_dtype(frame[column])
    ]
    if not classes:
        raise InputError(f"{path} has no column of numbers, so it holds no predictions.")
    values = frame[classes].to_numpy(dtype=float)
    match = NAME.fullmatch(name or path.name)
    facts: dict[str, Any] = {
        "named": f"network {match['architecture']}, seed {int(match['seed'])}, sparsity "
        f"{match['sparsity']}" if match else "nothing is said by the name of the file",
        "n_images": len(frame),
        "image_column": image,
        "scale": _scale(values),
        "order_check": _order(frame, image),
        "classes": {
            _called(column): {
                "least": round(float(np.nanmin(numbers, initial=np.inf)), 6),
                "most": round(float(np.nanmax(numbers, initial=-np.inf)), 6),
                "missing": int(np.isnan(numbers).sum()),
            }
            for column, numbers in zip(classes, values.T, strict=True)
        },
    }  # fmt: skip
    if is_bare(frame):
        warnings.append(
            "a bare array: nothing in it says which column is which class, or which row is which "
            "image. State the classes with --array-classes when you import it"
        )
    if missing := int(np.isnan(values).sum()):
        warnings.append(f"{missing:,} values are missing; an import refuses them")
    elif np.isfinite(values).all() and _within(values):
        warnings += remarks(np.clip(values, 0, 1))
    return facts


def is_of_fractions(path: Path) -> bool:
    """Whether a table that holds no labels holds predictions: images, and mostly fractions."""
    try:
        frame = _numbers(path)
    except InputError:
        return False
    columns = [c for c in frame if frame[c].dtype.kind == "f" and frame[c].notna().any()]
    shares = [(frame[c].dropna() % 1 != 0).mean() for c in columns if c != LABEL]
    return image_column(frame.columns) is not None and bool(shares) and min(shares) > 0.5


def _numbers(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in (".csv", ".parquet"):
        return read_frame(path, MOST_ROWS, ())
    frame = read_rows(path)
    image = image_column(frame.columns)
    for column in frame:
        if column in (image, LABEL) or pd.api.types.is_numeric_dtype(frame[column]):
            continue
        text = frame[column].astype(object)
        numbers = pd.to_numeric(
            text.map(lambda t: t.replace(",", ".") if isinstance(t, str) else t), errors="coerce"
        )
        if numbers.notna().any() and (numbers.isna() == text.isna()).all():
            frame[column] = numbers
    return frame


def _called(column: object) -> str:
    return f"column {column + 1}" if isinstance(column, int) else str(column)


def _within(values: np.ndarray) -> bool:
    return bool((values >= -ROUNDING).all() and (values <= 1 + ROUNDING).all())


def _scale(values: np.ndarray) -> str:
    there = values[np.isfinite(values)]
    if not there.size:
        return "no numbers"
    if _within(there):
        return "probabilities: all between 0 and 1"
    return scale_hint(there).strip() or f"no probabilities: {there.min():.3g} to {there.max():.3g}"


def _order(frame: pd.DataFrame, image: str | None) -> str:
    if image is not None:
        return f"by the images in {image!r}, so rows may be in any order"
    if LABEL in frame:
        return f"by {LABEL!r}, row by row, in the order of the test images in the labels"
    return "none: nothing in the file says which row is which image"
