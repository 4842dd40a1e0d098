"""The Parquet layout of a study: whole-or-nothing writes, damage detection, and all DuckDB SQL.

Sparsity is a fraction 0 to 1 in every table, a whole percent in file names.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import InputError, WorkError
from core.study import paths
from core.study.columns import CLASS_METRICS
from core.study.config import StudyConfig, parse_config
from core.study.labels import Labels

log = logging.getLogger(__name__)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: pa.Table | pd.DataFrame, path: Path, few_values: bool = True) -> None:
    """Write Parquet whole or not at all, with page checksums so that damage can be seen.

    `few_values`: values occur more than once. Where they hardly do, as in predictions, a
    dictionary of them makes the file half as large again and reading it four times as slow.
    """
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    with whole_file(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=few_values,
            write_page_checksum=True,
        )


def read_table(path: Path) -> pd.DataFrame:
    """Read Parquet, checking every page. Raises WorkError that names a damaged file."""
    with _damage_named(path):
        return _read_arrow(path).to_pandas()


def _read_arrow(path: Path) -> pa.Table:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read()


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise WorkError(f"{path} is missing or damaged: {error}") from error


def write_json(value: Any, path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any | None:
    """The value, or None where there is no readable file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


# Studies


def list_studies() -> list[Path]:
    """Folders of the studies on disk, by name."""
    return sorted(path.parent for path in paths.studies_dir().glob("*/study.json"))


def find_study(name: str) -> Path:
    """The folder of the study called `name`. Raises InputError that lists the names there are."""
    known = dict(readable_studies())
    for folder, config in known.items():
        if config.study.name == name:
            return folder
    names = ", ".join(config.study.name for config in known.values()) or "none yet"
    raise InputError(f"There is no study called {name!r}. Studies here: {names}.")


def readable_studies() -> Iterator[tuple[Path, StudyConfig]]:
    """Folder and config of every study; one whose `study.json` is damaged is named in the log,
    and in nobody else's way."""
    for folder in list_studies():
        try:
            yield folder, read_config(folder)
        except (InputError, WorkError) as error:
            log.warning("Left out: %s", error)


def read_config(folder: Path) -> StudyConfig:
    """The config a study was made with, from its `study.json`."""
    provenance = read_json(paths.study_json(folder))
    if not isinstance(provenance, dict) or "config" not in provenance:
        raise WorkError(f"{paths.study_json(folder)} is missing or damaged.")
    return parse_config(provenance["config"], str(paths.study_json(folder)))


def read_provenance(folder: Path) -> dict[str, Any]:
    """`study.json` as it is: config, versions, dataset fingerprint, skipped images, times."""
    provenance = read_json(paths.study_json(folder))
    return provenance if isinstance(provenance, dict) else {}


# Labels


def write_labels(labels: Labels, folder: Path) -> None:
    table = pa.Table.from_pandas(labels.table, preserve_index=False)
    names = {**(table.schema.metadata or {}), b"class_names": json.dumps(labels.class_names)}
    write_table(table.replace_schema_metadata(names), paths.labels_path(folder))


def read_labels(folder: Path) -> Labels:
    path = paths.labels_path(folder)
    table = read_table(path)
    metadata = pq.read_schema(path).metadata or {}
    return Labels(table, tuple(json.loads(metadata[b"class_names"])))


def read_image_paths(path: Path) -> dict[str, str]:
    """image_id to path, relative to the image folder, of a labels file; no class is read."""
    columns = ["image_id", "path"]
    try:
        table = pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise WorkError(f"{path} is missing or damaged: {error}") from error
    return dict(zip(*(table[column].to_pylist() for column in columns), strict=True))


# Predictions


def write_predictions(
    image_ids: pd.Series, probabilities: np.ndarray, class_names: tuple[str, ...], path: Path
) -> None:
    """image_id and one float32 column per class; probabilities: (images, classes), finite."""
    if probabilities.shape != (len(image_ids), len(class_names)):
        raise ValueError(f"{probabilities.shape} probabilities for {len(image_ids)} images")
    if not np.isfinite(probabilities).all():
        raise WorkError(f"The model's output holds NaN or infinite values; {path} is not written.")
    columns = {"image_id": pa.array(image_ids.astype(str), pa.string())}
    for index, name in enumerate(class_names):
        columns[name] = pa.array(np.ascontiguousarray(probabilities[:, index], dtype=np.float32))
    write_table(pa.table(columns), path, few_values=False)


