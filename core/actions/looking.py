"""What a file or folder is understood to be, before anything is run on it.

Nothing is written, and nothing of a file is run. The words of warnings are those that a run says:
they are collected where labels and images are read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.actions import looking_predictions
from core.checkpoints.formats import format_of
from core.checkpoints.preflight import Preflight
from core.datasets import columns, load_labels, presets, table
from core.errors import InputError
from core.pictures.images import is_dicom, read_samples, stored_bits, stored_size
from core.pictures.repairs import REPAIRS
from core.pictures.samples import BadImage
from core.study.config import StudyConfig
from core.study.labels import Labels
from core.study.settings import TableColumns
from core.wording import data_sentences
from core.wording.amounts import size
from core.wording.dense_sentences import UNPRUNED

CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".tar", ".onnx")
TABLES = (".csv", ".csv.gz", ".parquet")
PREDICTIONS = looking_predictions.SUFFIXES
MOST_NAMED = 12
TABLED = ("classes", "layers")  # facts with a row for each name
READERS = ("core.datasets", "core.importing", "core.pictures")


@dataclass(frozen=True)
class Look:
    """What was understood.

    what: "labels", "image", "predictions", "checkpoint" or "study file". facts: names to numbers,
    texts, lists or one more such level, fit for JSON. warnings: what was guessed, left out or
    repaired. picture: of an image, for a page: what the model sees, a PNG in base64.
    """

    what: str
    facts: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    picture: str = ""


def look(path: Path, settings: dict[str, Any] | None = None, name: str = "") -> Look:
    """Look at a table of labels, an image, or a file or folder of predictions.

    settings: of `core.study.settings.TableColumns`, such as preset or class_columns, for a table;
    labels, logits and array_classes for a folder of predictions. name: what its person calls a file
    that lies elsewhere under another name.

    Raises InputError in a sentence for what cannot be understood.
    """
    settings = settings or {}
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.")
    with _warnings() as warnings:
        if path.is_dir() and "preset" not in settings:
            found = looking_predictions.folder(path, settings, warnings)
            return Look("predictions", found, warnings)
        if path.is_file() and looking_predictions.is_predictions(name or path.name):
            found = looking_predictions.of_file(path, warnings, name)
            return Look("predictions", found, warnings)
        if path.is_dir() or path.name.lower().endswith(TABLES):
            try:
                return Look("labels", _labels(_settings(path, settings), warnings), warnings)
            except InputError:
                if settings or not looking_predictions.is_of_fractions(path):
                    raise
            warnings.clear()
            found = looking_predictions.of_file(path, warnings, name)
            return Look("predictions", found, warnings)
        facts, repairs = _image(path)
        return Look("image", facts, [REPAIRS[name] for name in REPAIRS if name in repairs])


def look_at_study(config: StudyConfig) -> Look:
    """The dataset of a study file, as a run would read it."""
    facts: dict[str, Any] = {"study": config.study.name, "kind": config.dataset.kind}
    if config.dataset.kind == "imported":
        raise InputError(
            f"{config.study.name} is a study of predictions: look at their folder, and with "
            "--labels at whether they fit their labels."
        )
    if config.dataset.kind == "phantom":  # not there before a run draws them
        return Look("study file", facts | {"n_patients": config.dataset.n_patients})
    with _warnings() as warnings:
        labels = load_labels(config.dataset)
        return Look("study file", facts | summary(labels), warnings + _caveats(labels))


def of_study(config: StudyConfig) -> Look:
    """What a study file says, from where the files that it names must not be opened."""
    dataset = config.dataset
    facts = {
        "study": config.study.name,
        "dataset": dataset.title,
        "preset": getattr(dataset, "preset", None),
        "architecture": config.model.architecture,
        "runs": config.runs.count,
        "sparsities": list(config.sweep.sparsities),
    }
    if dataset.kind == "phantom":
        return Look("study file", facts)
    unseen = (
        "Only its settings were read. The images and labels that it names lie on the server; look "
        "at them there: prunescope look STUDY.toml"
    )
    return Look("study file", facts, [unseen])


def is_checkpoint(path: Path, name: str = "") -> bool:
    """By its name (or the one that its person gave it), or by its first bytes where that says
    nothing."""
    name = (name or path.name).lower()
    if not path.is_file() or name.endswith((*TABLES, *PREDICTIONS, ".toml", ".zip")):
        return False
    if name.endswith(CHECKPOINTS):
        return True
    try:
        return bool(format_of(path))
    except InputError:
        return False


def of_checkpoint(report: Preflight) -> Look:
    """What a checkpoint is by itself, from a report that asked no dataset."""
    file, found, outputs = report.file, report.architecture, report.outputs
    facts: dict[str, Any] = {"format": file.format, "n_bytes": file.n_bytes, "tensors": file.dtypes}
    facts |= {"in_the_file": file.notes}
    if report.graph:
        facts |= {"graph": report.graph.sentence, "analysed": UNPRUNED}
    elif found:
        candidates = {found.architecture: found.share}
        candidates |= {other.architecture: other.share for other in found.runner_ups}
        facts |= {
            "architecture": found.architecture,
            "names_of": found.library,
            "candidates": {name: f"{share:.1%}" for name, share in candidates.items()},
            "channels": found.channels,
            "image_size": found.image_size,
        }
    if report.keys:
        facts["not_used"] = list(report.keys.ignored)
    if outputs:
        facts |= {"outputs": outputs.n_outputs, "output_names": list(outputs.file_names)}
    if weights := report.weights:
        facts |= {
            "prunable_weights": weights.n_weights,
            "zero_already": f"{weights.sparsity:.1%}",
            "layers": {
                one.layer: {"weights": one.n_weights, "zeros": one.n_zero} for one in weights.layers
            },
        }
    return Look("checkpoint", facts, [report.refusal] if report.refusal else [])


def in_words(found: Look) -> dict[str, str]:
    """The facts that are no table, as a person reads them: a name and a line for each."""
    rows = {name: value for name, value in found.facts.items() if name not in TABLED}
    return {
        name.removeprefix("n_").replace("_", " "): size(value) if name == "n_bytes" else text(value)
        for name, value in rows.items()
    }


def text(value: Any) -> str:
    """A fact on one line: at most twelve of a list, and how many more there are."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        if name := value.get("name"):
            return f"{name} ({text({key: one for key, one in value.items() if key != 'name'})})"
        return ", ".join(f"{name} {text(one)}" for name, one in value.items())
    if isinstance(value, list):
        shown = ", ".join(map(text, value[:MOST_NAMED]))
        more = f" and {len(value) - MOST_NAMED:,} more" if len(value) > MOST_NAMED else ""
        return (shown or "none") + more
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def summary(labels: Labels) -> dict[str, Any]:
    """Images, patients, splits, and each class's positives, negatives and uncertain images."""
    rows = labels.table
    values = {name: rows[name] for name in labels.class_names}
    return {
        "n_images": len(rows),
        "n_patients": int(rows["patient_id"].nunique()),
        "splits": {str(name): int(n) for name, n in rows["split"].value_counts().items()},
        "classes": {
            name: {
                "positives": int((column == 1).sum()),
                "negatives": int((column == 0).sum()),
                "uncertain": int(column.isna().sum()),
            }
            for name, column in values.items()
        },
        "attributes": list(labels.attributes),
    }


