"""Jobs as a table, for other programs."""

from __future__ import annotations

import pandas as pd

from core.jobs.queue import Job

TIMES = ("submitted", "started", "ended")
COLUMNS = (
    *("job", "study_id", "study", "title", "attempt", "status"),
    *("submitted_by", *TIMES, "error"),
)


def as_table(found: list[Job]) -> pd.DataFrame:
    """One row a job, in the order given; times in UTC, missing where it has not come to that."""
    rows = [
        (
            *(job.id, job.study_id, job.study_name, job.settings["study"].get("title") or ""),
            *(job.attempt, job.status, job.submitted_by),
            *(job.submitted, job.started, job.ended, job.error),
        )
        for job in found
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    times = {name: pd.to_datetime(table[name].astype(float), unit="s", utc=True) for name in TIMES}
    return table.assign(**times)
