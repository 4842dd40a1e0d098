"""A study's results by name: the one place where a study meets an analysis.

Pages, export, queries, the report and notebooks all call `table`. What takes long is kept in the
study's folder (`kept`), one file here for each subject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.analysis.metrics import METRICS
from core.analysis.safe_sparsity import SafeSparsity
from core.analysis.subgroup import Subgroup
from core.errors import InputError
from core.results import classes, evidence, image_curves, operating, pies, safe
from core.results.kept import Advance
from core.results.slices import Slice
from core.study import paths, store
from core.study.study import Study

SPARSITY, METRIC, ADVANCE = "sparsity", "metric", "advance"


@dataclass(frozen=True)
class Table:
    """How a table is made, and which options of `table` it takes beside the study.

    of_slice: `make` takes a `Slice`, so the table can be of a subgroup; else a `Study`.
    """

    make: Callable[..., pd.DataFrame]
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
    "class_metrics": Table(lambda part: part.class_metrics, of_slice=True),
    "class_frequencies": Table(lambda part: part.frequencies, of_slice=True),
    "achieved_sparsity": Table(_achieved_sparsity),
    "forgettability": Table(classes.forgettability, (METRIC,), of_slice=True),
    "class_summary": Table(classes.class_summary, (METRIC,), of_slice=True),
    "class_pairs": Table(classes.class_pairs, (METRIC,), of_slice=True),
    "claims": Table(evidence.claims),
    "trends": Table(evidence.trends),
    "class_effects": Table(evidence.class_effects),
    "correlations": Table(classes.correlations, of_slice=True),
    "overall": Table(classes.overall, (METRIC, ADVANCE), of_slice=True),
    "safe_sparsity": Table(_safe_sparsity, (METRIC, ADVANCE)),
    "interaction": Table(classes.interaction, (METRIC,), of_slice=True),
    "pies": Table(pies.pies, (SPARSITY, ADVANCE)),
    "operating_points": Table(operating.operating_points),
    "operating_characteristics": Table(operating.characteristics_of, of_slice=True),
    "lost_findings": Table(image_curves.lost_findings, (ADVANCE,)),
    "raised_findings": Table(image_curves.raised_findings, (ADVANCE,)),
    "pie_class_ratio": Table(pies.pie_class_ratio, (SPARSITY,)),
    "pie_finding_count_ratio": Table(pies.pie_finding_count_ratio, (SPARSITY,)),
    "pie_label_noise": Table(pies.pie_label_noise, (SPARSITY,)),
    "pie_quality": Table(pies.pie_quality, (SPARSITY, ADVANCE)),
}


def table(
    study: Study,
    name: str,
    subgroup: Subgroup | None = None,
    *,
    over_patients: bool = True,
    advance: Advance | None = None,
    **options: Any,
) -> pd.DataFrame:
    """A table of TABLES, of a study or a subgroup of its test images.

    options: `sparsity`, a fraction, of the pruned model that is compared with the dense one (0.9);
    `metric`, one of METRICS ("ap"; of safe_sparsity "somers_d"). over_patients: without it, nothing
    is said of other patients, which takes a reading of all predictions the first time.
    `advance(done, total)` hears of work that takes long. Raises InputError that lists what is
    allowed.
    """
    refuse(name, subgroup, **options)
    given = {key: value for key, value in options.items() if value is not None}
    made = TABLES[name]
    if ADVANCE in made.options:
        given[ADVANCE] = advance
    return made.make(Slice(study, subgroup, over_patients) if made.of_slice else study, **given)


def tables_with(option: str) -> list[str]:
    """The tables that take an option."""
    return [name for name, known in TABLES.items() if option in known.options]


def refuse(name: str, subgroup: Subgroup | None = None, **options: Any) -> None:
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
    if subgroup and not TABLES[name].of_slice:
        allowed = [known for known, made in TABLES.items() if made.of_slice]
        raise InputError(f"A subgroup is for the tables {', '.join(allowed)}, not for {name}.")
