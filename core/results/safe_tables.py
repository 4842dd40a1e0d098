"""Safe sparsity as a table: by ranking and by decisions. Reads files; the arithmetic is in
`core/analysis/safe_sparsity.py` and `core/analysis/safe_operation.py`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from core.analysis.chance import chance_levels
from core.analysis.safe_operation import SafeOperation, beside_ranking
from core.analysis.safe_sparsity import SafeSparsity
from core.results import operating_tables, tables
from core.study import store
from core.study.labels import class_frequencies


def safe_sparsity(
    folder: Path, settings: SafeSparsity | None = None, advance: tables.Advance | None = None
) -> pd.DataFrame:
    """`SafeSparsity` of a study, with the OPERATING columns of `SafeOperation`;
    `advance(done, total)` hears of the cells read, if any are."""
    return safe_verdicts(folder, settings or SafeSparsity(), tables.moments(folder, advance))


def safe_verdicts(folder: Path, settings: SafeSparsity, known: pd.DataFrame) -> pd.DataFrame:
    """`safe_sparsity` of moments that are known already."""
    labels = store.read_labels(folder)
    frequencies = class_frequencies(labels, store.read_config(folder).groups)
    table = settings(known, frequencies, chance_levels(labels, settings.metric))
    return beside_ranking(table, safe_operation(folder, settings))


def safe_operation(folder: Path, settings: SafeSparsity) -> pd.DataFrame:
    """`SafeOperation` at both thresholds; empty where the study has no operating points."""
    found = operating_tables.operating_characteristics(folder)
    return SafeOperation(confidence=settings.confidence, min_patients=settings.min_patients)(found)


def by_metric(folder: Path, metric: str = "somers_d") -> pd.DataFrame:
    """`safe_sparsity` by a metric, as `prunescope export` offers it."""
    return safe_sparsity(folder, SafeSparsity(metric))
