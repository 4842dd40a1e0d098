"""How fast the analysis is at the size of the paper: 30 runs x 20 sparsities x 25,596 images x 20
classes. A study of simulated predictions is written as any study is, our way of working out its
numbers is timed beside the plain way."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.analysis.metrics import metrics_table
from core.analysis.pie import agreement
from core.errors import InputError
from core.study import paths, store
from core.study.config import StudyConfig, parse_config
from core.study.labels import NO_FINDING, Labels, label_matrix

Say = Callable[[str], None]
Cell = tuple[int, float]
# As in NIH ChestX-ray14, of whose images 86,524 are for training and 25,596 for testing.
TRAIN_PER_TEST = 86_524 / 25_596
IMAGES_PER_PATIENT = 4
METRICS = ("ap", "auroc")


# The study


@dataclass(frozen=True)
class BenchStudy:
    """A study of `runs` x `sparsities` x `images` (test) x `classes` simulated predictions.

    Classes are of a long tail, 20 % to 0.2 %, the last one "No Finding". Equal numbers give equal
    studies. Of the runs `distinct_runs` are simulated (all, if 0); the files of the others are
    links to theirs: as much to read, and no disk.
    """

    runs: int = 30
    sparsities: int = 20
    images: int = 25_596
    classes: int = 20
    distinct_runs: int = 0

    def __str__(self) -> str:
        sparse = f" ({self.distinct_runs} of the runs distinct)" if self.distinct_runs else ""
        return (
            f"{self.runs} runs x {self.sparsities} sparsities x {self.images:,} images x "
            f"{self.classes} classes{sparse}"
        )

    @property
    def name(self) -> str:
        sparse = f"-{self.distinct_runs}" if self.distinct_runs else ""
        return f"bench-{self.runs}x{self.sparsities}x{self.images}x{self.classes}{sparse}"

    @property
    def grid(self) -> list[float]:
        return [round(s, 2) for s in np.linspace(0, 0.95, self.sparsities)]

    @property
    def class_names(self) -> tuple[str, ...]:
        return (*(f"Finding {number:02d}" for number in range(1, self.classes)), NO_FINDING)

    def config(self) -> StudyConfig:
        labels = paths.cache_dir() / "labels.parquet"
        raw = {
            "study": {"name": self.name, "title": "Simulated predictions, to measure speed"},
            "dataset": {
                "kind": "imported",
                "name": "table",
                "labels": labels,
                "architecture": "simulated",
            },
            "model": {"architecture": "other"},
            "runs": {"count": self.runs},
            "sweep": {"sparsities": self.grid},
        }
        return parse_config(raw, "python -m benchmarks")

    def labels(self) -> Labels:
        rng = np.random.default_rng(0)
        n = self.images + round(self.images * TRAIN_PER_TEST)
        frequencies = np.geomspace(0.2, 0.002, self.classes - 1)
        positive = (rng.random((n, self.classes - 1)) < frequencies).astype(np.int8)
        number = np.arange(n)
        table = pd.DataFrame(positive, columns=list(self.class_names[:-1]))
        table[NO_FINDING] = (positive.sum(axis=1) == 0).astype(np.int8)
        table.insert(0, "image_id", [f"image-{i:06d}.png" for i in number])
        table.insert(1, "patient_id", [f"patient-{i // IMAGES_PER_PATIENT:06d}" for i in number])
        table.insert(2, "path", table["image_id"])
        # Whole patients, so that none is in both.
        first_test = (n - self.images) // IMAGES_PER_PATIENT * IMAGES_PER_PATIENT
        test = (number >= first_test) & (number < first_test + self.images)
        table.insert(3, "split", np.where(test, "test", "train"))
        table["sex"] = rng.choice(["F", "M"], n)
        table["age"] = rng.integers(1, 95, n)
        table["view"] = rng.choice(["PA", "AP"], n, p=[0.6, 0.4])
        return Labels(table, self.class_names)

    def write(self, say: Say) -> Path:
        """Labels, predictions, ensembles and class metrics; study.json last, as a sign of the
        whole. Returns the folder below the cache folder in force."""
        config, labels = self.config(), self.labels()
        folder = paths.study_dir(config)
        test = labels.split("test")
        truth = label_matrix(test, labels.class_names)
        store.write_labels(labels, folder)
        parts = []
        with _threads() as pool:
            write = (pool.submit(self._write_sparsity, folder, test, truth, s) for s in self.grid)
            for sparsity, part in zip(self.grid, list(write), strict=True):
                parts.append(part.result())
                say(f"Simulated {self.runs} runs at sparsity {sparsity:g}")
        order = ["run", "sparsity"]
        metrics = pd.concat(parts).sort_values(order, kind="stable", ignore_index=True)
        store.write_table(metrics[list(store.CLASS_METRICS)], paths.class_metrics_path(folder))
        provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
        store.write_json(provenance, paths.study_json(folder))
        return folder

    def _write_sparsity(
        self, folder: Path, test: pd.DataFrame, truth: np.ndarray, sparsity: float
    ) -> pd.DataFrame:
        total, rows = np.zeros(truth.shape), []
        simulated = self.distinct_runs or self.runs
        for run in range(simulated):
            probabilities = self.probabilities(truth, run, sparsity)
            path = paths.prediction_path(folder, run, sparsity)
            store.write_predictions(test["image_id"], probabilities, self.class_names, path)
            cell = metrics_table(truth, probabilities, self.class_names)
            for same in range(run, self.runs, simulated):
                rows.append(cell.assign(run=same, sparsity=sparsity))
                total += probabilities
                if same != run:
                    link(path, paths.prediction_path(folder, same, sparsity))
        mean = (total / self.runs).astype(np.float32)
        path = paths.ensemble_path(folder, sparsity)
        store.write_predictions(test["image_id"], mean, self.class_names, path)
        return pd.concat(rows)

    def probabilities(self, truth: np.ndarray, run: int, sparsity: float) -> np.ndarray:
        """(images, classes) float32: an image's own difficulty, noise of the training, and a signal
        that fades with sparsity, of rare classes first."""

        def noise(*seed: int) -> np.ndarray:
            return np.random.default_rng(seed).standard_normal(truth.shape, dtype=np.float32)

        fading = np.linspace(8, 2, truth.shape[1], dtype=np.float32)
        signal = 2.5 * (1 - np.float32(sparsity) ** fading) * truth
        score = signal + noise(1) + 0.5 * noise(2, run, paths.percent(sparsity)) - 3
        return 1 / (1 + np.exp(-score))


def link(file: Path, path: Path) -> None:
    """`path` as another name of `file`; what was there goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.link(file, path)


