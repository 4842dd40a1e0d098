"""A study, opened: what analyses, pages and commands take instead of a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InputError
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.labels import Labels, class_frequencies, known_split, label_matrix

# What tables are made of, as `Study.stamp` takes it.
LABELS, METRICS, PREDICTIONS = "labels", "class_metrics", "predictions"
ENSEMBLES, VALIDATION, QUALITY = "ensembles", "validation", "image_quality"


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split of the labels, in their stored order."""

    rows: pd.DataFrame
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def image_ids(self) -> pd.Series:
        return self.rows["image_id"]

    @cached_property
    def truth(self) -> np.ndarray:
        """(images, classes) float32 of 1, 0 and NaN for uncertain."""
        return label_matrix(self.rows, self.class_names)

    @cached_property
    def patients(self) -> np.ndarray:
        """(images,) numbers that are equal for images of one patient."""
        return pd.factorize(self.rows["patient_id"])[0]


@dataclass(frozen=True)
class Study:
    """A study's folder as it is when first asked: every file is read once, and what changes later
    is seen by the next `Study` of the folder. Frames are for reading only."""

    folder: Path

    @cached_property
    def config(self) -> StudyConfig:
        return _config(self.folder, _time(paths.study_json(self.folder)))

    @property
    def name(self) -> str:
        return self.config.study.name

    @cached_property
    def labels(self) -> Labels:
        return _labels(self.folder, _time(paths.labels_path(self.folder)))

    @cached_property
    def test(self) -> Split:
        return Split(self.labels.split("test"), self.labels.class_names)

    @cached_property
    def validation(self) -> Split:
        return Split(self.labels.split("validation"), self.labels.class_names)

    @cached_property
    def frequencies(self) -> pd.DataFrame:
        """`class_frequencies` with the study's groups."""
        return self.frequencies_of(self.labels)

    def frequencies_of(self, labels: Labels) -> pd.DataFrame:
        """The same of some of its images."""
        return class_frequencies(labels, self.config.groups, self.config.trained_on)

    @property
    def n_of_frequencies(self) -> int | None:
        """How many images the frequencies in `known_split` are over; None where nobody knows."""
        split = known_split(self.frequencies)
        given = isinstance(self.config.trained_on, dict)
        return None if given and split == "train" else len(self.labels.split(split))

    @cached_property
    def class_metrics(self) -> pd.DataFrame:
        """The stored class metrics; empty, with their columns, while no cell is finished."""
        return store.read_class_metrics(self.folder)

    @cached_property
    def cells(self) -> list[tuple[int, float]]:
        """(run, sparsity) of every finished prediction file, in order."""
        return store.finished_cells(self.folder)

    @cached_property
    def grid(self) -> list[float]:
        """Sparsities whose ensemble is finished, rising."""
        return store.finished_ensembles(self.folder)

    @cached_property
    def runs_by_sparsity(self) -> dict[float, list[int]]:
        """The finished runs of every sparsity, rising."""
        runs: dict[float, list[int]] = {}
        for run, sparsity in self.cells:
            runs.setdefault(sparsity, []).append(run)
        return dict(sorted(runs.items()))

    def runs(self, *sparsities: float) -> list[int]:
        """The runs that have finished all of these sparsities, rising."""
        wanted = {paths.percent(sparsity) for sparsity in sparsities}
        finished: dict[int, set[int]] = {}
        for run, sparsity in self.cells:
            finished.setdefault(run, set()).add(paths.percent(sparsity))
        return sorted(run for run, grid in finished.items() if wanted <= grid)

    def predictions(self, run: int, sparsity: float) -> np.ndarray:
        """(test images, classes) float32. Raises WorkError where the file is missing or damaged."""
        return self._read(paths.prediction_path(self.folder, run, sparsity), self.test)

    def ensemble(self, sparsity: float) -> np.ndarray:
        """(test images, classes) float32, the mean over runs; otherwise as `predictions`."""
        return self._read(paths.ensemble_path(self.folder, sparsity), self.test)

    def validation_predictions(self, run: int, sparsity: float = 0.0) -> np.ndarray:
        """(validation images, classes) float32; otherwise as `predictions`."""
        path = paths.validation_cell_path(self.folder, run, sparsity)
        return self._read(path, self.validation)

    @cached_property
    def validation_runs(self) -> list[int]:
        """The runs whose dense model has predicted the validation split."""
        files = (self.folder / "validation").glob("run=*.parquet")
        return sorted(int(path.stem.removeprefix("run=")) for path in files)

    def has_validation(self, run: int, sparsity: float = 0.0) -> bool:
        return paths.validation_cell_path(self.folder, run, sparsity).exists()

    @property
    def lacks_validation(self) -> bool:
        """Whether a run keeps validation predictions of its dense model and lacks those of a
        finished sparsity, as older versions left it. `run_study` makes them."""
        dense = self.validation_runs
        return any(run in dense and not self.has_validation(run, s) for run, s in self.cells)

    def require(self, *sparsities: float) -> None:
        """Raises InputError that lists the finished ensembles where one of these is missing."""
        there = [paths.percent(value) for value in self.grid]
        for wanted in sparsities:
            if paths.percent(wanted) not in there:
                hint = f" For {wanted:g} % give {wanted / 100:g}." if 1 <= wanted < 100 else ""
                raise InputError(
                    f"{self.folder.name} has no ensemble at sparsity {wanted:g}.{hint} "
                    f"Finished: {', '.join(f'{value:g}' for value in self.grid) or 'none yet'}."
                )

    def stamp(self, *inputs: str) -> str:
        """Sixteen hex digits over the labels and the files of these inputs: names, sizes, times."""
        return self._stamps(tuple(sorted({LABELS, *inputs})))

    def _stamps(self, inputs: tuple[str, ...]) -> str:
        known: dict[tuple[str, ...], str] = self.__dict__.setdefault("_known_stamps", {})
        if inputs not in known:
            digest = hashlib.sha256()
            for name in inputs:
                for line in sorted(self._files(name)):
                    digest.update(line.encode())
            known[inputs] = digest.hexdigest()[:16]
        return known[inputs]

    def _files(self, of: str) -> Iterator[str]:
        """A line for every file of an input."""
        if of == VALIDATION:  # operating points are fixed on it
            yield f"{self.config.operating_point.specificity}\n"
        if of == LABELS and self.config.checkpoint:  # the classes' groups go by it
            yield f"{self.config.trained_on}\n"
        one = {
            LABELS: paths.labels_path,
            METRICS: paths.class_metrics_path,
            QUALITY: paths.image_quality_path,
        }
        if of in one:
            with suppress(FileNotFoundError):
                yield _line(of, one[of](self.folder).stat())
            return
        # `scandir` tells of 600 files in a fifth of the time of `glob`; pages ask at every rerun.
        folder = {PREDICTIONS: "predictions", ENSEMBLES: "ensemble", VALIDATION: "validation"}[of]
        with suppress(FileNotFoundError), os.scandir(self.folder / folder) as found:
            for entry in found:
                if entry.name.startswith("run=") and entry.is_dir():
                    with os.scandir(entry) as cells:
                        for cell in cells:
                            if cell.name.startswith("sparsity=") and cell.name.endswith(".parquet"):
                                yield _line(f"{of}/{entry.name}/{cell.name}", cell.stat())
                elif entry.name.endswith(".parquet") and not entry.name.startswith("."):
                    yield _line(f"{of}/{entry.name}", entry.stat())

    def _read(self, path: Path, split: Split) -> np.ndarray:
        return store.read_predictions(path, split.image_ids, self.labels.class_names)


def _line(name: str, status: os.stat_result) -> str:
    return f"{name} {status.st_size} {status.st_mtime_ns}\n"


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=256)  # every page lists all studies
def _config(folder: Path, time: int) -> StudyConfig:
    return store.read_config(folder)


@lru_cache(maxsize=4)  # a labels file changes seldom, and every page asks for it
def _labels(folder: Path, time: int) -> Labels:
    return store.read_labels(folder)


def find_study(name: str) -> Study:
    """The study called `name`. Raises InputError that lists the names there are."""
    return Study(store.find_study(name))
