"""The list of background jobs, and what it and a job's own page say of each alike."""

from __future__ import annotations

import streamlit as st

from core import jobs
from core.actions import jobs as job_rules
from core.jobs import UNFINISHED, Job
from core.jobs import words as job_words
from core.jobs.table import as_table
from core.ui import people, plain, widgets
from core.wording import words

SECONDS_BETWEEN_LOOKS = 2
JOBS_PER_PAGE = 20
PAGE = "jobs.py"
BADGES = {
    "queued": ":gray-badge[:material/schedule: Waiting]",
    "running": ":blue-badge[:material/play_arrow: Running]",
    "interrupted": ":orange-badge[:material/pause: Interrupted]",
    "finished": ":green-badge[:material/check: Finished]",
    "failed": ":red-badge[:material/error: Failed]",
    "cancelled": ":gray-badge[:material/stop: Cancelled]",
}
NOBODY_WORKS = (
    "No worker is at work, so jobs wait. `prunescope serve` keeps one beside the dashboard; "
    "`prunescope worker` is one by itself."
)
HOW_TO_START = """
A job is a study that is worked on in the background. To start one:

- **Analyse a checkpoint**, in the list of pages, takes a trained network from you
- `prunescope run data/studies/nih-sample.toml --background` trains and prunes networks of its own
- `make demo` does so on synthetic X-rays
"""


def show_list() -> None:
    """Every job, newest first; looks again only while one of them is not at its end."""
    found = job_rules.visible_jobs(people.visitor())
    if not found:
        st.info("There are no jobs yet.", icon=":material/info:")
        st.markdown(HOW_TO_START)
        return
    unfinished = any(job.status in UNFINISHED for job in found)
    st.fragment(_list, run_every=SECONDS_BETWEEN_LOOKS if unfinished else None)(unfinished)
    visitor = people.visitor()
    widgets.downloads(None, "jobs", lambda: as_table(job_rules.visible_jobs(visitor)))


def _list(unfinished: bool) -> None:
    found = job_rules.visible_jobs(people.visitor())
    if any(job.status in UNFINISHED for job in found) != unfinished:
        st.rerun()
    states = [job.status for job in found]
    counts = [f"{states.count(status)} {status}" for status in BADGES if status in states]
    st.caption(f"{words.count(len(found), 'job')}, newest first: {', '.join(counts)}.")
    if unfinished:
        warn_unless_worked_on()
    n_pages = -(-len(found) // JOBS_PER_PAGE)
    page = st.pagination(n_pages, key="jobs-page") if n_pages > 1 else 1
    for job in found[(page - 1) * JOBS_PER_PAGE : page * JOBS_PER_PAGE]:
        _row(job)


def warn_unless_worked_on() -> None:
    if not jobs.worker_running():
        st.warning(NOBODY_WORKS, icon=":material/pause:")


def _row(job: Job) -> None:
    with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(BADGES[job.status], width="content")
            st.page_link(PAGE, label=f"**{plain(title(job))}**", query_params={"job": job.id})
        st.caption(plain(about(job)))
        if said := job_words.how_far(job):
            (st.markdown if job.status == "failed" else st.caption)(plain(said))


def about(job: Job, worked_too: bool = True) -> str:
    """Whose job it is and since when; how long it was at work as well."""
    attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
    worked = f", {job_words.how_long(job)} of work" if job.started and worked_too else ""
    return (
        f"{job.study_name}{attempt}, started by {job_words.by_whom(job)} on "
        f"{job_words.when(job.submitted)} UTC{worked}"
    )


def title(job: Job) -> str:
    return str(job.settings["study"].get("title") or job.study_name)
