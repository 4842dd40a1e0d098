"""What the Jobs page shows: the list of background jobs, and one job at its own address."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core import jobs, ui
from core.actions import jobs as job_rules
from core.analysis import decay
from core.charts.curves import mean_ap_chart
from core.errors import InputError
from core.jobs import UNFINISHED, Job, log
from core.jobs import words as job_words
from core.jobs.table import as_table
from core.people.access import Visitor
from core.ui import OpenStudy, figures, loaders, markup, people, plain, widgets
from core.wording import words

SECONDS_BETWEEN_LOOKS = 2
SECONDS_BETWEEN_CURVES = 6
JOBS_PER_PAGE = 20
PAGE = "jobs.py"
RESULTS = {
    "overview.py": "Overview",
    "class_ap.py": "Class AP",
    "safe_sparsity.py": "Safe sparsity",
}
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


# The list


def show_list() -> None:
    """Every job, newest first; looks again only while one of them is not at its end."""
    found = job_rules.visible_jobs(people.visitor())
    if not found:
        st.info("There are no jobs yet.", icon=":material/info:")
        st.markdown(HOW_TO_START)
        return
    unfinished = any(job.status in UNFINISHED for job in found)
    st.fragment(_list, run_every=SECONDS_BETWEEN_LOOKS if unfinished else None)(unfinished)
    widgets.downloads(None, "jobs", partial(_table, people.visitor()))


def _table(visitor: Visitor) -> pd.DataFrame:
    return as_table(job_rules.visible_jobs(visitor))


def _list(unfinished: bool) -> None:
    found = job_rules.visible_jobs(people.visitor())
    if any(job.status in UNFINISHED for job in found) != unfinished:
        st.rerun()
    _show_counts(found)
    n_pages = -(-len(found) // JOBS_PER_PAGE)
    page = st.pagination(n_pages, key="jobs-page") if n_pages > 1 else 1
    for job in found[(page - 1) * JOBS_PER_PAGE : page * JOBS_PER_PAGE]:
        _row(job)


def _show_counts(found: list[Job]) -> None:
    states = [job.status for job in found]
    counts = [f"{states.count(status)} {status}" for status in BADGES if status in states]
    st.caption(f"{words.count(len(found), 'job')}, newest first: {', '.join(counts)}.")
    if any(status in UNFINISHED for status in states) and not jobs.worker_running():
        st.warning(NOBODY_WORKS, icon=":material/pause:")


def _row(job: Job) -> None:
    with st.container(border=True, gap="xsmall", key=f"job-{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(BADGES[job.status], width="content")
            st.page_link(PAGE, label=f"**{plain(title(job))}**", query_params={"job": job.id})
        st.caption(plain(_about(job)))
        if job.status == "failed":
            st.markdown(plain(job.error))
        elif said := job_words.how_far(job):
            st.caption(plain(said))


def _about(job: Job, worked_too: bool = True) -> str:
    attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
    worked = f", {job_words.how_long(job)} of work" if job.started and worked_too else ""
    return (
        f"{job.study_name}{attempt}, started by {job_words.by_whom(job)} on "
        f"{job_words.when(job.submitted)} UTC{worked}"
    )


def title(job: Job) -> str:
    return str(job.settings["study"].get("title") or job.study_name)


# One job


def show_job(job_id: str) -> None:
    """How far a job is, what came of it, and what can be done about it."""
    try:
        job = job_rules.find_visible(job_id, people.visitor())
    except InputError:
        st.title("Jobs")
        st.warning(f"There is no job {plain(job_id[:80])} here; it may have been deleted.")
        _way_back()
        return
    st.title(plain(title(job)))
    _way_back()
    live = job.status in UNFINISHED
    # While it is live its time runs on, below.
    st.markdown(f"{BADGES[job.status]} &nbsp; {plain(_about(job, worked_too=not live))}")
    st.fragment(_standing, run_every=SECONDS_BETWEEN_LOOKS if live else None)(job)
    _actions(job)
    st.fragment(_curves, run_every=SECONDS_BETWEEN_CURVES if live else None)(job)
    st.fragment(_log, run_every=SECONDS_BETWEEN_LOOKS if live else None)(job)
    with st.expander("What it runs"):
        st.html(markup.facts(_settings(job)))


def _way_back() -> None:
    st.page_link(PAGE, label="All jobs", icon=":material/arrow_back:", query_params={})


def _standing(seen: Job) -> None:
    """Stage, speed and time left; the page begins again as soon as the job is another way."""
    try:
        job = job_rules.find_visible(seen.id, people.visitor())
    except InputError:
        st.rerun()
    if job.status != seen.status:
        st.rerun()
    if job.status == "failed":
        st.error(f"It failed: {plain(job.error)}", icon=":material/error:")
        return
    if job.status == "finished":
        return
    if job.status == "cancelled":
        st.markdown("What it had finished is kept; resumed, it goes on from there.")
        return
    if job.status == "queued":
        st.info(job_words.place_in_queue(job, jobs.jobs()), icon=":material/schedule:")
    if job.status != "running" and not jobs.worker_running():
        st.warning(NOBODY_WORKS, icon=":material/pause:")
    _progress(job)


def _progress(job: Job) -> None:
    report = job_words.report_of(job)
    if report is None:
        if job.status == "running":
            st.progress(0.0, text="Running: reading what is there already")
        return
    st.progress(report.fraction, text=plain(report.stage))
    counted = f"{report.done:,} of {report.total:,} {report.unit}" if report.total else words.NONE
    st.html(
        markup.facts(
            {
                "Stage": f"{report.stage_number} of {report.n_stages}",
                "Done of it": counted,
                "Speed": job_words.speed(report),
                "Left of this stage": job_words.time_left(report),
                "After this stage": words.stages_after(report),
                "At work for": job_words.how_long(job),
            }
        )
    )


def _actions(job: Job) -> None:
    person = people.require("researcher", "admin")
    opened = _opened(job)
    with st.container(horizontal=True):
        if job.status == "finished" and opened:
            for page, label in RESULTS.items():
                if st.button(label, key=f"to-{page}", on_click=ui.show_study, args=(opened.name,)):
                    st.switch_page(page, query_params={"study": opened.name})
        if not job_rules.may_act(job, person):
            st.caption(job_rules.NOT_YOURS)
            return
        if job.status in UNFINISHED:
            with st.popover("Cancel", icon=":material/stop:"):
                st.markdown("It stops within seconds. What it has finished is kept.")
                if st.button("Yes, cancel it", key="cancel-job"):
                    job_rules.cancel(job, person)
                    st.rerun()
        else:
            _again(job)
            _deletion(job)


def _again(job: Job) -> None:
    label = {"failed": "Retry", "cancelled": "Resume"}.get(job.status)
    if label and st.button(label, icon=":material/restart_alt:", key="resume-job"):
        new = job_rules.resume(job, people.person())
        st.switch_page(PAGE, query_params={"job": new})


def _deletion(job: Job) -> None:
    if not job_rules.may_delete(job, people.person()):
        return
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(
            f"{plain(job.study_name)} goes for good: its models, predictions and tables, and its "
            "jobs. Images and study files stay."
        )
        if st.button("Yes, delete it for good", key="delete-job", type="primary"):
            job_rules.delete(job, people.person())
            st.switch_page(PAGE, query_params={})


def _opened(job: Job) -> OpenStudy | None:
    studies = ui.visible_studies().values()
    return next((study for study in studies if study.folder.name == job.study_id), None)


# What it has worked out so far


def _curves(job: Job) -> None:
    opened = _opened(job)
    metrics = loaders.class_metrics(opened) if opened else None
    if opened is None or metrics is None or metrics.empty:
        if job.status in UNFINISHED:
            st.caption("mAP and AP of every class appear here with the first finished cell.")
        return
    n_classes, n_undefined = decay.defined_classes(metrics)
    n_test = loaders.split_sizes(opened)["test"]
    cells = st.grid(2, min_column_width=320, gap="medium")
    with cells.cell():
        chart = mean_ap_chart(loaders.mean_ap_band(opened), n_classes, n_undefined, n_test)
        widgets.draw(chart, key="job-mean-ap", level=3, of=opened)
    with cells.cell():
        by_class = figures.curves(opened, "ap", False, False, None, ())
        legend = opened.config.groups
        widgets.draw(by_class, key="job-class-ap", level=3, legend=legend, of=opened)


def _log(job: Job) -> None:
    opened = _opened(job)
    lines = log.newest_lines(opened.folder) if opened else []
    if lines:
        st.markdown("### Log")
        st.code("\n".join(lines[::-1]), language=None, height=240, wrap_lines=True)
        st.caption("Newest first, times in UTC. The file is job.log in the study's folder.")


def _settings(job: Job) -> dict[str, str]:
    try:
        config = jobs.config_of(job)
    except InputError as error:
        return {"Settings": str(error)}
    given = config.checkpoint
    return {
        "Dataset": words.dataset(config),
        "Model": words.model(config),
        "Checkpoint": f"given, SHA-256 {given.sha256[:16]}" if given else "trained by the job",
        "Runs": words.runs(config),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Pruning": words.pruning(config),
        "Precision": config.sweep.precision,
        "Job": job.id,
    }
