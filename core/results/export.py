"""A study's tables as files for other programs: CSV, Parquet or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.analysis.metrics import METRICS
from core.errors import InputError
from core.results import (
    evidence_tables,
    image_curves,
    operating_tables,
    pie_tables,
    safe_tables,
    tables,
)
from core.study import paths, store


def _achieved_sparsity(folder: Path) -> pd.DataFrame:
    path = paths.achieved_sparsity_path(folder)
    if not path.exists():
        raise InputError(f"{folder.name} has no achieved_sparsity yet: no model of it is pruned.")
    return store.read_table(path)


@dataclass(frozen=True)
class Table:
    """How a table of a study is made: `make(folder)`, and which keyword options it also takes.

    by_sparsity: `sparsity`, of the pruned model that is compared with the dense one.
    by_metric: `metric`, one of `METRICS`. An option that is None is left to the default of `make`.
    """

    make: Callable[..., pd.DataFrame]
    by_sparsity: bool = False
    by_metric: bool = False

    def __call__(
        self, folder: Path, sparsity: float | None = None, metric: str | None = None
    ) -> pd.DataFrame:
        options = {"sparsity": sparsity, "metric": metric}
        return self.make(folder, **{k: v for k, v in options.items() if v is not None})


TABLES = {
    "class_metrics": Table(tables.class_metrics),
    "class_frequencies": Table(tables.frequencies),
    "achieved_sparsity": Table(_achieved_sparsity),
    "forgettability": Table(tables.forgettability, by_metric=True),
    "class_summary": Table(evidence_tables.class_summary, by_metric=True),
    "class_pairs": Table(evidence_tables.class_pairs, by_metric=True),
    "claims": Table(evidence_tables.claims),
    "trends": Table(evidence_tables.trends),
    "class_effects": Table(evidence_tables.class_effects),
    "correlations": Table(tables.correlations),
    "overall": Table(tables.overall, by_metric=True),
    "safe_sparsity": Table(safe_tables.by_metric, by_metric=True),
    "interaction": Table(tables.interaction, by_metric=True),
    "pies": Table(pie_tables.pies, by_sparsity=True),
    "operating_points": Table(operating_tables.operating_points),
    "operating_characteristics": Table(operating_tables.operating_characteristics),
    "lost_findings": Table(image_curves.lost_findings),
    "raised_findings": Table(image_curves.raised_findings),
    "pie_class_ratio": Table(pie_tables.pie_class_ratio, by_sparsity=True),
    "pie_finding_count_ratio": Table(pie_tables.pie_finding_count_ratio, by_sparsity=True),
    "pie_label_noise": Table(pie_tables.pie_label_noise, by_sparsity=True),
    "pie_quality": Table(pie_tables.pie_quality, by_sparsity=True),
}
BY_SPARSITY = tuple(name for name, table in TABLES.items() if table.by_sparsity)
BY_METRIC = tuple(name for name, table in TABLES.items() if table.by_metric)


def _csv(table: pd.DataFrame) -> bytes:
    # Pandas writes the shortest digits that read back as the same number; missing is empty.
    return table.to_csv(index=False).encode("utf-8")


def _parquet(table: pd.DataFrame) -> bytes:
    return table.to_parquet(index=False)


def _json(table: pd.DataFrame) -> bytes:
    # Not DataFrame.to_json, which stops at 15 digits.
    records = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return (json.dumps(records, indent=1, allow_nan=False) + "\n").encode("utf-8")


# A table as the bytes of a file, by the file's suffix.
FORMATS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".json": _json,
}


def export(
    study_name: str,
    table_name: str,
    out: Path,
    sparsity: float | None = None,
    metric: str | None = None,
) -> int:
    """Write a table of a study to `out`, whole or not at all; returns its number of rows.

    The suffix of `out` names the format; `sparsity` is for the tables BY_SPARSITY, 0.9 if None;
    `metric`, one of METRICS, is for the tables BY_METRIC; if None "ap", and
    "somers_d" for safe_sparsity.
    Raises InputError that lists what is allowed for an unknown study, table, suffix or option.
    """
    if table_name not in TABLES:
        raise InputError(f"There is no table {table_name!r}. Tables: {', '.join(TABLES)}.")
    encoder(out)  # before anything is worked out
    if sparsity is not None and table_name not in BY_SPARSITY:
        allowed = ", ".join(BY_SPARSITY)
        raise InputError(f"A sparsity is for the tables {allowed} only, not for {table_name}.")
    if metric is not None:
        _refuse_metric(table_name, metric)
    table = TABLES[table_name](store.find_study(study_name), sparsity, metric)
    write_file(table, out)
    return len(table)


def _refuse_metric(table_name: str, metric: str) -> None:
    """Raises InputError where the table has no such choice, or there is no such metric."""
    if table_name not in BY_METRIC:
        allowed = ", ".join(BY_METRIC)
        raise InputError(f"A metric is for the tables {allowed} only, not for {table_name}.")
    if metric not in METRICS:
        raise InputError(f"There is no metric {metric!r}. Metrics: {', '.join(METRICS)}.")


def write_file(table: pd.DataFrame, out: Path) -> None:
    """Write a table to `out`, whole or not at all. Raises InputError where that cannot be."""
    encode = encoder(out)
    try:
        with store.whole_file(out) as temporary:
            temporary.write_bytes(encode(table))
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror or error}.") from error


def encoder(out: Path) -> Callable[[pd.DataFrame], bytes]:
    encode = FORMATS.get(out.suffix.lower())
    if not encode:
        raise InputError(f"{out.name} does not end in one of {', '.join(FORMATS)}.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    return encode
