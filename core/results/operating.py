"""What operating points make of a study: the points themselves, what is lost and raised at them on
which image, and how well each class is found. The arithmetic is in `core/analysis`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    OPERATING_CHARACTERISTICS,
    REFIXED,
    Points,
    no_operating_characteristics,
    operating_characteristics_of,
)
from core.analysis.operating_points import OperatingPoints, no_operating_points
from core.analysis.ranks import ranks
from core.results.kept import Kept, kept
from core.results.slices import Slice
from core.study import paths
from core.study.labels import untrained
from core.study.study import ENSEMBLES, PREDICTIONS, VALIDATION, Study


def operating_points(study: Study) -> pd.DataFrame:
    """`OperatingPoints` of the dense model averaged over the runs that have validation predictions,
    and n_runs, how many have; all missing, and 0, where a study keeps none."""
    runs = study.validation_runs
    if len(study.validation) == 0 or not runs:
        return no_operating_points(study.labels.class_names).assign(n_runs=0)
    return _points(study, runs, 0.0).assign(n_runs=len(runs))


def refixed_points(study: Study) -> dict[float, np.ndarray]:
    """(classes,) operating points fixed again for the model at every sparsity, at the same
    specificity; only of sparsities whose every finished run has validation predictions."""
    return {
        sparsity: _points(study, runs, sparsity)["operating_point"].to_numpy(float)
        for sparsity, runs in study.runs_by_sparsity.items()
        if len(study.validation) and all(study.has_validation(run, sparsity) for run in runs)
    }


def _points(study: Study, runs: list[int], sparsity: float) -> pd.DataFrame:
    total = np.zeros((len(study.validation), len(study.labels.class_names)))
    for run in runs:
        total += study.validation_predictions(run, sparsity)
    mean = (total / len(runs)).astype(np.float32)  # as ensembles are rounded
    find = OperatingPoints(study.config.operating_point.specificity)
    table = find(study.validation.truth, mean, study.labels.class_names)
    # Nobody calls a finding that no model has learnt, so none is ever found, lost or raised.
    points = table["operating_point"].mask(table["class_name"].isin(untrained(study.frequencies)))
    return table.assign(operating_point=points)


def lost_at(study: Study, by: LostBy = OPERATING_POINT) -> np.ndarray:
    """(test images, classes) float32 of `lost_at_sparsity`, in the labels' order, from the
    ensembles.

    By rank, a finding counts as found where its rank among the test images is at least the
    specificity of the operating points: so at every sparsity again as many images without the
    class are taken for ones with it. All NaN where the study has no operating points to go by, or
    no ensemble of dense and pruned.
    """
    return _values(study, _lost(study, by == RANK))


def raised_at(study: Study, by: LostBy = OPERATING_POINT) -> np.ndarray:
    """(test images, classes) float32 of `raised_at_sparsity`; see `lost_at`. Of images that carry
    the class, or may, it says where they are found first, which is no false alarm."""
    return _values(study, _raised(study, by == RANK))


def _values(study: Study, table: pd.DataFrame) -> np.ndarray:
    return table[list(study.labels.class_names)].to_numpy(np.float32)


def _kept_since(
    since: Callable[[Cells, np.ndarray], np.ndarray], file: Callable[..., Path]
) -> Kept:
    @kept(file, version=2, inputs=(ENSEMBLES, VALIDATION))
    def table(study: Study, by_rank: bool) -> pd.DataFrame:
        names = list(study.labels.class_names)
        trained = ~pd.Index(names).isin(untrained(study.frequencies))
        points = np.where(trained, study.config.operating_point.specificity, np.nan)
        if not by_rank:
            points = operating_points(study)["operating_point"].to_numpy(float)
        if np.isnan(points).all() or not (0.0 in study.grid and len(study.grid) > 1):
            found = np.full((len(study.test), len(names)), np.nan, np.float32)
        else:
            cells = _ensembles(study)
            if by_rank:
                cells = ((s, ranks(study.test.truth, values)) for s, values in cells)
            found = since(cells, points)
        table = pd.DataFrame(found, columns=names)
        table.insert(0, "image_id", study.test.image_ids)
        return table

    return table


_lost = _kept_since(lost_at_sparsity, paths.lost_at_path)
_raised = _kept_since(raised_at_sparsity, paths.raised_at_path)


@kept(
    paths.operating_characteristics_path,
    version=2,
    inputs=(PREDICTIONS, ENSEMBLES, VALIDATION),
    columns=OPERATING_CHARACTERISTICS,
)
def operating_characteristics(study: Study) -> pd.DataFrame:
    """`operating_characteristics_of` every finished ensemble, with the classes' groups, the most
    frequent class first. Empty, with its columns, where a study has no operating points or no dense
    ensemble."""
    dense = operating_points(study)["operating_point"].to_numpy(float)
    if np.isnan(dense).all() or 0.0 not in study.grid:
        return no_operating_characteristics()
    refixed = refixed_points(study)
    points: Points = {
        DENSE: dict.fromkeys(study.grid, dense),
        REFIXED: {sparsity: refixed[sparsity] for sparsity in study.grid if sparsity in refixed},
    }
    return _characteristics(Slice(study), points)


def characteristics_of(part: Slice) -> pd.DataFrame:
    """`operating_characteristics` of some test images only, at the operating points of the study,
    which no test image has a say in."""
    known = operating_characteristics(part.study)
    if part.subgroup is None:
        return known
    if known.empty or not part.chosen.any():
        return no_operating_characteristics()
    points: Points = {DENSE: {}, REFIXED: {}}
    for (threshold, sparsity), of in known.groupby(["threshold", "sparsity"]):
        by_class = of.set_index("class_name")["operating_point"]
        points[threshold][sparsity] = by_class.reindex(part.class_names).to_numpy(float)
    return _characteristics(part, {threshold: of for threshold, of in points.items() if of})


def _characteristics(part: Slice, points: Points) -> pd.DataFrame:
    return operating_characteristics_of(
        part.truth,
        part.study.labels.class_names,
        part.study.test.rows["patient_id"][part.chosen].reset_index(drop=True),
        ((sparsity, values[part.chosen]) for sparsity, values in _ensembles(part.study)),
        points,
        part.study.frequencies,
    )


def _ensembles(study: Study) -> Iterator[tuple[float, np.ndarray]]:
    """Sparsity and (test images, classes) of every finished ensemble, falling to dense."""
    for sparsity in reversed(study.grid):
        yield sparsity, study.ensemble(sparsity)
