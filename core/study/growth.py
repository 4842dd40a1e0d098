"""A study grows: sparsities and runs are added to it, and its id and what is finished stay."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import InputError
from core.study import paths, store
from core.study.config import StudyConfig, parse_config


def extended(
    config: StudyConfig, sparsities: Sequence[float] = (), more_runs: int = 0
) -> StudyConfig:
    """The study with these sparsities beside its own, and so many more runs."""
    sweep, runs = config.sweep, config.runs
    grid = tuple(sorted({*sweep.sparsities, *sparsities}))
    raw = config.model_dump(mode="json", exclude_none=True)
    if grid != sweep.sparsities:
        raw["sweep"] |= {
            "sparsities": list(grid),
            "begun_with": list(sweep.begun_with or sweep.sparsities),
        }
    if more_runs:
        begun = runs.begun_with or runs.count
        raw["runs"] |= {"count": runs.count + more_runs, "begun_with": begun}
    return parse_config(raw, f"study {config.study.name}")


def grown(config: StudyConfig) -> StudyConfig:
    """The study with all that was added to the one of the same id on disk: nothing shrinks when its
    study file is run again."""
    folder = paths.study_dir(config)
    if not paths.study_json(folder).exists():
        return config
    there = store.read_config(folder)
    if there.id != config.id:
        return config
    more = max(there.runs.count - config.runs.count, 0)
    return extended(config, there.sweep.sparsities, more)


def extension(config: StudyConfig, sparsities: Sequence[float], more_runs: int) -> StudyConfig:
    """`extended`, refused in words where there is nothing to add, or nothing can be made. An
    extension that was stopped may be asked for again: it goes on.

    Raises InputError.
    """
    if more_runs < 0 or not (more_runs or set(sparsities) - {0}):
        raise InputError("Say what to add: sparsities, such as 5,85, or a number of runs.")
    if config.dataset.kind == "imported":
        raise InputError(
            f"Study {config.study.name!r} was imported, without the network: nothing can be added "
            "to it here."
        )
    if more_runs and config.checkpoint:
        raise InputError("A study of a given checkpoint has one run; only sparsities can be added.")
    wider = extended(config, sparsities, more_runs)
    if wider == config and _is_whole(config):
        raise InputError(f"Study {config.study.name!r} has these sparsities already.")
    return wider


def _is_whole(config: StudyConfig) -> bool:
    n_cells = config.runs.count * len(config.sweep.sparsities)
    return len(store.finished_cells(paths.study_dir(config))) >= n_cells
