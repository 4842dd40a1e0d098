"""What people do with jobs: submit, look, cancel, resume, delete."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.errors import InputError
from core.jobs import database
from core.jobs.database import open_client
from core.jobs.locks import worker_running
from core.study.config import StudyConfig, parse_config
from core.upload.datasets import images_kept

Status = Literal["queued", "running", "interrupted", "finished", "failed", "cancelled"]

# Every start of a worker counts, also after a polite stop.
MAX_RECOVERIES = 200
IN_WORDS: dict[str, Status] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "finished",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
UNFINISHED: tuple[Status, ...] = ("queued", "running", "interrupted")


@dataclass(frozen=True)
class Job:
    """One attempt at a study. Times are seconds since the epoch; `error` is a sentence.

    A job whose worker has gone reads "interrupted": the next worker takes it up. `submitted_by` is
    an e-mail address, "local:<account>" of a command line, or empty where nobody knows.
    """

    id: str
    study_id: str
    study_name: str
    attempt: int
    status: Status
    submitted: float
    submitted_by: str
    started: float | None
    ended: float | None
    settings: dict[str, Any]
    error: str = ""


def submit(config: StudyConfig, by: str = "") -> str:
    """Queue a study, return the job's id; an unfinished job of the study is returned as is.

    A study that is finished already is done at once, because the engine skips what is there.
    Raises InputError where the study is of somebody's own data, and that was deleted.
    """
    with images_kept(config), open_client() as client:
        found = database.rows(client, workflow_id_prefix=f"{config.id}.")
        attempts = [_job(row) for row in found]
        last = max(attempts, key=lambda job: job.attempt, default=None)
        if last and last.status in UNFINISHED:
            return last.id
        # Two who submit in the same moment arrive at the same id, and DBOS keeps one of them.
        job_id = f"{config.id}.{last.attempt + 1 if last else 1}"
        options: Any = {
            "workflow_name": database.WORKFLOW,
            "queue_name": database.QUEUE,
            "workflow_id": job_id,
            "app_version": database.VERSION,
            "authenticated_user": by,
            "serialization_type": "portable",  # JSON: nothing from the database is unpickled
        }
        client.enqueue(options, config.model_dump(mode="json"))
    return job_id


def jobs() -> list[Job]:
    """Every job, newest first; none where nobody has submitted anything yet."""
    if database.nothing_submitted():
        return []
    with open_client() as client:
        found = _as_seen([_job(row) for row in database.rows(client)])
    # SQLite's clock has whole seconds; within one, the later row is the later job.
    return sorted(found, key=lambda job: (job.submitted, job.attempt))[::-1]


def find(job_id: str) -> Job:
    """One job. Raises InputError if none has this id."""
    if database.nothing_submitted():
        raise InputError(f"There is no job {job_id!r}: nobody has started one yet.")
    with open_client() as client:
        return _as_seen([_job(database.row(client, job_id))])[0]


def config_of(job: Job) -> StudyConfig:
    """The study a job is about. Raises InputError where its settings are of another version."""
    return parse_config(job.settings, f"job {job.id}")


def cancel(job_id: str) -> None:
    """Ask an unfinished job to stop; what it has finished stays. An ended job stays as it is.

    Raises InputError where there is no such job.
    """
    with open_client() as client:
        database.row(client, job_id)
        client.cancel_workflow(job_id)


def resume(job_id: str, by: str = "") -> str:
    """Submit the job's study again, return the new job's id; finished work is not repeated.

    A new attempt rather than DBOS' own resume, which would put the job on another queue beside
    the one that runs a single job at a time. Raises InputError where there is no such job.
    """
    return submit(config_of(find(job_id)), by)


def delete(study_id: str) -> int:
    """Forget every job of a study, return how many there were; its folder is not touched.

    Raises InputError while one of them is unfinished.
    """
    if database.nothing_submitted():
        return 0
    with open_client() as client:
        found = [_job(row) for row in database.rows(client, workflow_id_prefix=f"{study_id}.")]
        for job in found:
            if job.status in UNFINISHED:
                raise InputError(f"Job {job.id} is not at its end. Cancel it first.")
        if found:
            client.delete_workflows([job.id for job in found])
    return len(found)


def _job(row: Any) -> Job:
    study_id, _, attempt = row.workflow_id.rpartition(".")
    settings = row.input["args"][0]
    return Job(
        id=row.workflow_id,
        study_id=study_id,
        study_name=settings["study"]["name"],
        attempt=int(attempt),
        status=IN_WORDS[row.status],
        submitted=row.created_at / 1000,
        submitted_by=row.authenticated_user or "",
        started=row.dequeued_at / 1000 if row.dequeued_at else None,
        ended=row.completed_at / 1000 if row.completed_at else None,
        settings=settings,
        error=_error_in_words(row),
    )


def _error_in_words(row: Any) -> str:
    if row.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return (
            f"The worker died {MAX_RECOVERIES} times while at this job, perhaps because "
            "memory ran out. Lower the study's batch sizes, or resume the job to try again."
        )
    if row.status == "CANCELLED":
        return ""
    return re.sub(r"\s+", " ", str(getattr(row.error, "message", row.error) or ""))


def _as_seen(found: list[Job]) -> list[Job]:
    """What runs in the database's eyes while nobody works is interrupted."""
    if any(job.status == "running" for job in found) and not worker_running():
        return [
            replace(job, status="interrupted") if job.status == "running" else job for job in found
        ]
    return found