@contextmanager
def bench_study(shape: BenchStudy, cache: Path | None, keep: bool, say: Say) -> Iterator[Path]:
    """The folder of a study of that shape, with `cache` as the cache folder in force.

    Without `cache` it is a folder below the one in force. A study found there is used, and stays;
    one that had to be written goes at the end unless `keep`.
    """
    before = os.environ.get("PRUNESCOPE_CACHE")
    os.environ["PRUNESCOPE_CACHE"] = str((cache or paths.cache_dir() / "bench").absolute())
    folder = paths.study_dir(shape.config())
    there = paths.study_json(folder).exists()
    try:
        if not there:
            started = time.perf_counter()
            shape.write(say)
            say(f"{_size_mb(folder):,.0f} MB written in {time.perf_counter() - started:.0f} s")
        yield folder
    finally:
        if not there and not keep:
            shutil.rmtree(folder, ignore_errors=True)
            for empty in (paths.studies_dir(), paths.cache_dir()):
                with suppress(OSError):  # something else is in it
                    empty.rmdir()
        del os.environ["PRUNESCOPE_CACHE"]
        if before is not None:
            os.environ["PRUNESCOPE_CACHE"] = before


def machine() -> str:
    """Cores this process may use, and how busy the machine is."""
    return f"{_cores()} cores, load average {os.getloadavg()[0]:.1f}"


