"""Background jobs in plain words, the same on the pages and the command line."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from core.jobs import Job, Status
from core.jobs.queue import UNFINISHED
from core.study.paths import studies_dir
from core.study.progress import Report, read_progress
from core.wording.words import NONE, count, duration, percent, progress

OVER: tuple[Status, ...] = ("finished", "failed", "cancelled")


def by_whom(job: Job) -> str:
    """The person who submitted a job, as people know them."""
    account = job.submitted_by.removeprefix("local:")
    if job.submitted_by == "local":
        return "this machine"
    if account != job.submitted_by:
        return f"{account} in a terminal"
    return account or "unknown"


def when(seconds: float | None) -> str:
    """A time in UTC, to the minute; a dash for none."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else NONE


def how_long(job: Job) -> str:
    """How long a job has been, or was, at work; a dash where it never was."""
    if job.started is None:
        return NONE
    end = job.ended or (time.time() if job.status in UNFINISHED else None)
    return duration(max(0.0, end - job.started)) if end else NONE


def how_far(job: Job) -> str:
    """How far a running job is, or why one failed; empty of all others."""
    if job.status == "failed":
        return job.error
    report = report_of(job) if job.status in ("running", "interrupted") else None
    return f"{percent(report.fraction)} of the stages: {progress(report)}" if report else ""


def report_of(job: Job) -> Report | None:
    """The last report of a job's own work; None before its first."""
    report = read_progress(studies_dir() / job.study_id)
    # One from before the job was taken up is that of an earlier attempt.
    return report if report and job.started and report.updated >= job.started - 1 else None


def speed(report: Report) -> str:
    """12.3 images/s; a dash where nothing is counted."""
    rate = report.per_second
    if not rate or not report.unit:
        return NONE
    return f"{rate:.1f} {report.unit}/s" if rate < 100 else f"{rate:,.0f} {report.unit}/s"


def place_in_queue(job: Job, newest_first: list[Job]) -> str:
    """What a waiting job waits for."""
    at = next((at for at, other in enumerate(newest_first) if other.id == job.id), 0)
    before = sum(other.status in UNFINISHED for other in newest_first[at + 1 :])
    if not before:
        return "Waits for a worker; it is the next."
    return f"Waits for its turn, as one job runs at a time: {count(before, 'job')} before it."


def time_left(report: Report) -> str:
    """About 3 min, for this stage only; a dash if that is unknown."""
    left = report.stage_seconds_left
    return f"about {duration(left)}" if left else NONE
