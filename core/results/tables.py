"""A study's statistics as tables: reads what each needs from the study's files, and calls the
analysis. The arithmetic is in `core/analysis`, one file per table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from core.analysis import decay
from core.analysis.correlations import Correlations
from core.analysis.forgettability import Forgettability
from core.analysis.interaction import Interaction
from core.analysis.metrics import with_somers_d
from core.analysis.overall import Overall
from core.analysis.paired_moments import paired_moments
from core.analysis.pie import Pies, agreement
from core.analysis.pie_definitions import best_f1_thresholds
from core.errors import InputError
from core.study import paths, store
from core.study.labels import Labels, class_frequencies, label_matrix

PIE_SPARSITY = 0.9
AGREEMENTS_EDITION = 1
# Changes with the way a kept table is computed, so that an old one is not taken for a new one.
MOMENTS_EDITION = 3
Advance = Callable[[int, int], None]


def frequencies(folder: Path) -> pd.DataFrame:
    return class_frequencies(store.read_labels(folder), store.read_config(folder).groups)


def forgettability(folder: Path, metric: str = "ap") -> pd.DataFrame:
    metrics = class_metrics(folder)
    known = moments(folder) if decay.pruned_sparsities(metrics) else None
    return Forgettability(metric)(metrics, known)


def correlations(folder: Path) -> pd.DataFrame:
    metrics = class_metrics(folder)
    return Correlations()(metrics, frequencies(folder), *_test_labels(folder))


def overall(folder: Path, metric: str = "ap", advance: Advance | None = None) -> pd.DataFrame:
    """`Overall`, over runs and patients where a run has both dense and pruned predictions;
    `advance(done, total)` hears of the cells read, if any are."""
    metrics = class_metrics(folder)
    over_patients = None
    with suppress(InputError):  # no run has both yet
        over_patients = mean_moments(folder, advance)
    return Overall(metric)(metrics, over_patients)


def interaction(folder: Path, metric: str = "ap") -> pd.DataFrame:
    return Interaction(metric)(class_metrics(folder), *_test_labels(folder))


def paper_pies(folder: Path, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """image_id, agreement, is_pie of the test images, in test-set order, from the ensembles.

    Raises InputError that lists the finished sparsities where that one, or dense, is missing.
    """
    finished = store.finished_ensembles(folder)
    there = [paths.percent(value) for value in finished]
    for wanted in (0.0, sparsity):
        if paths.percent(wanted) not in there:
            hint = f" For {wanted:g} % give {wanted / 100:g}." if 1 <= wanted < 100 else ""
            raise InputError(
                f"{folder.name} has no ensemble at sparsity {wanted:g}.{hint} "
                f"Finished: {', '.join(f'{value:g}' for value in finished) or 'none yet'}."
            )
    table = agreements(folder)
    return Pies().of_agreement(table["image_id"], table[agreement_column(sparsity)].to_numpy())


def agreement_column(sparsity: float) -> str:
    return str(paths.percent(sparsity))


def agreements(folder: Path) -> pd.DataFrame:
    """image_id of the test images, in their order, and their `agreement` at every finished sparsity
    above 0, a column per whole percent; kept in the study's folder until an ensemble changes."""
    path, key = paths.agreements_path(folder), store.ensembles_key(folder, str(AGREEMENTS_EDITION))
    kept = store.read_kept(path, key)
    if kept is not None:
        return kept
    labels = store.read_labels(folder)
    image_ids = labels.split("test")["image_id"]

    def ensemble(sparsity: float) -> np.ndarray:
        path = paths.ensemble_path(folder, sparsity)
        return store.read_predictions(path, image_ids, labels.class_names)

    dense = ensemble(0.0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # sorting lets the others run
        grid = [sparsity for sparsity in store.finished_ensembles(folder) if sparsity]
        found = pool.map(lambda sparsity: agreement(dense, ensemble(sparsity)), grid)
        columns = dict(zip(map(agreement_column, grid), found, strict=True))
    table = pd.DataFrame({"image_id": image_ids.to_numpy()} | columns)
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        store.write_kept(table, path, key)
    return table


def validation_thresholds(folder: Path, labels: Labels, runs: list[int]) -> np.ndarray | None:
    """(runs, classes) thresholds of best F1 of each run's dense model on the validation split, NaN
    for a run without validation predictions; None where no run has any."""
    rows = labels.split("validation")
    files = [paths.validation_path(folder, run) for run in runs]
    if len(rows) == 0 or not any(path.exists() for path in files):
        return None
    truth = label_matrix(rows, labels.class_names)
    thresholds = np.full((len(runs), len(labels.class_names)), np.nan)
    for at, path in enumerate(files):
        if path.exists():
            predicted = store.read_predictions(path, rows["image_id"], labels.class_names)
            thresholds[at] = best_f1_thresholds(truth, predicted)
    return thresholds


def moments(folder: Path, advance: Advance | None = None) -> pd.DataFrame:
    """`Moments.by_class` of every finished cell. It, `mean_moments` and `patient_draws` are worked
    out together, which reads every prediction, and kept in the study's folder until a file changes.

    Raises InputError where dense or pruned is missing.
    """
    return _moments(folder, paths.paired_moments_path(folder), advance)


def mean_moments(folder: Path, advance: Advance | None = None) -> pd.DataFrame:
    """`Moments.of_mean`; see `moments`."""
    return _moments(folder, paths.mean_moments_path(folder), advance)


def patient_draws(folder: Path) -> pd.DataFrame:
    """`Moments.patient_draws`; see `moments`."""
    return _moments(folder, paths.patient_draws_path(folder))


def _moments(folder: Path, wanted: Path, advance: Advance | None = None) -> pd.DataFrame:
    key = _moments_key(folder)
    kept = store.read_kept(wanted, key)
    if kept is not None:
        return kept
    labels = store.read_labels(folder)
    test = labels.split("test")
    truth = label_matrix(test, labels.class_names)
    cells = _paired_cells(folder, labels, advance)
    found = paired_moments(truth, list(labels.class_names), test["patient_id"], cells)
    if found.by_class.empty:
        raise InputError(f"{folder.name} has no run with both dense and pruned predictions yet.")
    tables = {
        paths.mean_moments_path(folder): found.of_mean,
        paths.patient_draws_path(folder): found.patient_draws,
        paths.paired_moments_path(folder): found.by_class,  # the last says that all are there
    }
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        for path, table in tables.items():
            store.write_kept(table, path, key)
    return tables[wanted]


def moments_kept(folder: Path) -> bool:
    """Whether `moments` is there to be read."""
    return store.is_kept(paths.paired_moments_path(folder), _moments_key(folder))


def _moments_key(folder: Path) -> str:
    return f"{MOMENTS_EDITION}-{store.predictions_key(folder)}"


def class_metrics(folder: Path) -> pd.DataFrame:
    table = store.read_class_metrics(folder)
    if len(table) == 0:
        raise InputError(f"{folder.name} has no metrics yet: no prediction of it is finished.")
    return with_somers_d(table)


def _paired_cells(
    folder: Path, labels: Labels, advance: Advance | None = None
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """(sparsity, dense, pruned) of every finished cell whose run has a dense one, run by run."""
    image_ids = labels.split("test")["image_id"]
    with_dense = runs_at(folder, 0.0)
    cells = [cell for cell in store.finished_cells(folder) if cell[0] in with_dense]
    dense = np.empty(0)
    for done, (run, sparsity) in enumerate(cells, start=1):
        path = paths.prediction_path(folder, run, sparsity)
        pruned = store.read_predictions(path, image_ids, labels.class_names)
        dense = pruned if sparsity == 0 else dense  # cells of a run begin with the dense one
        yield sparsity, dense, pruned
        if advance:
            advance(done, len(cells))


def _test_labels(folder: Path) -> tuple[np.ndarray, list[str]]:
    labels = store.read_labels(folder)
    return label_matrix(labels.split("test"), labels.class_names), list(labels.class_names)


def runs_at(folder: Path, sparsity: float) -> set[int]:
    cells = store.finished_cells(folder)
    return {run for run, at in cells if paths.percent(at) == paths.percent(sparsity)}
