"""Every test image's probabilities over sparsity, summed up over runs and laid out by image.

Predictions lie by (run, sparsity), so one image would mean opening every file. One .npy per
sparsity, (test images, classes, `KEPT`), is mapped instead of read: an image is one short row
of each. They lie below a folder named after what they were made from, and are made again elsewhere
when that changes; one that was stopped goes on with the sparsities it lacks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from filelock import FileLock

from core.analysis import lost
from core.analysis.image_curves import CHANGED, SUMMARY, changed_runs, over_runs
from core.analysis.ranks import ranks
from core.errors import WorkError
from core.results.kept import Advance
from core.results.operating import lost_at, operating_points, raised_at
from core.study import paths, store
from core.study.study import PREDICTIONS, VALIDATION, Study

VERSION = 3
KEPT = (*SUMMARY, "rank", *CHANGED)  # rank: of the mean over runs, among the test images


def key(study: Study) -> str:
    """Sixteen hex digits over the predictions and the operating points' inputs."""
    parts = f"{VERSION} {KEPT} {study.stamp(PREDICTIONS, VALIDATION)}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def unprepared(study: Study) -> list[float]:
    """The sparsities whose file is missing."""
    return [s for s in study.runs_by_sparsity if not _path(study, s).exists()]


def prepare(study: Study) -> Iterator[tuple[int, int]]:
    """Make what is missing; yields (done, total) sparsities. Holds one sparsity of all runs in
    memory (60 MB at 30 runs of 25,596 images and 20 classes), its sorted copy, and the dense one.

    Raises WorkError where a prediction file is damaged.
    """
    points = operating_points(study)["operating_point"].to_numpy(float)
    with FileLock(study.folder / "image_curves.lock"):
        for old in paths.image_curves_dir(study.folder).glob("*"):
            if old.name != key(study):
                shutil.rmtree(old, ignore_errors=True)
        missing = unprepared(study)
        with_dense = study.runs_by_sparsity.get(0.0, []) if missing else []
        dense = dict(zip(with_dense, _of_runs(study, with_dense, 0.0), strict=True))
        for done, sparsity in enumerate(missing, start=1):
            runs = study.runs_by_sparsity[sparsity]
            values = _of_runs(study, runs, sparsity)
            summary = _in_slices(values, points)
            rank = ranks(study.test.truth, summary[..., 0])[..., None]
            changed = changed_runs(values, [dense.get(run) for run in runs], points)
            kept = np.concatenate([summary, rank, changed], axis=-1)
            with store.whole_file(_path(study, sparsity)) as part, open(part, "wb") as file:
                np.save(file, kept)
            yield done, len(missing)


def _of_runs(study: Study, runs: list[int], sparsity: float) -> np.ndarray:
    """(runs, images, classes)"""
    values = np.empty((len(runs), *study.test.truth.shape), np.float32)

    def fill(at: int) -> None:
        values[at] = study.predictions(runs[at], sparsity)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(len(runs))))
    return values


def read_image(study: Study, row: int) -> np.ndarray:
    """(sparsities, classes, KEPT) of the test image in this row of the test split.

    Raises WorkError where a file is gone or damaged; it is removed, so that it is made again.
    """
    rows = []
    for sparsity in study.runs_by_sparsity:
        path = _path(study, sparsity)
        try:
            rows.append(np.array(np.load(path, mmap_mode="r")[row]))
        except (OSError, ValueError, EOFError, IndexError) as error:
            path.unlink(missing_ok=True)
            raise WorkError(f"{path} is missing or damaged and is made again: {error}") from error
    return np.stack(rows)


def counts_over_runs(study: Study) -> dict[float, np.ndarray]:
    """(images, classes, CHANGED) of every sparsity: see `changed_runs`."""
    first = KEPT.index(CHANGED[0])
    return {
        sparsity: np.load(_path(study, sparsity), mmap_mode="r")[..., first : first + len(CHANGED)]
        for sparsity in study.runs_by_sparsity
    }


def lost_findings(study: Study, advance: Advance | None = None) -> pd.DataFrame:
    """`lost.changed_findings`: every (image, class) that is lost by the operating point, with how
    many runs lose it, then every one that is lost by rank.

    Prepares the images' curves the first time, which reads every prediction; `advance(done, total)`
    hears of the sparsities. A study without operating points has the second half only.
    """
    return _findings(study, "lost", lost_at, advance)


def raised_findings(study: Study, advance: Advance | None = None) -> pd.DataFrame:
    """`lost.changed_findings`: every false alarm that pruning adds, by the operating point, then by
    rank; otherwise as `lost_findings`."""
    return _findings(study, "raised", raised_at, advance)


def _findings(
    study: Study,
    kind: Literal["lost", "raised"],
    since: Callable[[Study, lost.LostBy], np.ndarray],
    advance: Advance | None,
) -> pd.DataFrame:
    for done, total in prepare(study):
        if advance:
            advance(done, total)
    test, names = study.test, study.labels.class_names
    n_runs = {s: len(runs) for s, runs in study.runs_by_sparsity.items()}
    counts = {lost.OPERATING_POINT: counts_over_runs(study), lost.RANK: None}
    halves = [
        lost.changed_findings(
            kind, test.image_ids, names, test.truth, since(study, by), counts[by], n_runs
        )
        for by in lost.LOST_BY
    ]
    return pd.concat(halves, ignore_index=True)


def _path(study: Study, sparsity: float) -> Path:
    return paths.image_curves_path(study.folder, key(study), sparsity)


def _in_slices(values: np.ndarray, points: np.ndarray, images: int = 2048) -> np.ndarray:
    """`over_runs`, some images at a time in threads: sorting lets the others run."""
    begins = range(0, values.shape[1], images)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda begin: over_runs(values[:, begin : begin + images], points), begins)
        return np.concatenate(list(parts))
