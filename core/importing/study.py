"""Predictions made elsewhere become a study: one file at a time, each at most once.

Run it again after anything; it goes on. `study.json` keeps the digest of each file that was taken,
so that a file that has changed is taken again, and one that is gone leaves the study.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from core.analysis.metrics import metrics_table
from core.datasets import cxr_lt, table
from core.datasets.tables import read_rows
from core.errors import InputError, WorkError
from core.importing.files import PredictionFile, prediction_files
from core.importing.frames import IMAGE_COLUMNS, image_column
from core.importing.imported import Imported
from core.importing.predictions import TestSplit, read_probabilities, remarks
from core.results.preparation import make_ready
from core.study import paths, store
from core.study.config import StudyConfig, parse_config
from core.study.known_settings import known_settings
from core.study.labels import Labels
from core.study.progress import Advance, Cancelled, Progress, Report
from core.study.settings import DEFAULT_SPARSITIES, Architecture, ImportedSettings
from core.study.study import Study
from core.wording import data_sentences

log = logging.getLogger(__name__)
Cell = tuple[int, float]
DATASETS = ("nih-cxr-lt", "mimic-cxr-lt", "table")


def import_study(
    folder: Path,
    labels: Path,
    dataset: str,
    name: str,
    images: Path | None = None,
    listener: Callable[[Report], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    *,
    logits: bool = False,
    array_classes: tuple[str, ...] = (),
) -> Imported:
    """Make a study called `name` of the prediction files in `folder`.

    `labels` is the folder of the published label files; for dataset "table" a CSV or Parquet file
    with an image column, class columns and perhaps split and patient_id. Files are described in
    `core.importing.predictions`. What is missing is listed; what does not fit is refused by name,
    and a study of which nothing fitted leaves no trace.

    Raises InputError where a file or label does not fit, WorkError where another process works on
    the study, Cancelled once `cancelled()` says so.
    """
    if dataset not in DATASETS:
        raise InputError(f"There is no dataset {dataset!r}; there are: {', '.join(DATASETS)}.")
    files = prediction_files(folder, dataset)
    config = _config(files, labels, dataset, name, images, logits, array_classes)
    refuse_other_study(config)
    target = paths.study_dir(config)
    target.mkdir(parents=True, exist_ok=True)
    lock = FileLock(paths.lock_path(target))
    try:
        lock.acquire(timeout=1)
    except Timeout as error:
        raise WorkError(f"Study {name!r} is being imported by another process.") from error
    with lock:
        for leftover in target.rglob(".*.tmp"):  # of a process killed while it wrote
            leftover.unlink()
        progress = Progress(target, 3 + config.runs.count, listener, cancelled)
        work = _Import(config, target, folder, files)
        try:
            imported = work.run(progress)
        except (Cancelled, KeyboardInterrupt):
            progress.end("cancelled", "Stopped on request; run it again to go on.")
            raise
        except Exception as error:
            known = isinstance(error, InputError | WorkError)
            progress.end("failed", str(error) if known else f"{type(error).__name__}: {error}")
            if isinstance(error, InputError) and not store.finished_cells(target):
                shutil.rmtree(target)
            raise
        progress.end("finished")
    return imported


def refuse_other_study(config: StudyConfig) -> None:
    """Raise InputError where the name belongs to a study of something else."""
    for folder, existing in store.readable_studies():
        if existing.study.name == config.study.name and folder.name != config.id:
            raise InputError(
                f"Study {config.study.name!r} exists, and was made of other runs, sparsities or "
                f"settings. Choose another name, or delete {folder} first."
            )


def _config(
    files: list[PredictionFile],
    labels: Path,
    dataset: str,
    name: str,
    images: Path | None,
    logits: bool,
    array_classes: tuple[str, ...],
) -> StudyConfig:
    architecture, seeds = files[0].architecture, sorted({file.seed for file in files})
    settings: dict[str, Any] = {
        "kind": "imported",
        "name": dataset,
        "labels": labels.expanduser().absolute(),
        "architecture": architecture,
        "logits": logits,
        "array_classes": array_classes,
        "on_bad_image": "skip",  # images are only looked at here; a missing one says so itself
    }
    if images is not None:
        settings["images"] = images.expanduser().absolute()
    if dataset == "table":
        settings["image_column"] = _image_column(labels, images is not None)
    raw = {
        "study": {"name": name},
        "dataset": settings,
        "model": {
            "architecture": architecture if architecture in get_args(Architecture) else "other"
        },
        "runs": {"count": len(seeds), "first_seed": seeds[0]},
        "sweep": {"sparsities": sorted({file.sparsity for file in files})},
    }
    return parse_config(raw, "import-predictions")


def _image_column(labels: Path, with_images: bool) -> str:
    """With images the table's paths lead to them; without, ids match predictions best."""
    columns = read_rows(labels).columns
    wanted = reversed(IMAGE_COLUMNS) if with_images else IMAGE_COLUMNS
    if column := image_column(columns, wanted):
        return column
    raise InputError(
        f"{labels} names no images: it needs one of the columns {', '.join(IMAGE_COLUMNS)}. Its "
        f"columns: {', '.join(columns)}."
    )


