"""Jobs as a table, for other programs."""

from __future__ import annotations

import pandas as pd

from core.jobs.queue import Job
from core.study.columns import Column, Columns

TIMES = ("submitted", "started", "ended")
JOBS = Columns(
    Column("job", "Id of the job."),
    Column("study_id", "Id of its study."),
    Column("study", "Name of the study."),
    Column("title", "What its study file calls it."),
    Column("attempt", "Number of the attempt, from 1."),
    Column("status", "`queued`, `running`, `interrupted`, `finished`, `failed` or `cancelled`."),
    Column("submitted_by", "E-mail address, or `local:` and the account of a terminal."),
    Column("submitted", "When, in UTC."),
    Column("started", "When a worker took it up."),
    Column("ended", "When it came to its end."),
    Column("error", "Why it failed, in a sentence."),
    what="On Jobs: the background jobs whose studies you may see, newest first.",
    row="an attempt at a study",
)


def as_table(found: list[Job]) -> pd.DataFrame:
    """JOBS, in the order given; times in UTC, missing where a job has not come to that."""
    rows = [
        (
            *(job.id, job.study_id, job.study_name, job.settings["study"].get("title") or ""),
            *(job.attempt, job.status, job.submitted_by),
            *(job.submitted, job.started, job.ended, job.error),
        )
        for job in found
    ]
    table = pd.DataFrame(rows, columns=JOBS.names)
    times = {name: pd.to_datetime(table[name].astype(float), unit="s", utc=True) for name in TIMES}
    return table.assign(**times)
