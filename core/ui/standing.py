"""How far each study is, in the words of the study picker, and which one a visitor means who names
none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

import streamlit as st

from core import jobs
from core.actions.jobs import may_see
from core.errors import InputError, WorkError
from core.people.access import Visitor
from core.study import paths
from core.study.progress import read_progress
from core.ui.view import View, modified
from core.wording import words

LEAST_RUNS = 3  # of a study that is no test: what of a class's loss is chance shows over runs
SECONDS_BETWEEN_LOOKS = 5


def state(view: View) -> str:
    """finished, running, interrupted, failed, cancelled, or queued where it waits for a worker."""
    report = read_progress(view.folder)
    if report is None:  # imported, or made by an older version
        return "finished"
    standing = words.standing(report)
    waits = standing not in ("finished", "running") and view.folder.name in _queued()
    return "queued" if waits else standing


def told(view: View) -> str:
    """finished; running, 2 of 5 runs so far; failed after 2 of 5 runs."""
    standing = state(view)
    if standing == "finished":
        return standing
    metrics = modified(paths.class_metrics_path(view.folder))
    runs = f"{_complete_runs(view, metrics)} of {words.count(view.config.runs.count, 'run')}"
    goes_on = standing in ("running", "queued")
    return f"{standing}, {runs} so far" if goes_on else f"{standing} after {runs}"


def date(view: View) -> str:
    """The day, in UTC, on which a study was made: 27 Nov 2026."""
    made = datetime.fromtimestamp(created(view) / 1e9, UTC)
    return f"{made.day} {made:%b %Y}"


def label(view: View) -> str:
    """One study among others: title, how far it is, since when, and its name in the address."""
    called = [] if view.title == view.name else [view.name]
    return " \u00b7 ".join([view.title, told(view), date(view), *called])


def meant(studies: Iterable[View]) -> View:
    """The study to open for somebody who names none: the newest of those that are finished and
    have runs enough to tell loss from chance; else of those finished, of those with any results,
    of all."""
    return max(studies, key=_worth)


def created(view: View) -> int:
    """When a study was made, in nanoseconds since the epoch."""
    return modified(paths.study_json(view.folder))


def _worth(view: View) -> tuple[bool, bool, bool, int]:
    has_results = paths.class_metrics_path(view.folder).exists()
    finished = has_results and state(view) == "finished"
    pruned = len(view.config.sweep.sparsities) > 1
    enough = finished and pruned and view.config.runs.count >= LEAST_RUNS
    return enough, finished, has_results, created(view)


@lru_cache(maxsize=256)  # every page tells how far all studies are
def _complete_runs(view: View, metrics: int) -> int:
    """Runs of which every sparsity has its predictions; `metrics`, which every run changes: when
    the class metrics were written."""
    n_files = Counter(run for run, _ in view.study.cells)
    return sum(n >= len(view.config.sweep.sparsities) for n in n_files.values())


def waiting(visitor: Visitor) -> dict[str, str]:
    """The studies that wait for a worker and have no folder yet, so no page: by the id of their
    job, in the words of the study picker. None where the queue cannot be read: pages do without."""
    try:
        queued = _queued()
    except (InputError, WorkError):
        return {}
    return {
        job.id: f"{job.settings['study'].get('title') or job.study_name} \u00b7 queued"
        for study_id, job in queued.items()
        if not (paths.studies_dir() / study_id).exists() and may_see(job, visitor)
    }


@st.cache_data(ttl=SECONDS_BETWEEN_LOOKS, show_spinner=False)
def _queued() -> dict[str, jobs.Job]:
    """By the ids of the studies that wait for a worker."""
    return {job.study_id: job for job in jobs.jobs() if job.status == "queued"}
