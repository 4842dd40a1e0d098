"""The functions that `core.results.query` adds to DuckDB's own: `core.analysis.metrics` in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from core.analysis.metrics import ClassLabels
from core.errors import InputError

METRICS = ("ap", "auroc", "calibrated_ap")
# A list of one column and a list of another need not come in one order, so each image is a pair.
IMAGES = "struct(score double, label double)[]"


def add_metrics(connection: duckdb.DuckDBPyConnection) -> None:
    """The aggregates ap(score, label), auroc(score, label) and calibrated_ap(score, label).

    score: any number, larger for more likely. label: 1 or 0, or true or false. An image whose score
    or label is null, as of an uncertain label, is left out. The answer is null without a positive;
    of auroc and calibrated_ap also without a negative.

    DuckDB's Python functions see rows, not groups, so each is a macro that hands over a group as
    one list.
    """
    for metric in METRICS:
        connection.create_function(
            f"_{metric}",
            partial(_measured, metric),
            [IMAGES],
            "double",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
        connection.execute(
            f"create macro {metric}(score, label) as _{metric}(list("
            "{'score': cast(score as double), 'label': cast(label as double)}))"
        )


def _measured(metric: str, groups: pa.ChunkedArray) -> pa.Array:
    """A metric of each list of images."""
    found = [_metric(metric, *group) for chunk in groups.chunks for group in _groups(chunk)]
    return pa.array(found, pa.float64())


def _groups(lists: pa.ListArray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Scores and labels of each list, without the images that lack either."""
    score, label = (lists.values.field(name) for name in ("score", "label"))
    known = score.is_valid().to_numpy(False) & label.is_valid().to_numpy(False)
    score, label = score.to_numpy(False), label.to_numpy(False)
    for begin, end in pairwise(lists.offsets.to_numpy()):
        there = known[begin:end]
        yield score[begin:end][there], label[begin:end][there]


def _metric(metric: str, score: np.ndarray, label: np.ndarray) -> float | None:
    for odd in label[~np.isin(label, (0, 1))]:
        raise InputError(f"{metric} takes labels of 1, 0 or null, not {odd:g}.")
    for odd in score[~np.isfinite(score)]:
        raise InputError(f"{metric} takes scores that are numbers or null, not {odd:g}.")
    (of_class,) = ClassLabels.of(label[:, None])
    return cast("float | None", getattr(of_class.measure(score), metric))
