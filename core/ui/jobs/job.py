"""One job at its own address: how far it is, what it has worked out, what can be done about it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core import jobs, ui
from core.actions import jobs as job_rules
from core.analysis import decay
from core.charts.curves import mean_ap_chart
from core.errors import InputError
from core.jobs import UNFINISHED, Job, log
from core.jobs import words as job_words
from core.people.access import Person
from core.study.grids import grid_of
from core.ui import confirm, curves, markup, people, plain, results, widgets
from core.ui.jobs.listing import (
    BADGES,
    PAGE,
    SECONDS_BETWEEN_LOOKS,
    about,
    title,
    warn_unless_worked_on,
)
from core.ui.view import View
from core.wording import words

SECONDS_BETWEEN_CURVES = 6
RESULTS = {
    "overview.py": "Overview",
    "class_ap.py": "Class AP",
    "safe_sparsity.py": "Safe sparsity",
}


def show_job(job_id: str) -> None:
    """How far a job is, what came of it, and what can be done about it."""
    try:
        job = job_rules.find_visible(job_id, people.visitor())
    except InputError:
        ui.page_head("Jobs")
        st.warning(f"There is no job {plain(job_id[:80])} here; it may have been deleted.")
        _way_back()
        return
    ui.page_head(plain(title(job)))
    _way_back()
    live = job.status in UNFINISHED
    # While it is live its time runs on, below.
    st.markdown(f"{BADGES[job.status]} &nbsp; {plain(about(job, worked_too=not live))}")
    often, at_times = (SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_CURVES) if live else (None, None)
    st.fragment(_standing, run_every=often)(job)
    _actions(job)
    st.fragment(_curves, run_every=at_times)(job)
    st.fragment(_log, run_every=often)(job)
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
    elif job.status == "cancelled":
        st.markdown("What it had finished is kept. If you resume it, it continues from there.")
    elif job.status != "finished":
        if job.status == "queued":
            st.info(job_words.place_in_queue(job, jobs.jobs()), icon=":material/schedule:")
        if job.status != "running":
            warn_unless_worked_on()
        _progress(job)


def _progress(job: Job) -> None:
    report = job_words.report_of(job)
    if report is None:
        if job.status == "running":
            st.progress(0.0, text="Running: reading what is there already")
        return
    st.progress(report.fraction, text=plain(report.stage))
    counted = f"{report.done:,} of {report.total:,} {report.unit}" if report.total else words.NONE
    told = {
        "Stage": f"{report.stage_number} of {report.n_stages}",
        "Done of it": counted,
        "Speed": job_words.speed(report),
        "Left of this stage": job_words.time_left(report),
        "After this stage": words.stages_after(report),
        "At work for": job_words.how_long(job),
    }
    st.html(markup.facts(told))


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
            asked = "It stops within seconds. What it has finished is kept."
            yes, icon = "Yes, cancel it", ":material/stop:"
            if confirm.confirmed(asked, yes, "cancel-job", "Cancel", icon, final=False):
                job_rules.cancel(job, person)
                st.rerun()
            return
        again = {"failed": "Retry", "cancelled": "Resume"}.get(job.status)
        if again and st.button(again, icon=":material/restart_alt:", key="resume-job"):
            st.switch_page(PAGE, query_params={"job": job_rules.resume(job, person)})
        if job.status == "finished" and opened:
            _extend(job, person)
        if not job_rules.may_delete(job, person):
            return
        asked = (
            f"{plain(job.study_name)} goes for good: its models, predictions and tables, and its "
            "jobs. Images and study files stay."
        )
        if confirm.confirmed(asked, "Yes, delete it for good", "delete-job"):
            job_rules.delete(job, person)
            st.switch_page(PAGE, query_params={})


def _extend(job: Job, person: Person) -> None:
    with st.popover("Add sparsities", icon=":material/add:"), st.form("extend", border=False):
        text = st.text_input(
            "Sparsities in percent",
            key="more_sparsities",
            placeholder="5, 10, 85",
            help="Whole percents from 0 to 99. What is finished stays and is not made again; the "
            "study keeps its address.",
            max_chars=400,
        )
        if st.form_submit_button("Add to the study") and text:
            try:
                added = job_rules.extend(job, person, grid_of(text))
            except InputError as error:
                st.error(plain(str(error)))
                return
            st.switch_page(PAGE, query_params={"job": added})


def _opened(job: Job) -> View | None:
    studies = ui.visible_studies().values()
    return next((study for study in studies if study.folder.name == job.study_id), None)


# What it has worked out so far


def _curves(job: Job) -> None:
    opened = _opened(job)
    metrics = results.class_metrics(opened) if opened else None
    if opened is None or metrics is None or metrics.empty:
        if job.status in UNFINISHED:
            st.caption("mAP and AP of every class appear here with the first finished cell.")
        return
    n_classes, n_undefined = decay.defined_classes(metrics)
    n_test = results.split_sizes(opened)["test"]
    cells = st.grid(2, min_column_width=320, gap="medium")
    with cells.cell():
        chart = mean_ap_chart(results.mean_ap_band(opened), n_classes, n_undefined, n_test)
        widgets.draw(chart, key="job-mean-ap", level=3, of=opened)
    with cells.cell():
        as_measured = replace(opened, metric="ap", corrected=False, relative=False)
        by_class = curves.curves_chart(as_measured)
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
        "Dataset": config.dataset.title,
        "Model": words.model(config),
        "Checkpoint": f"given, SHA-256 {given.sha256[:16]}" if given else "trained by the job",
        "Runs": words.runs(config),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Pruning": words.pruning(config),
        "Precision": words.precision(config),
        "Job": job.id,
    }
