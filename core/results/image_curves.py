"""Every test image's probabilities over sparsity, summed up over runs and laid out by image.

Predictions lie by (run, sparsity), so one image would mean opening every file. One .npy per
sparsity, (test images, classes, `KEPT`), is mapped instead of read: an image is one short row
of each. They lie below a folder named after what they were made from, and are made anew elsewhere
when that changes; one that was stopped goes on with the sparsities it lacks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from core.analysis import lost
from core.analysis.image_curves import CHANGED, SUMMARY, changed_runs, over_runs
from core.analysis.ranks import ranks
from core.errors import WorkError
from core.results import operating_tables
from core.study import paths, store
from core.study.labels import label_matrix

EDITION = 2
Advance = Callable[[int, int], None]
KEPT = (*SUMMARY, "rank", *CHANGED)  # rank: of the mean over runs, among the test images


def key(folder: Path) -> str:
    """Sixteen hex digits over the predictions and the operating points' inputs."""
    inputs = f"{store.predictions_key(folder)} {operating_tables.operating_points_key(folder)}"
    parts = f"{EDITION} {KEPT} {inputs}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def grid(folder: Path) -> dict[float, list[int]]:
    """The finished runs of every sparsity, rising."""
    runs: dict[float, list[int]] = {}
    for run, sparsity in store.finished_cells(folder):
        runs.setdefault(sparsity, []).append(run)
    return dict(sorted(runs.items()))


def unprepared(folder: Path, made_from: str) -> list[float]:
    """The sparsities whose file is missing under this key."""
    return [s for s in grid(folder) if not paths.image_curves_path(folder, made_from, s).exists()]


def prepare(folder: Path, made_from: str) -> Iterator[tuple[int, int]]:
    """Make what is missing; yields (done, total) sparsities. Holds one sparsity of all runs in
    memory (60 MB at 30 runs of 25,596 images and 20 classes), its sorted copy, and the dense one.

    Raises WorkError where a prediction file is damaged.
    """
    folders = paths.image_curves_dir(folder)
    labels = store.read_labels(folder)
    test = labels.split("test")
    image_ids, truth = test["image_id"], label_matrix(test, labels.class_names)
    points = operating_tables.operating_points(folder)["operating_point"].to_numpy(float)
    runs_at = grid(folder)
    with FileLock(folder / "image_curves.lock"):
        for old in folders.glob("*"):
            if old.name != made_from:
                shutil.rmtree(old, ignore_errors=True)
        missing = unprepared(folder, made_from)

        def read(run: int, sparsity: float) -> np.ndarray:
            path = paths.prediction_path(folder, run, sparsity)
            return store.read_predictions(path, image_ids, labels.class_names)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            with_dense = runs_at.get(0.0, []) if missing else []
            found = pool.map(lambda run: read(run, 0.0), with_dense)
            dense = dict(zip(with_dense, found, strict=True))
        for done, sparsity in enumerate(missing, start=1):
            runs = runs_at[sparsity]
            values = np.empty((len(runs), len(image_ids), len(labels.class_names)), np.float32)

            def fill(
                at: int, values: np.ndarray = values, runs: list[int] = runs, s: float = sparsity
            ) -> None:
                values[at] = read(runs[at], s)

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(fill, range(len(runs))))
            summary = _in_slices(values, points)
            rank = ranks(truth, summary[..., 0])[..., None]
            changed = changed_runs(values, [dense.get(run) for run in runs], points)
            kept = np.concatenate([summary, rank, changed], axis=-1)
            path = paths.image_curves_path(folder, made_from, sparsity)
            with store.whole_file(path) as temporary, open(temporary, "wb") as file:
                np.save(file, kept)
            yield done, len(missing)


def read_image(folder: Path, made_from: str, row: int) -> np.ndarray:
    """(sparsities, classes, KEPT) of the test image in this row of the test split.

    Raises WorkError where a file is gone or damaged; it is removed, so that it is made again.
    """
    rows = []
    for sparsity in grid(folder):
        path = paths.image_curves_path(folder, made_from, sparsity)
        try:
            rows.append(np.array(np.load(path, mmap_mode="r")[row]))
        except (OSError, ValueError, EOFError, IndexError) as error:
            path.unlink(missing_ok=True)
            raise WorkError(f"{path} is missing or damaged and is made again: {error}") from error
    return np.stack(rows)


def counts_over_runs(folder: Path, made_from: str) -> dict[float, np.ndarray]:
    """(images, classes, CHANGED) of every sparsity: see `changed_runs`."""
    first = KEPT.index(CHANGED[0])
    return {
        sparsity: np.load(paths.image_curves_path(folder, made_from, sparsity), mmap_mode="r")[
            ..., first : first + len(CHANGED)
        ]
        for sparsity in grid(folder)
    }


def lost_findings(folder: Path, advance: Advance | None = None) -> pd.DataFrame:
    """`lost.lost_findings`: every (image, class) that is lost by the operating point, with how many
    runs lose it, then every one that is lost by rank.

    Prepares the images' curves the first time, which reads every prediction; `advance(done, total)`
    hears of the sparsities. A study without operating points has the second half only.
    """
    return _findings(folder, lost.lost_findings, operating_tables.lost_at, advance)


def raised_findings(folder: Path, advance: Advance | None = None) -> pd.DataFrame:
    """`lost.raised_findings`: every false alarm that pruning adds, by the operating point, then by
    rank; otherwise as `lost_findings`."""
    return _findings(folder, lost.raised_findings, operating_tables.raised_at, advance)


def _findings(
    folder: Path,
    tabulate: Callable[..., pd.DataFrame],
    since: Callable[[Path, lost.LostBy], np.ndarray],
    advance: Advance | None,
) -> pd.DataFrame:
    made_from = key(folder)
    for done, total in prepare(folder, made_from):
        if advance:
            advance(done, total)
    labels = store.read_labels(folder)
    test = labels.split("test")
    truth = label_matrix(test, labels.class_names)
    n_runs = {s: len(runs) for s, runs in grid(folder).items()}
    counts = {lost.OPERATING_POINT: counts_over_runs(folder, made_from), lost.RANK: None}
    halves = [
        tabulate(test["image_id"], labels.class_names, truth, since(folder, by), counts[by], n_runs)
        for by in lost.LOST_BY
    ]
    return pd.concat(halves, ignore_index=True)


def _in_slices(values: np.ndarray, points: np.ndarray, images: int = 2048) -> np.ndarray:
    """`over_runs`, some images at a time in threads: sorting lets the others run."""
    begins = range(0, values.shape[1], images)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda begin: over_runs(values[:, begin : begin + images], points), begins)
        return np.concatenate(list(parts))
