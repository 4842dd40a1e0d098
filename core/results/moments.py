"""What other patients and other runs would change: the paired moments of every finished cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from core.analysis.paired_moments import paired_moments
from core.errors import InputError
from core.results.kept import Advance, Kept
from core.study import paths
from core.study.study import PREDICTIONS, Study


def _make(study: Study, advance: Advance | None = None) -> tuple[pd.DataFrame, ...]:
    """Reads every prediction. Raises InputError where dense or pruned is missing."""
    test = study.test
    cells = _paired_cells(study, advance)
    found = paired_moments(test.truth, list(test.class_names), test.rows["patient_id"], cells)
    if found.by_class.empty:
        raise InputError(
            f"{study.folder.name} has no run with both dense and pruned predictions yet."
        )
    return found.by_class, found.of_mean, found.patient_draws


def _paired_cells(
    study: Study, advance: Advance | None
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """(sparsity, dense, pruned) of every finished cell whose run has a dense one, run by run."""
    with_dense = study.runs(0.0)
    cells = [cell for cell in study.cells if cell[0] in with_dense]
    dense = np.empty(0)
    for done, (run, sparsity) in enumerate(cells, start=1):
        pruned = study.predictions(run, sparsity)
        dense = pruned if sparsity == 0 else dense  # cells of a run begin with the dense one
        yield sparsity, dense, pruned
        if advance:
            advance(done, len(cells))


# `Moments.by_class`, `.of_mean` and `.patient_draws`, made together.
moments = Kept(
    _make,
    (paths.paired_moments_path, paths.mean_moments_path, paths.patient_draws_path),
    version=3,
    inputs=(PREDICTIONS,),
)
mean_moments = moments.beside(1)
patient_draws = moments.beside(2)