def _settings(path: Path, chosen: dict[str, Any]) -> TableColumns:
    try:
        return TableColumns(labels=path, **chosen)
    except ValidationError as error:
        one = error.errors()[0]
        raise InputError(f"dataset.{'.'.join(map(str, one['loc']))}: {one['msg']}.") from error


def _caveats(labels: Labels) -> list[str]:
    return data_sentences.one_valued(labels.split("test"), labels.class_names)


def _labels(settings: TableColumns, warnings: list[str]) -> dict[str, Any]:
    rows, read_by = presets.read(settings)
    labels = table.load(settings, lambda done, total: None)
    warnings += _caveats(labels)
    warnings[:] = dict.fromkeys(warnings)  # the rows were read twice
    return {
        "preset": settings.preset,
        "columns": list(map(str, rows.columns)),
        "image_column": columns.image_column(rows, read_by.image_column),
        "patient_column": read_by.patient_column or columns.patient_column(rows),
        "split_column": read_by.split_column or columns.split_column(rows),
        **summary(labels),
    }


def _image(path: Path) -> tuple[dict[str, Any], set[str]]:
    repairs: set[str] = set()
    try:
        width, height = stored_size(path)
        samples = read_samples(path, repairs)
    except BadImage as error:
        raise InputError(str(error)) from error
    lowest, highest = samples.values.min(), samples.values.max()
    facts = {
        "kind": "DICOM" if is_dicom(path) else path.suffix.lstrip(".").upper() or "image",
        "width": width,
        "height": height,
        "depth_bits": stored_bits(path),
        "lowest_value": float(lowest * samples.slope + samples.intercept),
        "highest_value": float(highest * samples.slope + samples.intercept),
        "windows": [
            {"name": one.name, "center": float(one.center), "width": float(one.width)}
            for one in samples.windows
        ],
    }
    return facts, repairs


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What readers warn of, collected in place of the log."""
    collected: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: collected.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in READERS]
    before = [one.propagate for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.propagate = False
    try:
        yield collected
    finally:
        for one, propagate in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.propagate = propagate
