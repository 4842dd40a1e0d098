"""Which studies need something that somebody brought."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from core.errors import InputError
from core.jobs.queue import config_of, jobs
from core.study import store
from core.study.config import StudyConfig


def studies_that(need: Callable[[StudyConfig], bool]) -> list[str]:
    """Names of studies, on disk or of a job that ran, runs or may be resumed, that `need` it.

    Raises WorkError where the jobs cannot be read.
    """
    found = {config.study.name for _, config in store.readable_studies() if need(config)}
    for job in jobs():
        with contextlib.suppress(InputError):  # of another version, which cannot be resumed
            config = config_of(job)
            found |= {config.study.name} if need(config) else set()
    return sorted(found)
