"""Who may do what with a background job: researchers see all, and act on their own; admins act on
all. Every action of a page passes here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core import jobs
from core.actions.deletion import delete_study
from core.errors import InputError
from core.jobs import UNFINISHED, Job, weights
from core.people import access, audit
from core.people.access import GUEST, Person, Visitor
from core.study import store
from core.study.growth import extension
from core.study.paths import studies_dir

NOT_YOURS = "Only the person who started a job, or an administrator, can do that."


def visible_jobs(visitor: Visitor) -> list[Job]:
    """The jobs whose studies this visitor may see, newest first."""
    return [job for job in jobs.jobs() if may_see(job, visitor)]


def find_visible(job_id: str, visitor: Visitor) -> Job:
    """One job. Raises the same InputError if there is none and if it is not this visitor's."""
    job = jobs.find(job_id)
    if not may_see(job, visitor):
        raise InputError(f"There is no job {job_id!r}. The command prunescope jobs lists them.")
    return job


def may_act(job: Job, person: Person) -> bool:
    """Guests are nobody in particular, so no job is theirs."""
    if person.role == "admin":
        return True
    own = person != GUEST and job.submitted_by == person.email
    return own and person.role in access.SEES_STUDIES


def may_delete(job: Job, person: Person) -> bool:
    """Whether everything of the job's study is this person's to delete: every attempt at it, and
    the study itself, which may be older than its first job."""
    if person.role == "admin":
        return True
    attempts = [other for other in jobs.jobs() if other.study_id == job.study_id]
    begun = str(store.read_provenance(studies_dir() / job.study_id).get("started", ""))
    first = min(attempt.submitted for attempt in attempts)
    # Both clocks count whole seconds.
    older = bool(begun) and datetime.fromisoformat(begun).timestamp() < int(first)
    return not older and all(may_act(attempt, person) for attempt in attempts)


def cancel(job: Job, person: Person) -> None:
    """Raises InputError where it is not this person's."""
    _refuse_unless(may_act(job, person))
    jobs.cancel(job.id)


def resume(job: Job, person: Person) -> str:
    """The id of the new attempt. Raises InputError where the job is not this person's."""
    _refuse_unless(may_act(job, person))
    return jobs.resume(job.id, person.email)


def extend(job: Job, person: Person, sparsities: Sequence[float]) -> str:
    """Add sparsities to a job's study; the id of the job that makes them. Raises InputError where
    the job is not this person's, or there is nothing to add."""
    _refuse_unless(may_act(job, person))
    config = store.read_config(studies_dir() / job.study_id)
    return jobs.submit(extension(config, sparsities, 0), person.email)


def delete(job: Job, person: Person) -> None:
    """Delete a job's study with all that it has finished, and all its jobs.

    Raises InputError where these are not this person's, or not all at their end.
    """
    _refuse_unless(may_delete(job, person))
    if any(one.study_id == job.study_id and one.status in UNFINISHED for one in jobs.jobs()):
        raise InputError(f"A job of {job.study_name} has not ended yet. Cancel it first.")
    folder = studies_dir() / job.study_id
    if folder.is_dir():
        delete_study(folder, person.email)
    else:
        audit.record(person.email, "deletion", {"job": job.id})
    jobs.delete(job.study_id)
    if digest := (job.settings.get("checkpoint") or {}).get("sha256"):
        weights.forget(digest)  # which the jobs needed until now


def may_see(job: Job, visitor: Visitor) -> bool:
    """Whether the job's study is one that this visitor may see."""
    try:
        return access.may_see(jobs.config_of(job), visitor)
    except InputError:  # settings of another version: whose they are cannot be told
        return visitor.person.role in access.SEES_STUDIES and not visitor.synthetic_only


def _refuse_unless(allowed: bool) -> None:
    if not allowed:
        raise InputError(NOT_YOURS)
