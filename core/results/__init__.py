"""A study's results by name: the one place where a study meets an analysis.

Pages, export, queries, the report and notebooks all call `table`. What takes long is kept in the
study's folder (`kept`), one file here for each subject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.analysis.claims import CLAIMS
from core.analysis.class_evidence import CLASS_EFFECTS, TRENDS
from core.analysis.class_pairs import CLASS_PAIRS
from core.analysis.class_summary import CLASS_SUMMARY
from core.analysis.correlations import CORRELATIONS
from core.analysis.dense_values import DENSE_VALUES
from core.analysis.forgettability import FORGETTABILITY
from core.analysis.interaction import INTERACTION
from core.analysis.lost import LOST_FINDINGS, RAISED_FINDINGS
from core.analysis.metrics import METRICS, WITH_SOMERS_D
from core.analysis.operating_characteristics import OPERATING_CHARACTERISTICS
from core.analysis.operating_points import OPERATING_POINTS
from core.analysis.overall import OVERALL
from core.analysis.pie_composition import PIE_CLASS_RATIO, PIE_FINDING_COUNT_RATIO
from core.analysis.pie_definitions import PIES
from core.analysis.pie_label_noise import PIE_LABEL_NOISE
from core.analysis.pie_quality_excess import PIE_QUALITY
from core.analysis.quality_truth import PIE_POOR, QUALITY_TRUTH
from core.analysis.safe_operation import BY_BOTH
from core.analysis.safe_sparsity import SafeSparsity
from core.analysis.subgroup import Subgroup
from core.errors import InputError
from core.results import classes, evidence, image_curves, operating, pies, safe
from core.results.kept import Advance
from core.results.slices import Slice
from core.study import paths, store
from core.study.columns import ACHIEVED_SPARSITY, Columns
from core.study.labels import CLASS_FREQUENCIES
from core.study.study import Study

SPARSITY, METRIC, ADVANCE = "sparsity", "metric", "advance"


@dataclass(frozen=True)
class Table:
    """How a table is made, its columns in order, and which options of `table` it takes beside the
    study.

    of_slice: `make` takes a `Slice`, so the table can be of a subgroup; else a `Study`.
    """

    make: Callable[..., pd.DataFrame]
    columns: Columns
    options: tuple[str, ...] = ()
    of_slice: bool = False


def _achieved_sparsity(study: Study) -> pd.DataFrame:
    path = paths.achieved_sparsity_path(study.folder)
    if not path.exists():
        raise InputError(
            f"{study.folder.name} has no achieved_sparsity yet: no model of it is pruned."
        )
    return store.read_table(path)


def _safe_sparsity(
    study: Study, metric: str = "somers_d", advance: Advance | None = None
) -> pd.DataFrame:
    return safe.safe_sparsity(study, SafeSparsity(metric), advance)


TABLES = {
    "class_metrics": Table(lambda part: part.class_metrics, WITH_SOMERS_D, of_slice=True),
    "class_frequencies": Table(lambda part: part.frequencies, CLASS_FREQUENCIES, of_slice=True),
    "dense_values": Table(classes.dense_values, DENSE_VALUES, (METRIC,), of_slice=True),
    "achieved_sparsity": Table(_achieved_sparsity, ACHIEVED_SPARSITY),
    "forgettability": Table(classes.forgettability, FORGETTABILITY, (METRIC,), of_slice=True),
    "class_summary": Table(classes.class_summary, CLASS_SUMMARY, (METRIC,), of_slice=True),
    "class_pairs": Table(classes.class_pairs, CLASS_PAIRS, (METRIC,), of_slice=True),
    "claims": Table(evidence.claims, CLAIMS),
    "trends": Table(evidence.trends, TRENDS),
    "class_effects": Table(evidence.class_effects, CLASS_EFFECTS),
    "correlations": Table(classes.correlations, CORRELATIONS, of_slice=True),
    "overall": Table(classes.overall, OVERALL, (METRIC, ADVANCE), of_slice=True),
    "safe_sparsity": Table(_safe_sparsity, BY_BOTH, (METRIC, ADVANCE)),
    "interaction": Table(classes.interaction, INTERACTION, (METRIC,), of_slice=True),
    "pies": Table(pies.pies, PIES, (SPARSITY, ADVANCE)),
    "operating_points": Table(operating.operating_points, OPERATING_POINTS),
    "operating_characteristics": Table(
        operating.characteristics_of, OPERATING_CHARACTERISTICS, of_slice=True
    ),
    "lost_findings": Table(image_curves.lost_findings, LOST_FINDINGS, (ADVANCE,)),
    "raised_findings": Table(image_curves.raised_findings, RAISED_FINDINGS, (ADVANCE,)),
    "pie_class_ratio": Table(pies.pie_class_ratio, PIE_CLASS_RATIO, (SPARSITY,)),
    "pie_finding_count_ratio": Table(
        pies.pie_finding_count_ratio, PIE_FINDING_COUNT_RATIO, (SPARSITY,)
    ),
    "pie_label_noise": Table(pies.pie_label_noise, PIE_LABEL_NOISE, (SPARSITY,)),
    "pie_quality": Table(pies.pie_quality, PIE_QUALITY, (SPARSITY, ADVANCE)),
    "quality_truth": Table(pies.quality_truth, QUALITY_TRUTH, (ADVANCE,)),
    "pie_poor_quality": Table(pies.pie_poor_quality, PIE_POOR, (SPARSITY,)),
}


def table(
    study: Study,
    name: str,
    subgroup: Subgroup | str | None = None,
    *,
    over_patients: bool = True,
    advance: Advance | None = None,
    **options: Any,
) -> pd.DataFrame:
    """A table of TABLES, of a study or a subgroup of its test images, which may be given as text.

    options: `sparsity`, a fraction, of the pruned model that is compared with the dense one (0.9);
    `metric`, one of METRICS ("ap"; of safe_sparsity "somers_d"). over_patients: without it, nothing
    is said of other patients, which takes a reading of all predictions the first time.
    `advance(done, total)` hears of work that takes long. Raises InputError that lists what is
    allowed.
    """
    refuse(name, subgroup, **options)
    given = {key: value for key, value in options.items() if value is not None}
    made = TABLES[name]
    if isinstance(subgroup, str):
        subgroup = Subgroup.parse(subgroup, study.labels)
    if ADVANCE in made.options:
        given[ADVANCE] = advance
    return made.make(Slice(study, subgroup, over_patients) if made.of_slice else study, **given)


def described(name: str) -> str:
    """What a table is, and a line per column: name, unit and meaning. Raises InputError where there
    is no such table."""
    refuse(name)
    columns = TABLES[name].columns
    lines = [f"{columns.what} One row: {columns.row}."]
    for one in columns.values():
        unit = f" ({one.unit.words})" if one.unit.words else ""
        lines.append(f"{one.name}{unit}: {one.meaning}")
    return "\n".join(lines)


def tables_with(option: str) -> list[str]:
    """The tables that take an option."""
    return [name for name, known in TABLES.items() if option in known.options]


def refuse(name: str, subgroup: Subgroup | str | None = None, **options: Any) -> None:
    """Raises InputError where there is no such table, or it takes no such option."""
    if name not in TABLES:
        raise InputError(f"There is no table {name!r}. Tables: {', '.join(TABLES)}.")
    for option, value in options.items():
        allowed = tables_with(option)
        if value is not None and name not in allowed:
            raise InputError(
                f"A {option} is for the tables {', '.join(allowed)} only, not for {name}."
            )
    metric = options.get(METRIC)
    if metric is not None and metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}. Metrics: {', '.join(METRICS)}.")
    if subgroup is not None and not TABLES[name].of_slice:
        allowed = [known for known, made in TABLES.items() if made.of_slice]
        raise InputError(f"A subgroup is for the tables {', '.join(allowed)}, not for {name}.")
