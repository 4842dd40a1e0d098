"""The study of a given checkpoint: what its preflight found, and what a person chose after it.

The pages and the command line both come through here, so that equal choices give equal studies.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from core.checkpoints.preflight import Preflight
from core.errors import InputError
from core.study.config import StudyConfig, parse_config, with_overrides
from core.study.settings import StudySettings

CHANGEABLE = ("study", "sweep", "pruning", "groups")


def analysis_config(
    report: Preflight, name: str | None = None, overrides: tuple[str, ...] = ()
) -> StudyConfig:
    """The study of a checkpoint that is fit, as `run_study` and `jobs.submit` take it.

    `overrides` are `section.key=value` of grid, precision, pruning and groups; what the preflight
    has looked at cannot be changed after it. Equal reports and choices give equal ids.
    """
    if report.refusal or report.config is None:
        raise InputError(report.refusal or "The checkpoint's preflight did not end.")
    for override in overrides:
        section = override.partition(".")[0].strip()
        if section not in CHANGEABLE:
            raise InputError(
                f"--set {override!r}: after the preflight only {', '.join(CHANGEABLE)} can change."
            )
    config = with_overrides(report.config, overrides)
    if name is None:
        return config
    raw = config.model_dump(mode="json", exclude_none=True)
    raw["study"]["name"] = name
    return parse_config(raw, "The study's name")


def study_settings(file_name: str, base: StudyConfig) -> StudySettings:
    """Name and title of the study of a file, such as best-epoch-3-on-nih-sample."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(file_name).stem.lower()).strip("-")[:34].strip("-")
    printable = "".join(c if c.isprintable() else "?" for c in file_name)
    of = base.study.title or base.study.name
    return StudySettings(
        name=f"{stem or 'checkpoint'}-on-{base.study.name}"[:63].rstrip("-"),
        title=f"{printable[:80]} on {of}"[:200],
    )


def named_after(report: Preflight, file_name: str, path: Path, base: StudyConfig) -> Preflight:
    """The report of a file that lies in `path` under another name than its person gave it."""
    report = replace(report, file=replace(report.file, name=file_name))
    if report.config is None or report.config.checkpoint is None:
        return report
    config = report.config.model_copy(
        update={
            "study": study_settings(file_name, base),
            "checkpoint": report.config.checkpoint.model_copy(update={"path": path}),
        }
    )
    return replace(report, config=config)


def seconds_on_grid(report: Preflight, n_sparsities: int) -> float:
    """About how long the study takes on a grid of another length."""
    if report.estimate is None or report.config is None:
        return 0.0
    return report.estimate.seconds * n_sparsities / len(report.config.sweep.sparsities)