def labels_of(
    files: list[PredictionFile],
    labels: Path,
    dataset: str,
    logits: bool = False,
    array_classes: tuple[str, ...] = (),
) -> tuple[Labels, ImportedSettings]:
    """The labels that an import of these files would read, and its settings."""
    config = _config(files, labels, dataset, "looked-at", None, logits, array_classes)
    assert config.dataset.kind == "imported"
    return _read_labels(config, lambda done, total: None), config.dataset


def _read_labels(config: StudyConfig, advance: Advance) -> Labels:
    settings = config.dataset
    assert settings.kind == "imported"
    load = table.load if settings.name == "table" else cxr_lt.load
    return load(settings, advance)


class _Import:
    """One import at work: what `study.json` and the metrics table know, and how they grow."""

    def __init__(
        self, config: StudyConfig, target: Path, source: Path, files: list[PredictionFile]
    ) -> None:
        self.config, self.target, self.source = config, target, source
        self.seeds = sorted({file.seed for file in files})
        self.files = {(self.seeds.index(file.seed), file.sparsity): file for file in files}
        self.n_new = 0
        self.remarked = False

    def run(self, progress: Progress) -> Imported:
        self._open()
        advance = progress.start("Reading the labels", "images")
        labels = _read_labels(self.config, advance)
        self._refuse_other_labels(labels)
        settings = self.config.dataset
        assert settings.kind == "imported"
        test = TestSplit.of(labels, settings)
        if test.rows.empty:
            raise InputError(f"{self.config.dataset.labels} has no image in the test split.")
        for caveat in data_sentences.caveats(labels.split("test"), labels.class_names):
            log.warning("%s", caveat)
        store.write_labels(labels, self.target)
        self._drop_what_is_gone()
        for run, seed in enumerate(self.seeds):
            which = f"Importing seed {seed}, {run + 1} of {len(self.seeds)}"
            self._import_run(run, test, progress.start(which, "cells"))
        self._write_ensembles(test, progress.start("Averaging runs", "sparsities"))
        make_ready(Study(self.target), progress.start("Making the pages ready", "steps"))
        if self.n_new or "finished" not in self.provenance:
            self.provenance["finished"] = _now()
        self._save()
        return self._report(labels)

    def _open(self) -> None:
        self.provenance = store.read_provenance(self.target) or {
            "versions": _versions(),
            "started": _now(),
            "skipped_images": [],
        }
        self.provenance["config"] = known_settings(self.config)
        self.provenance["seeds"] = self.seeds
        self.imported = self.provenance.setdefault("imported", {})
        self.imported["folder"] = str(self.source.expanduser().absolute())
        self.cells: dict[str, Any] = self.imported.setdefault("cells", {})
        self.run_of: dict[tuple[float, str], int] = {}  # of (sparsity, digest of probabilities)
        try:
            self.metrics = store.read_class_metrics(self.target)
        except WorkError as error:
            log.warning("Made again: %s", error)
            self.metrics = pd.DataFrame(columns=store.CLASS_METRICS.names)
        self._save()

    def _save(self) -> None:
        store.write_json(self.provenance, paths.study_json(self.target))

    def _refuse_other_labels(self, labels: Labels) -> None:
        known, now = self.provenance.get("dataset_fingerprint"), labels.fingerprint()
        if known and known != now:
            raise InputError(
                f"The labels of study {self.config.study.name!r} have changed since it was begun "
                f"(fingerprint {known} -> {now}). Restore them, or choose another study name."
            )
        self.provenance["dataset_fingerprint"] = now

    def _drop_what_is_gone(self) -> None:
        for cell in store.finished_cells(self.target):
            if cell not in self.files:
                log.warning("%s has no file any more and leaves the study.", _key(cell))
                paths.prediction_path(self.target, *cell).unlink()
        wanted = {_key(cell) for cell in self.files}
        for key in set(self.cells) - wanted:
            del self.cells[key]
        pairs = self.metrics[["run", "sparsity"]].itertuples(index=False, name=None)
        kept = [pair in self.files for pair in pairs]
        if not all(kept):
            self.metrics = self.metrics[kept]
            store.write_table(self.metrics, paths.class_metrics_path(self.target))

    def _import_run(self, run: int, test: TestSplit, advance: Advance) -> None:
        """Cells join the metrics table and `study.json` a run at a time, so that neither is
        rewritten for each cell; what an interruption finds is kept."""
        cells = [cell for cell in sorted(self.files) if cell[0] == run]
        with_metrics = set(self.metrics.loc[self.metrics["run"] == run, "sparsity"])
        rows, records = [], {}
        try:
            for done, cell in enumerate(cells, start=1):
                digest = _digest(self.files[cell].path)
                if cell[1] not in with_metrics or not self._is_there(cell, digest, test):
                    probabilities = read_probabilities(self.files[cell].path, test)
                    self._remark(probabilities, self.files[cell].path)
                    held = {"probabilities": _probabilities_digest(probabilities)}
                    self._refuse_equal_run(cell, held["probabilities"])
                    rows.append(self._import_cell(cell, test, probabilities))
                    named = {"file": self.files[cell].path.name, "sha256": digest}
                    records[_key(cell)] = named | held
                    self.n_new += 1
                else:
                    self._refuse_equal_run(cell, self._held_digest(cell, test))
                advance(done, len(cells))
        finally:
            self._join(run, rows)
            self.cells |= records
            self._save()

    def _remark(self, probabilities: np.ndarray, path: Path) -> None:
        """Once a study: all its files are made alike."""
        if not self.remarked:
            for remark in remarks(probabilities):
                log.warning("probabilities of %s: %s", path.name, remark)
            if self.config.dataset.kind == "imported" and self.config.dataset.array_classes:
                log.warning(
                    "rows of bare arrays are taken in the order of the test images in the labels; "
                    "nothing in an array can show that order to be wrong"
                )
        self.remarked = True

    def _is_there(self, cell: Cell, digest: str, test: TestSplit) -> bool:
        if self.cells.get(_key(cell), {}).get("sha256") != digest:
            return False
        path = paths.prediction_path(self.target, *cell)
        problem = store.predictions_problem(path, test.image_ids, test.class_names)
        if problem not in (None, "missing"):
            log.warning("Made again: %s", problem)
        return problem is None

    def _held_digest(self, cell: Cell, test: TestSplit) -> str:
        """Of a cell that is there; studies of older versions do not keep it."""
        record = self.cells[_key(cell)]
        if "probabilities" not in record:
            path = paths.prediction_path(self.target, *cell)
            stored = store.read_predictions(path, test.image_ids, test.class_names)
            record["probabilities"] = _probabilities_digest(stored)
        return record["probabilities"]

    def _refuse_equal_run(self, cell: Cell, digest: str) -> None:
        """Two trainings never agree in every bit; a file copied to another seed's name would pass
        for a run, and make whatever is said over runs look more certain than it is.

        `digest`: `_probabilities_digest`. Raises InputError that names both files.
        """
        run, sparsity = cell
        earlier = self.run_of.setdefault((sparsity, digest), run) if digest else run
        if earlier == run:
            return
        one, other = (self.files[(at, sparsity)].path.name for at in (earlier, run))
        raise InputError(
            f"{one} and {other} hold the same probabilities for every image, so seeds "
            f"{self.seeds[earlier]} and {self.seeds[run]} are not two runs. Put each seed's own "
            "predictions into its file, or remove the files of one of the two seeds and import "
            "the rest under another study name."
        )

    def _import_cell(self, cell: Cell, test: TestSplit, probabilities: np.ndarray) -> pd.DataFrame:
        # Metrics come from the file's own precision, which stored predictions may round.
        rows = metrics_table(test.truth, probabilities, test.class_names)
        path = paths.prediction_path(self.target, *cell)
        store.write_predictions(test.image_ids, probabilities, test.class_names, path)
        return rows.assign(run=cell[0], sparsity=cell[1])[store.CLASS_METRICS.names]

    def _join(self, run: int, rows: list[pd.DataFrame]) -> None:
        if not rows:
            return
        new = pd.concat(rows)
        replaced = (self.metrics["run"] == run) & self.metrics["sparsity"].isin(new["sparsity"])
        others = self.metrics[~replaced]
        table = pd.concat([others, new]) if len(others) else new
        order = ["run", "sparsity"]
        self.metrics = table.sort_values(order, kind="stable", ignore_index=True)
        store.write_table(self.metrics, paths.class_metrics_path(self.target))

    def _write_ensembles(self, test: TestSplit, advance: Advance) -> None:
        """Per sparsity, over the runs that there are, and where those changed."""
        made = self.imported.setdefault("ensembles", {})
        grid = self.config.sweep.sparsities
        for done, sparsity in enumerate(grid, start=1):
            cells = [cell for cell in sorted(self.files) if cell[1] == sparsity]
            runs = [run for run, _ in cells]
            digests = [self.cells[_key(cell)]["sha256"] for cell in cells]
            key = f"sparsity={paths.percent(sparsity):02d}"
            of = {"runs": runs, "sha256": hashlib.sha256("".join(digests).encode()).hexdigest()}
            path = paths.ensemble_path(self.target, sparsity)
            problem = store.predictions_problem(path, test.image_ids, test.class_names)
            if problem or made.get(key) != of:
                store.write_ensemble(self.target, runs, sparsity, test.image_ids, test.class_names)
                made[key] = of
            advance(done, len(grid))

    def _report(self, labels: Labels) -> Imported:
        seeds, grid = self.seeds, self.config.sweep.sparsities
        gaps = sorted(set(range(seeds[0], seeds[-1])) - set(seeds))
        return Imported(
            folder=self.target,
            class_names=labels.class_names,
            n_cells=len(self.files),
            n_new=self.n_new,
            # Seeds such as 7, 42 and 1337 were not counted up; nothing is missing between them.
            missing_seeds=tuple(gaps) if len(gaps) <= len(seeds) else (),
            missing_sparsities=tuple(s for s in DEFAULT_SPARSITIES if s not in grid),
            missing_cells=tuple(
                (seed, sparsity)
                for run, seed in enumerate(seeds)
                for sparsity in grid
                if (run, sparsity) not in self.files
            ),
        )


def _key(cell: Cell) -> str:
    return f"run={cell[0]:02d}/sparsity={paths.percent(cell[1]):02d}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _probabilities_digest(probabilities: np.ndarray) -> str:
    """Over what is stored of (images, classes): float32, in test-set order, whatever the file was.

    "" where every image has the same: a network that has collapsed, as those of two runs may.
    """
    stored = np.ascontiguousarray(probabilities, dtype=np.float32)
    return hashlib.sha256(stored.tobytes()).hexdigest() if np.ptp(stored, axis=0).any() else ""


def _versions() -> dict[str, str]:
    names = ("prunescope", "numpy", "pandas", "pyarrow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