# Metrics and agreement, ours beside the plain way


@dataclass(frozen=True)
class AnalysisBench:
    """All class metrics and all agreements of a study, by us and the plain way.

    Ours is measured whole. The plain way (scikit-learn per cell and class; pandas `corrwith` per
    image) is measured on `plain_cells` cells and on `plain_images` images of one pair of
    ensembles, and scaled to the whole; both samples are spread evenly.
    """

    plain_cells: int = 6
    plain_images: int = 1000

    def __call__(self, folder: Path, say: Say) -> pd.DataFrame:
        """task, way, measured, seconds and cpu_seconds (of the whole), ratio of seconds, goal,
        peak_rss_mib, max_difference (of the sample, plain against ours)."""
        labels = store.read_labels(folder)
        test = labels.split("test")
        predictions = _Predictions(folder, test["image_id"], labels.class_names)
        truth = label_matrix(test, labels.class_names)
        plain_metrics(truth[:2], truth[:2], labels.class_names)  # imports are not timed
        rows = [
            *self._with_reading(predictions, truth, say),
            *self._in_memory(predictions, truth, say),
            *self._agreement(predictions, say),
        ]
        return pd.DataFrame(rows)

    def _with_reading(
        self, predictions: _Predictions, truth: np.ndarray, say: Say
    ) -> list[dict[str, Any]]:
        cells, names = predictions.cells, predictions.class_names
        sample = _spread(cells, self.plain_cells)
        say("Class metrics, reading included: scikit-learn")
        plain = _timed(
            lambda: [plain_metrics(truth, predictions.plain(cell), names) for cell in sample]
        )
        say("Class metrics, reading included: ours")

        def ours(cell: Cell) -> pd.DataFrame:
            return metrics_table(truth, predictions.read(cell), names)

        with _threads() as pool:
            all_cells = _timed(lambda: list(pool.map(ours, cells)))
        found = [all_cells.result[cells.index(cell)] for cell in sample]
        difference = _most(
            [abs(a - b[list(METRICS)]) for a, b in zip(plain.result, found, strict=True)]
        )
        what, of = "class metrics, Parquet reading included", f"of {len(cells)} cells"
        return _pair(
            what, 10, difference,
            ("scikit-learn", f"{len(sample)} {of}", len(cells) / len(sample), plain),
            ("ours", f"{len(cells)} {of}", 1, all_cells),
        )  # fmt: skip

    def _in_memory(
        self, predictions: _Predictions, truth: np.ndarray, say: Say
    ) -> list[dict[str, Any]]:
        cells, names = predictions.cells, predictions.class_names
        sample = _spread(cells, self.plain_cells)
        held = [predictions.read(cell) for cell in sample]
        say("Class metrics, predictions in memory: scikit-learn, then ours")
        plain = _timed(lambda: [plain_metrics(truth, values, names) for values in held])
        times = 10  # ours is short
        with _threads() as pool:
            ours = _timed(
                lambda: list(pool.map(lambda v: metrics_table(truth, v, names), held * times))
            )
        difference = _most(
            [abs(a - b[list(METRICS)]) for a, b in zip(plain.result, ours.result, strict=False)]
        )
        share, of = len(cells) / len(sample), f"{len(sample)} of {len(cells)} cells"
        return _pair(
            "class metrics, predictions in memory", 10, difference,
            ("scikit-learn", of, share, plain),
            ("ours", f"{of}, {times} times", share / times, ours),
        )  # fmt: skip

    def _agreement(self, predictions: _Predictions, say: Say) -> list[dict[str, Any]]:
        grid = store.finished_ensembles(predictions.folder)
        ensembles = [predictions.ensemble(sparsity) for sparsity in grid]
        dense, pruned = ensembles[0], ensembles[1:]
        images = np.array(_spread(range(len(dense)), self.plain_images))
        say("Agreement: pandas corrwith, then ours")
        one, other = (pd.DataFrame(values[images]) for values in (dense, pruned[-1]))
        plain = _timed(lambda: one.corrwith(other, axis=1, method="spearman").to_numpy())
        ours = _timed(lambda: [agreement(dense, values) for values in pruned])
        difference = float(np.nanmax(np.abs(plain.result - ours.result[-1][images])))
        whole = len(dense) * len(pruned)
        return _pair(
            "agreement of images, ensembles in memory", 50, difference,
            ("pandas corrwith", f"{len(images):,} of {whole:,}", whole / len(images), plain),
            ("ours", f"{whole:,} of {whole:,}", 1, ours),
        )  # fmt: skip


