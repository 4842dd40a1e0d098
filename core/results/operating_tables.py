"""What operating points make of a study: the points themselves, what is lost and raised at them on
which image, and how well each class is found. Reads files; the arithmetic is in `core/analysis`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from core.analysis.lost import (
    OPERATING_POINT,
    RANK,
    Cells,
    LostBy,
    lost_at_sparsity,
    raised_at_sparsity,
)
from core.analysis.operating_characteristics import (
    DENSE,
    REFIXED,
    Points,
    no_operating_characteristics,
    operating_characteristics_of,
)
from core.analysis.operating_points import OperatingPoints, no_operating_points
from core.analysis.ranks import ranks
from core.study import paths, store
from core.study.labels import Labels, class_frequencies, label_matrix

# Changes with the way a kept table is computed, so that an old one is not taken for a new one.
LOST_EDITION = 1
CHARACTERISTICS_EDITION = 1


def operating_points(folder: Path) -> pd.DataFrame:
    """`OperatingPoints` of the dense model averaged over the runs that have validation predictions,
    and n_runs, how many have; all missing, and 0, where a study keeps none."""
    labels = store.read_labels(folder)
    paths = sorted((folder / "validation").glob("run=*.parquet"))
    if len(labels.split("validation")) == 0 or not paths:
        return no_operating_points(labels.class_names).assign(n_runs=0)
    return _points(folder, labels, paths).assign(n_runs=len(paths))


def refixed_points(folder: Path, labels: Labels) -> dict[float, np.ndarray]:
    """(classes,) operating points fixed again for the model at every sparsity, at the same
    specificity; only of sparsities whose every finished run has validation predictions."""
    runs: dict[float, list[int]] = {}
    for run, sparsity in store.finished_cells(folder):
        runs.setdefault(sparsity, []).append(run)
    cells = {
        sparsity: [paths.validation_cell_path(folder, run, sparsity) for run in at]
        for sparsity, at in runs.items()
    }
    return {
        sparsity: _points(folder, labels, files)["operating_point"].to_numpy(float)
        for sparsity, files in cells.items()
        if len(labels.split("validation")) and all(path.exists() for path in files)
    }


def _points(folder: Path, labels: Labels, paths: list[Path]) -> pd.DataFrame:
    rows = labels.split("validation")
    total = np.zeros((len(rows), len(labels.class_names)))
    for path in paths:
        total += store.read_predictions(path, rows["image_id"], labels.class_names)
    mean = (total / len(paths)).astype(np.float32)  # as ensembles are rounded
    find = OperatingPoints(store.read_config(folder).operating_point.specificity)
    return find(label_matrix(rows, labels.class_names), mean, labels.class_names)


def operating_points_key(folder: Path) -> str:
    """What operating points depend on: the specificity, and the validation files with their
    times."""
    paths = sorted((folder / "validation").glob("run=*.parquet"))
    times = " ".join(f"{path.name} {path.stat().st_mtime_ns}" for path in paths)
    return f"{store.read_config(folder).operating_point.specificity} {times}"


def lost_at(folder: Path, by: LostBy = OPERATING_POINT) -> np.ndarray:
    """(test images, classes) float32 of `lost_at_sparsity`, in the labels' order, from the
    ensembles; kept in the study's folder until one of them, or an operating point, changes.

    By rank, a finding counts as found where its rank among the test images is at least the
    specificity of the operating points: so at every sparsity again as many images without the
    class are taken for ones with it. All NaN where the study has no operating points to go by, or
    no ensemble of dense and pruned.
    """
    return _at(folder, by, lost_at_sparsity, paths.lost_at_path(folder, by == RANK))


def raised_at(folder: Path, by: LostBy = OPERATING_POINT) -> np.ndarray:
    """(test images, classes) float32 of `raised_at_sparsity`; see `lost_at`. Of images that carry
    the class, or may, it says where they are found first, which is no false alarm."""
    return _at(folder, by, raised_at_sparsity, paths.raised_at_path(folder, by == RANK))


def _at(
    folder: Path, by: LostBy, since: Callable[[Cells, np.ndarray], np.ndarray], path: Path
) -> np.ndarray:
    labels = store.read_labels(folder)
    names = list(labels.class_names)
    key = store.ensembles_key(folder, f"{LOST_EDITION} {operating_points_key(folder)}")
    kept = store.read_kept(path, key)
    if kept is not None:
        return kept[names].to_numpy(np.float32)
    test = labels.split("test")
    truth = label_matrix(test, labels.class_names)
    points = np.full(len(names), store.read_config(folder).operating_point.specificity)
    if by == OPERATING_POINT:
        points = operating_points(folder)["operating_point"].to_numpy(float)
    if np.isnan(points).all() or not _dense_and_pruned(folder):
        return np.full(truth.shape, np.nan, np.float32)
    cells = _ensembles(folder, labels)
    if by == RANK:
        cells = ((s, ranks(truth, probabilities)) for s, probabilities in cells)
    found = since(cells, points)
    table = pd.DataFrame(found, columns=names)
    table.insert(0, "image_id", test["image_id"])
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        store.write_kept(table, path, key)
    return found


def operating_characteristics(folder: Path) -> pd.DataFrame:
    """`operating_characteristics_of` every finished ensemble, with the classes' groups, the most
    frequent class first; kept in the study's folder until a file changes. Empty, with its columns,
    where a study has no operating points or no dense ensemble."""
    path, key = paths.operating_characteristics_path(folder), characteristics_key(folder)
    kept = store.read_kept(path, key)
    if kept is not None:
        return kept
    labels = store.read_labels(folder)
    test = labels.split("test")
    points = _all_points(folder, labels)
    if not points:
        return no_operating_characteristics()
    table = operating_characteristics_of(
        label_matrix(test, labels.class_names),
        labels.class_names,
        test["patient_id"],
        _ensembles(folder, labels),
        points,
        class_frequencies(labels, store.read_config(folder).groups),
    )
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        store.write_kept(table, path, key)
    return table


def subgroup_characteristics(folder: Path, rows: np.ndarray) -> pd.DataFrame:
    """`operating_characteristics` of some test images only, at the operating points of the study,
    which no test image has a say in. rows: (test images,) bool."""
    known, labels = operating_characteristics(folder), store.read_labels(folder)
    if known.empty or not rows.any():
        return no_operating_characteristics()
    points: Points = {DENSE: {}, REFIXED: {}}
    for (threshold, sparsity), of in known.groupby(["threshold", "sparsity"]):
        by_class = of.set_index("class_name")["operating_point"]
        points[threshold][sparsity] = by_class.reindex(labels.class_names).to_numpy(float)
    test = labels.split("test")[rows]
    return operating_characteristics_of(
        label_matrix(test, labels.class_names),
        labels.class_names,
        test["patient_id"],
        ((sparsity, values[rows]) for sparsity, values in _ensembles(folder, labels)),
        {threshold: of for threshold, of in points.items() if of},
        class_frequencies(labels, store.read_config(folder).groups),
    )


def _all_points(folder: Path, labels: Labels) -> Points:
    """The operating points of every finished sparsity; nothing where there are none to go by."""
    dense = operating_points(folder)["operating_point"].to_numpy(float)
    grid = store.finished_ensembles(folder)
    if np.isnan(dense).all() or 0.0 not in grid:
        return {}
    refixed = refixed_points(folder, labels)
    return {
        DENSE: dict.fromkeys(grid, dense),
        REFIXED: {sparsity: refixed[sparsity] for sparsity in grid if sparsity in refixed},
    }


def characteristics_kept(folder: Path) -> bool:
    """Whether `operating_characteristics` is there to be read."""
    path = paths.operating_characteristics_path(folder)
    return store.is_kept(path, characteristics_key(folder))


def characteristics_key(folder: Path) -> str:
    """Over all that `operating_characteristics` are made of."""
    cells = sorted((folder / "validation").glob("run=*/sparsity=*.parquet"))
    times = " ".join(f"{p.parent.name} {p.name} {p.stat().st_mtime_ns}" for p in cells)
    inputs = f"{operating_points_key(folder)} {store.predictions_key(folder)} {times}"
    return store.ensembles_key(folder, f"{CHARACTERISTICS_EDITION} {inputs}")


def _dense_and_pruned(folder: Path) -> bool:
    grid = store.finished_ensembles(folder)
    return 0.0 in grid and len(grid) > 1


def _ensembles(folder: Path, labels: Labels) -> Iterator[tuple[float, np.ndarray]]:
    """Sparsity and (test images, classes) of every finished ensemble, falling to dense."""
    image_ids = labels.split("test")["image_id"]
    for sparsity in reversed(store.finished_ensembles(folder)):
        path = paths.ensemble_path(folder, sparsity)
        yield sparsity, store.read_predictions(path, image_ids, labels.class_names)
