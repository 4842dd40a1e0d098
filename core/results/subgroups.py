"""Class metrics of a slice of the test images, from ranks kept beside the predictions.

The ranks of each (run, sparsity) are made once from its predictions, and made again where these
or the labels changed: their file carries the time of the newer of the two.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from core.analysis.subgroup import even_ranks, ranks_type, slice_metrics, slice_truth
from core.study import paths, store
from core.study.labels import Labels, label_matrix

METRICS = ("n_positive", "ap", "auroc", "calibrated_ap")
Cell = tuple[int, float]


def unprepared(folder: Path) -> list[Cell]:
    """The finished (run, sparsity) cells whose ranks are missing or out of date."""
    return [
        (run, sparsity)
        for run, sparsity in store.finished_cells(folder)
        if not _is_current(paths.ranks_path(folder, run, sparsity), _sources(folder, run, sparsity))
    ]


def prepare(folder: Path, cells: list[Cell]) -> Iterator[int]:
    """Make the ranks of `cells`; yields how many are done."""
    labels = store.read_labels(folder)
    image_ids = labels.split("test")["image_id"]

    def make(cell: Cell) -> None:
        path, sources = paths.ranks_path(folder, *cell), _sources(folder, *cell)
        if _is_current(path, sources):  # another process has been here
            return
        predictions = store.read_predictions(sources[0], image_ids, labels.class_names)
        with store.whole_file(path) as temporary, open(temporary, "wb") as file:
            np.save(file, even_ranks(predictions))
        os.utime(path, ns=(_time(sources), _time(sources)))

    n = os.cpu_count() or 1
    with FileLock(folder / "ranks.lock"), ThreadPoolExecutor(n) as pool:
        for begin in range(0, len(cells), n):  # a few at a time, so that it can be stopped
            batch = cells[begin : begin + n]
            list(pool.map(make, batch))
            yield begin + len(batch)


def class_metrics(folder: Path, labels: Labels, chosen: np.ndarray) -> pd.DataFrame:
    """The class metrics table of the chosen test images, over every prepared cell.

    chosen: (test images,) bool. Cells without ranks are left out; see `prepare`.
    """
    cells = [
        (run, sparsity)
        for run, sparsity in store.finished_cells(folder)
        if paths.ranks_path(folder, run, sparsity).exists()
    ]
    rows = np.flatnonzero(chosen)
    truth = slice_truth(label_matrix(labels.split("test")[chosen], labels.class_names).T)

    def of_cell(cell: Cell) -> np.ndarray:
        ranks = _mapped(paths.ranks_path(folder, *cell), chosen.size, len(labels.class_names))
        found = slice_metrics(truth, ranks.take(rows, axis=1))
        return np.stack([found[name] for name in METRICS], axis=1)

    # Sorting and gathering let other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(of_cell, cells))
    n_classes = len(labels.class_names)
    table = pd.DataFrame(
        np.concatenate(found) if found else np.empty((0, 4)), columns=list(METRICS)
    )
    table["run"] = np.repeat([run for run, _ in cells], n_classes).astype(int)
    table["sparsity"] = np.repeat([sparsity for _, sparsity in cells], n_classes).astype(float)
    table["class_name"] = list(labels.class_names) * len(cells)
    return table.astype({"n_positive": int})[list(store.CLASS_METRICS)]


def _mapped(path: Path, n_images: int, n_classes: int) -> np.ndarray:
    """The ranks of a cell, of which only what is looked at is read. `np.load` gives the same, but
    takes a fifth of the time of a whole subgroup to do so for 600 cells."""
    with open(path, "rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    kind = ranks_type(n_images)
    header = len(held) - n_classes * n_images * kind.itemsize
    return np.frombuffer(held, kind, offset=header).reshape(n_classes, n_images)


def _sources(folder: Path, run: int, sparsity: float) -> tuple[Path, Path]:
    return paths.prediction_path(folder, run, sparsity), paths.labels_path(folder)


def _is_current(path: Path, sources: tuple[Path, Path]) -> bool:
    return path.exists() and path.stat().st_mtime_ns == _time(sources)


def _time(sources: tuple[Path, Path]) -> int:
    return max(source.stat().st_mtime_ns for source in sources)
