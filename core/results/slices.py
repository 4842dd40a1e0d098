"""All test images of a study or a slice of them, and the class metrics of a slice.

These come from ranks kept beside the predictions. The ranks of each (run, sparsity) are made once
from its predictions, and made again where these or the labels changed: their file carries the time
of the newer of the two.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from core.analysis.decay import pruned_sparsities
from core.analysis.metrics import with_somers_d
from core.analysis.slice_metrics import even_ranks, ranks_type, slice_metrics, slice_truth
from core.analysis.subgroup import Subgroup
from core.errors import InputError
from core.study import paths, store
from core.study.labels import Labels
from core.study.study import PREDICTIONS, Study

METRICS = ("n_positive", "ap", "auroc", "calibrated_ap")
Cell = tuple[int, float]


@dataclass(frozen=True)
class Slice:
    """The test images of a study, or those of a subgroup, as an analysis of classes takes them.

    over_patients: whether to say what other patients would change. It takes a reading of all
    predictions, and nothing is known of it in a subgroup.
    """

    study: Study
    subgroup: Subgroup | None = None
    over_patients: bool = True

    @cached_property
    def chosen(self) -> np.ndarray:
        """(test images,) bool."""
        if self.subgroup is None:
            return np.ones(len(self.study.test), bool)
        return self.subgroup(self.study.labels)

    @cached_property
    def labels(self) -> Labels:
        """The labels without the test images that are left out."""
        if self.subgroup is None:
            return self.study.labels
        whole = self.study.labels
        kept = np.ones(len(whole.table), bool)
        kept[np.flatnonzero(whole.table["split"] == "test")] = self.chosen
        return Labels(whole.table[kept], whole.class_names)

    @property
    def class_names(self) -> list[str]:
        return list(self.study.labels.class_names)

    @cached_property
    def truth(self) -> np.ndarray:
        """(images of the slice, classes) of 1, 0 and NaN for uncertain."""
        truth = self.study.test.truth
        return truth if self.subgroup is None else truth[self.chosen]

    @cached_property
    def frequencies(self) -> pd.DataFrame:
        if self.subgroup is None:
            return self.study.frequencies
        return self.study.frequencies_of(self.labels)

    @cached_property
    def class_metrics(self) -> pd.DataFrame:
        """With Somers' D. Raises InputError while no cell is finished."""
        study, table = self.study, self.study.class_metrics
        if self.subgroup:
            table = _of_subgroup(study, self.subgroup, study.stamp(PREDICTIONS))
        if len(table) == 0:
            raise InputError(
                f"{study.folder.name} has no metrics yet: no prediction of it is finished."
            )
        return with_somers_d(table)

    @property
    def whole(self) -> bool:
        """Whether something may be said of other patients."""
        return self.over_patients and self.subgroup is None

    @property
    def has_moments(self) -> bool:
        """Whether there is something to say: a pruned model."""
        return self.whole and bool(pruned_sparsities(self.class_metrics))


@lru_cache(maxsize=8)  # every table of a page is made of it, and it takes longer than all of them
def _of_subgroup(study: Study, subgroup: Subgroup, stamp: str) -> pd.DataFrame:
    study = Study(study.folder)  # as its files are now; the stamp is theirs
    return class_metrics(study, subgroup(study.labels))


def unprepared(study: Study) -> list[Cell]:
    """The finished (run, sparsity) cells whose ranks are missing or out of date."""
    return [cell for cell in study.cells if not _is_current(study, cell)]


def prepare(study: Study, cells: list[Cell]) -> Iterator[int]:
    """Make the ranks of `cells`; yields how many are done."""

    def make(cell: Cell) -> None:
        if _is_current(study, cell):  # another process has been here
            return
        time = _time(study, cell)
        path = paths.ranks_path(study.folder, *cell)
        with store.whole_file(path) as temporary, open(temporary, "wb") as file:
            np.save(file, even_ranks(study.predictions(*cell)))
        os.utime(path, ns=(time, time))

    n = os.cpu_count() or 1
    with FileLock(study.folder / "ranks.lock"), ThreadPoolExecutor(n) as pool:
        for begin in range(0, len(cells), n):  # a few at a time, so that it can be stopped
            batch = cells[begin : begin + n]
            list(pool.map(make, batch))
            yield begin + len(batch)


def class_metrics(study: Study, chosen: np.ndarray) -> pd.DataFrame:
    """The class metrics table of the chosen test images, over every finished cell; makes the ranks
    that are missing, see `prepare`. chosen: (test images,) bool."""
    for _ in prepare(study, unprepared(study)):
        pass
    cells, names = study.cells, study.labels.class_names
    rows = np.flatnonzero(chosen)
    truth = slice_truth(study.test.truth[chosen].T)

    def of_cell(cell: Cell) -> np.ndarray:
        ranks = _mapped(paths.ranks_path(study.folder, *cell), chosen.size, len(names))
        found = slice_metrics(truth, ranks.take(rows, axis=1))
        return np.stack([found[name] for name in METRICS], axis=1)

    # Sorting and gathering let other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(of_cell, cells))
    table = pd.DataFrame(
        np.concatenate(found) if found else np.empty((0, 4)), columns=list(METRICS)
    )
    table["run"] = np.repeat([run for run, _ in cells], len(names)).astype(int)
    table["sparsity"] = np.repeat([sparsity for _, sparsity in cells], len(names)).astype(float)
    table["class_name"] = list(names) * len(cells)
    return table.astype({"n_positive": int})[store.CLASS_METRICS.names]


def _mapped(path: Path, n_images: int, n_classes: int) -> np.ndarray:
    """The ranks of a cell, of which only what is looked at is read. `np.load` gives the same, but
    takes a fifth of the time of a whole subgroup to do so for 600 cells."""
    with open(path, "rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    kind = ranks_type(n_images)
    header = len(held) - n_classes * n_images * kind.itemsize
    return np.frombuffer(held, kind, offset=header).reshape(n_classes, n_images)


def _is_current(study: Study, cell: Cell) -> bool:
    path = paths.ranks_path(study.folder, *cell)
    return path.exists() and path.stat().st_mtime_ns == _time(study, cell)


def _time(study: Study, cell: Cell) -> int:
    sources = (paths.prediction_path(study.folder, *cell), paths.labels_path(study.folder))
    return max(source.stat().st_mtime_ns for source in sources)