def plain_metrics(
    labels: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...]
) -> pd.DataFrame:
    """ap and auroc per class by scikit-learn; missing where undefined.

    Raises InputError that says how to install scikit-learn, which only tests need otherwise.
    """
    try:
        from sklearn.metrics import average_precision_score, roc_auc_score
    except ImportError as error:
        raise InputError(
            "This compares with scikit-learn, which is not installed: "
            "pip install -r requirements-dev.txt"
        ) from error
    found = np.full((len(class_names), len(METRICS)), np.nan)
    for at in range(len(class_names)):
        label, values = labels[:, at], probabilities[:, at]
        if 0 < label.sum() < len(label):
            found[at] = average_precision_score(label, values), roc_auc_score(label, values)
    return pd.DataFrame(found, columns=list(METRICS))


@dataclass(frozen=True)
class _Predictions:
    folder: Path
    image_ids: pd.Series
    class_names: tuple[str, ...]

    @property
    def cells(self) -> list[Cell]:
        return store.finished_cells(self.folder)

    def read(self, cell: Cell) -> np.ndarray:
        path = paths.prediction_path(self.folder, *cell)
        return store.read_predictions(path, self.image_ids, self.class_names)

    def plain(self, cell: Cell) -> np.ndarray:
        """As a notebook reads them; the rows are in the order of the labels here."""
        table = pd.read_parquet(paths.prediction_path(self.folder, *cell), partitioning=None)
        return table[list(self.class_names)].to_numpy()

    def ensemble(self, sparsity: float) -> np.ndarray:
        path = paths.ensemble_path(self.folder, sparsity)
        return store.read_predictions(path, self.image_ids, self.class_names)


@dataclass(frozen=True)
class _Timed:
    result: Any
    seconds: float
    cpu_seconds: float
    peak_mib: float


def _timed(work: Callable[[], Any]) -> _Timed:
    """Result, seconds, and the most memory resident meanwhile (Linux; elsewhere missing)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # begins a new peak
    started, cpu_started = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    peak = float("nan")
    with suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return _Timed(result, seconds, cpu, peak)


def _pair(
    task: str, goal: float, difference: float, *ways: tuple[str, str, float, _Timed]
) -> list[dict[str, Any]]:
    """Rows of the plain way and of ours: (way, what was measured, factor to the whole, timing)."""
    slowest = ways[0][2] * ways[0][3].seconds
    return [
        {
            "task": task,
            "way": way,
            "measured": measured,
            "seconds": factor * timed.seconds,
            "cpu_seconds": factor * timed.cpu_seconds,
            "ratio": slowest / (factor * timed.seconds),
            "goal": f">= {goal:g}" if number else "",
            "peak_rss_mib": round(timed.peak_mib),
            "max_difference": f"{difference:.1e}" if number else "",
        }
        for number, (way, measured, factor, timed) in enumerate(ways)
    ]


def _most(differences: Iterable[pd.DataFrame]) -> float:
    return max(float(np.nanmax(values.to_numpy(float))) for values in differences)


def _spread(items: Any, n: int) -> list:
    """At most n of the items, evenly spread, first and last among them."""
    n = min(n, len(items))
    return [items[int(at)] for at in np.linspace(0, len(items) - 1, n).round()]


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """One per core; what waits is dropped where something fails."""
    pool = ThreadPoolExecutor(_cores())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
