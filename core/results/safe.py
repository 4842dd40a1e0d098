"""Safe sparsity as a table, by ranking and by decisions; the arithmetic is in
`core/analysis/safe_sparsity.py` and `core/analysis/safe_operation.py`."""

from __future__ import annotations

import pandas as pd

from core.analysis.chance import chance_levels
from core.analysis.safe_operation import SafeOperation, beside_ranking
from core.analysis.safe_sparsity import SafeSparsity
from core.results.kept import Advance
from core.results.moments import moments
from core.results.operating import operating_characteristics
from core.study.study import Study


def safe_sparsity(
    study: Study, settings: SafeSparsity | None = None, advance: Advance | None = None
) -> pd.DataFrame:
    """`SafeSparsity` of a study, with the OPERATING columns of `SafeOperation`;
    `advance(done, total)` hears of the cells read, if any are."""
    settings = settings or SafeSparsity()
    chance = chance_levels(study.labels, settings.metric)
    table = settings(moments(study, advance=advance), study.frequencies, chance)
    return beside_ranking(table, safe_operation(study, settings))


def safe_operation(study: Study, settings: SafeSparsity) -> pd.DataFrame:
    """`SafeOperation` at both thresholds; empty where the study has no operating points."""
    found = operating_characteristics(study)
    return SafeOperation(confidence=settings.confidence, min_patients=settings.min_patients)(found)