def read_predictions(path: Path, image_ids: pd.Series, class_names: tuple[str, ...]) -> np.ndarray:
    """(images, classes) float32 in the order of `image_ids`, matched by id, never by row.

    Raises WorkError where the file is damaged, or lacks or repeats an image, or lacks a class.
    """
    with _damage_named(path):
        table = _read_arrow(path)
    missing = {"image_id", *class_names} - set(table.column_names)
    if missing:
        raise WorkError(f"{path} lacks the column(s) {', '.join(sorted(missing))}.")
    # Class by class in memory, as they lie in the file and as metrics take them.
    probabilities = np.empty((len(class_names), len(table)), np.float32).T
    for at, name in enumerate(class_names):
        probabilities[:, at] = table[name].to_numpy()
    ids = table["image_id"]
    if pa.types.is_string(ids.type) and ids.equals(_chunked(image_ids, ids.type)):
        return probabilities  # the usual case; a table of ids takes longer than all the rest
    rows = pd.Index(ids.to_pandas())
    if not rows.is_unique or len(rows) != len(image_ids):
        raise WorkError(f"{path} does not hold each of the {len(image_ids)} images once.")
    order = rows.get_indexer(pd.Index(image_ids))
    if (order < 0).any():
        raise WorkError(f"{path} lacks image {image_ids.iloc[int(np.argmax(order < 0))]!r}.")
    return probabilities[order]


def _chunked(values: pd.Series, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def predictions_problem(
    path: Path, image_ids: pd.Series, class_names: tuple[str, ...]
) -> str | None:
    """None where the file is there and whole, "missing", or what is wrong with it."""
    if not path.exists():
        return "missing"
    try:
        probabilities = read_predictions(path, image_ids, class_names)
    except WorkError as error:
        return str(error)
    return None if np.isfinite(probabilities).all() else f"{path} holds values that are not finite."


# Tables kept until one of their inputs changes; `core.results.kept` decides when


def write_kept(table: pd.DataFrame, path: Path, key: str) -> None:
    kept = pa.Table.from_pandas(table, preserve_index=False)
    write_table(kept.replace_schema_metadata({**(kept.schema.metadata or {}), b"key": key}), path)


def read_kept(path: Path, key: str) -> pd.DataFrame | None:
    """The table if it was kept under this key, else None; a damaged file is as good as none."""
    try:
        return read_table(path) if is_kept(path, key) else None
    except WorkError:
        return None


def is_kept(path: Path, key: str) -> bool:
    try:
        return (pq.read_schema(path).metadata or {}).get(b"key") == key.encode()
    except (OSError, ValueError, pa.ArrowException):
        return False


def read_class_metrics(folder: Path) -> pd.DataFrame:
    """The tidy class metrics table, ordered by run, sparsity and the classes' own order.

    Empty, with its columns, while no cell is finished.
    """
    path = paths.class_metrics_path(folder)
    if not path.exists():
        return pd.DataFrame(columns=CLASS_METRICS.names)
    return read_table(path)


def finished_cells(folder: Path) -> list[tuple[int, float]]:
    """(run, sparsity) of every prediction file on disk, in order. Says nothing of damage."""
    pattern = re.compile(r"run=(\d+)/sparsity=(\d+)\.parquet$")
    cells = []
    for path in (folder / "predictions").glob("run=*/sparsity=*.parquet"):
        if match := pattern.search(path.as_posix()):
            cells.append((int(match[1]), int(match[2]) / 100))
    return sorted(cells)


def finished_ensembles(folder: Path) -> list[float]:
    """Sparsities whose ensemble is on disk, rising."""
    names = (folder / "ensemble").glob("sparsity=*.parquet")
    return sorted(int(path.stem.removeprefix("sparsity=")) / 100 for path in names)


def write_ensemble(
    folder: Path,
    runs: list[int],
    sparsity: float,
    image_ids: pd.Series,
    class_names: tuple[str, ...],
) -> None:
    """Mean over runs of one sparsity, summed in float64, in the order of `image_ids`."""
    total = np.zeros((len(image_ids), len(class_names)))
    for run in runs:
        path = paths.prediction_path(folder, run, sparsity)
        total += read_predictions(path, image_ids, class_names)
    mean = (total / len(runs)).astype(np.float32)
    write_predictions(image_ids, mean, class_names, paths.ensemble_path(folder, sparsity))
