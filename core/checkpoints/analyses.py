"""The study of a given checkpoint: what its preflight found, and what a person chose after it.

The pages and the command line both come through here, so that equal choices give equal studies.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

from core.checkpoints.preflight import Preflight
from core.errors import InputError
from core.study import paths
from core.study.config import StudyConfig, parse_config, with_overrides
from core.study.settings import StudySettings, SweepSettings
from core.wording.precision_sentences import IMITATED_BF16

# Settled before a study begins: its settings say which precision that came to, so whatever machine
# goes on with the study computes as the first one did.
AUTO = "auto"
PRECISIONS: tuple[str, ...] = get_args(SweepSettings.model_fields["precision"].annotation)
AUTO_PRECISION = f"sweep.precision={AUTO}"
BAD_IMAGE, BAD_SHARE = "dataset.on_bad_image", "dataset.bad_image_share"
# What a person can choose of images that cannot be read, and the settings that this is.
BAD_IMAGES: dict[str, tuple[str, ...]] = {
    "leave out and list": (),
    "leave out, at most 1 %": (f"{BAD_SHARE}=0.01",),
    "leave out, at most 5 %": (f"{BAD_SHARE}=0.05",),
    "stop at the first": (f"{BAD_IMAGE}=fail",),
}
CHANGEABLE = ("study", "sweep", "pruning", "groups")


def analysis_config(
    report: Preflight,
    name: str | None = None,
    overrides: tuple[str, ...] = (),
    class_frequencies: str | dict[str, float] = "unknown",
) -> StudyConfig:
    """The study of a checkpoint that is fit, as `run_study` and `jobs.submit` take it.

    `overrides` are `section.key=value` of grid, precision, pruning, groups, BAD_IMAGE and
    BAD_SHARE; what the preflight has looked at cannot be changed after it. It looked at a sample,
    so images that cannot be read are left out unless BAD_IMAGE says otherwise. AUTO_PRECISION is
    bf16 where the machine of the preflight computes in it. class_frequencies: of the training, as
    in `CheckpointSettings`.
    Equal reports and choices give equal ids.
    """
    if report.refusal or report.config is None:
        raise InputError(report.refusal or "The checkpoint's preflight did not end.")
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key.partition(".")[0] not in CHANGEABLE and key not in (BAD_IMAGE, BAD_SHARE):
            raise InputError(
                f"--set {override!r}: after the preflight only {', '.join(CHANGEABLE)}, "
                f"{BAD_IMAGE} and {BAD_SHARE} can change."
            )
    at_auto = AUTO_PRECISION in overrides and report.graph is None  # of which fp32 is computed
    asked = tuple(override for override in overrides if override != AUTO_PRECISION)
    config = with_overrides(report.config, asked)
    raw = config.model_dump(mode="json", exclude_none=True)
    raw["checkpoint"]["class_frequencies"] = class_frequencies
    if name is not None:
        raw["study"]["name"] = name
    config = parse_config(raw, "The new study")
    if not any(override.startswith(BAD_IMAGE) for override in asked):
        config = _skipping(config, at_auto)
    return _at_auto(config, report) if at_auto else config


def _skipping(config: StudyConfig, at_auto: bool) -> StudyConfig:
    """A study that an older version began goes on as it was begun."""
    precisions = PRECISIONS if at_auto else (config.sweep.precision,)
    begun = (with_overrides(config, (f"sweep.precision={one}",)) for one in precisions)
    if any(paths.study_json(paths.study_dir(one)).exists() for one in begun):
        return config
    return with_overrides(config, (f"{BAD_IMAGE}=skip",))


def _at_auto(config: StudyConfig, report: Preflight) -> StudyConfig:
    """A study that was begun already, maybe on another machine, goes on in its own precision."""
    either = {one: with_overrides(config, (f"sweep.precision={one}",)) for one in PRECISIONS}
    begun = [one for one in either.values() if paths.study_json(paths.study_dir(one)).exists()]
    return begun[0] if begun else either[auto_precision(report)]


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


def auto_precision(report: Preflight) -> str:
    """bf16 where the machine that looked at the checkpoint computes in it itself, else fp32."""
    return "bf16" if has_bf16(report) else "fp32"


def has_bf16(report: Preflight) -> bool:
    return bool(report.estimate and report.estimate.images_per_second_bf16)


def seconds_on_grid(report: Preflight, n_sparsities: int, precision: str) -> float:
    """About how long the study takes on a grid of another length, in fp32 or bf16."""
    found, config = report.estimate, report.config
    if found is None or config is None:
        return 0.0
    measured = found.images_per_second
    bf16 = found.images_per_second_bf16 or measured / IMITATED_BF16
    rates: dict[str, float] = {"bf16": bf16, config.sweep.precision: measured}
    rate = rates.get(precision, measured)
    seconds = found.seconds + found.n_predictions * (1 / rate - 1 / measured)
    return seconds * n_sparsities / len(config.sweep.sparsities)
