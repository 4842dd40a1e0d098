"""The Jobs page without a browser: what it lists, one job in every state, and who may act."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.actions import jobs as job_rules
from core.errors import InputError
from core.jobs import database, log
from core.jobs.database import open_client
from core.jobs.table import JOBS, as_table
from core.people import audit
from core.people.access import GUEST, LOCAL, Person, Visitor
from core.results import export
from core.study import paths, store
from core.study.progress import Progress
from core.ui import standing
from tests.pages.test_pages import open_page, said
from tests.toys import toy_config, write_toy_study

ANN = Person("ann@clinic.org", "admin")
ROLF = Person("rolf@clinic.org", "researcher")
RUTH = Person("ruth@clinic.org", "researcher")
RITA = Person("rita@clinic.org", "reader")


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)


@pytest.fixture
def worker() -> Iterator[None]:
    """The lock that a worker holds."""
    from filelock import FileLock

    jobs.worker_lock_path().parent.mkdir(parents=True, exist_ok=True)
    with FileLock(jobs.worker_lock_path()):
        yield


def put(job_id: str, status: str, error: str = "", began: bool = True) -> None:
    """The row of a job as DBOS leaves it."""
    import sqlalchemy as sa

    now = int(time.time() * 1000)
    values = {"status": status, "started_at_epoch_ms": now if began else None}
    if status in ("SUCCESS", "ERROR"):
        values["completed_at"] = now
    if error:
        said_as = '{"name": "WorkError", "message": "%s"}'
        values["error"] = said_as % error
    engine = sa.create_engine(database.database_url())
    columns = ", ".join(f"{name} = :{name}" for name in values)
    sql = f"update workflow_status set {columns} where workflow_uuid = :id"
    with engine.begin() as connection:
        connection.execute(sa.text(sql), values | {"id": job_id})
    engine.dispose()


def open_jobs(job_id: str | None = None) -> AppTest:
    return open_page("jobs.py", **({"job": job_id} if job_id else {}))


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception, at.exception[0].message
    return at


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_without_a_job_the_page_says_how_to_start_one() -> None:
    text = said(open_jobs())
    assert "There are no jobs yet" in text
    assert "--background" in text
    assert not paths.jobs_database().exists()


def test_jobs_are_listed_newest_first_with_who_and_when_and_why_they_failed() -> None:
    first = jobs.submit(toy_config("older"), "local:mia")
    put(first, "ERROR", "labels.csv lacks the column 'Image Index'.")
    jobs.submit(toy_config("newer"), ROLF.email)
    at = open_jobs()
    text = said(at)
    assert "2 jobs, newest first: 1 queued, 1 failed" in text
    assert text.index("newer") < text.index("older")
    assert r"started by rolf@clinic\.org" in text
    assert "mia in a terminal" in text
    assert r"labels\.csv lacks the column 'Image Index'" in text
    assert "No worker is at work" in text


def test_a_study_that_waits_and_has_no_folder_yet_stands_below_the_study_picker() -> None:
    job_id = jobs.submit(toy_config("patient"), ROLF.email)
    standing._queued.clear()  # what the page before has seen
    (link,) = open_jobs().sidebar.get("page_link")
    assert link.proto.label == "Toy study patient \u00b7 queued"
    assert link.proto.query_string == f"job={job_id}"
    put(job_id, "SUCCESS")
    standing._queued.clear()
    assert not open_jobs().sidebar.get("page_link")


def test_a_title_with_markdown_and_html_is_shown_as_it_is() -> None:
    title = "*our* <b>clinic</b> :red[x]"
    config = toy_config("odd", study={"name": "odd", "title": title})
    job_id = jobs.submit(config)
    assert r"\*our\*" in open_jobs().get("page_link")[-1].proto.label
    assert "<b>" not in said(open_jobs(job_id)).replace(r"\<b\>", "")


def test_many_jobs_are_turned_over_in_pages() -> None:
    for number in range(23):
        put(jobs.submit(toy_config(f"many-{number:02d}")), "SUCCESS")
    text = said(open_jobs())
    assert "23 jobs, newest first" in text
    assert text.count("started by") == 20


def test_the_list_can_be_taken_along_by_who_may_see_it() -> None:
    failed = jobs.submit(toy_config("real"), ROLF.email)
    put(failed, "ERROR", "The disk is full.")
    drawn = jobs.submit(toy_config("drawn", dataset={"kind": "phantom"}), "local:mia")
    given = [(one.proto.label, one.proto.help) for one in open_jobs().get("download_button")]
    assert given == [("CSV", "The table jobs as CSV"), ("Parquet", "The table jobs as Parquet")]
    assert not open_jobs(failed).get("download_button")

    table = as_table(job_rules.visible_jobs(Visitor(RUTH)))
    assert list(table.columns) == JOBS.names
    rows = table.set_index("job")
    assert rows.loc[failed, ["status", "submitted_by", "error"]].to_list() == [
        *("failed", ROLF.email, "The disk is full."),
    ]
    assert abs(rows["submitted"][drawn].timestamp() - time.time()) < 60
    assert pd.isna(rows["started"][drawn])
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        again = read(io.BytesIO(export.FORMATS[suffix](table)))
        assert again["job"].to_list() == table["job"].to_list()

    elsewhere = Visitor(GUEST, synthetic_only=True)
    assert as_table(job_rules.visible_jobs(elsewhere))["job"].to_list() == [drawn]
    assert as_table(job_rules.visible_jobs(Visitor(RITA))).empty


def test_a_job_that_waits_says_so_and_can_be_cancelled_and_resumed(worker: None) -> None:
    jobs.submit(toy_config("before"))
    job_id = jobs.submit(toy_config())
    at = open_jobs(job_id)
    assert "one job runs at a time" in said(at)
    assert "Yes, cancel it" in labels(at)
    press(at, "cancel-job")
    assert jobs.find(job_id).status == "cancelled"
    assert "What it had finished is kept" in said(at)
    assert "Resume" in labels(at)
    press(at, "resume-job")
    (again,) = [job for job in jobs.jobs() if job.study_name == "toy" and job.attempt == 2]
    assert (again.status, again.submitted_by) == ("queued", LOCAL.email)


def test_a_running_job_shows_stage_speed_time_left_curves_and_log(
    worker: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("SECONDS_BEFORE_AN_ESTIMATE", "SECONDS_BETWEEN_WRITES"):
        monkeypatch.setattr(f"core.study.progress.{limit}", 0)
    caplog.set_level("INFO")  # as a worker's
    folder = write_toy_study()
    job_id = jobs.submit(toy_config("toy", paths.cache_dir() / "toy-images"))
    put(job_id, "PENDING")
    with log.kept(folder):
        progress = Progress(folder, 5, log.StageLines())
        advance = progress.start("Training run 1 of 2", "images")
        time.sleep(0.05)
        advance(50, 400)
        time.sleep(0.05)
        advance(100, 400)
    at = open_jobs(job_id)
    text = said(at)
    assert "Running" in text
    for part in ("1 of 5", "100 of 400 images", "images/s", "about"):
        assert part in text, part
    assert len(at.get("plotly_chart")) == 2
    assert "Training run 1 of 2, stage 1 of 5" in at.code[0].value


def test_a_job_without_its_worker_is_interrupted_and_says_who_takes_it_up() -> None:
    job_id = jobs.submit(toy_config())
    put(job_id, "PENDING")
    text = said(open_jobs(job_id))
    assert "Interrupted" in text
    assert "No worker is at work" in text


def test_a_failed_job_says_why_and_can_be_retried() -> None:
    job_id = jobs.submit(toy_config())
    put(job_id, "ERROR", "The disk is full.")
    at = open_jobs(job_id)
    assert r"It failed: The disk is full\." in said(at)
    press(at, "resume-job")
    assert jobs.jobs()[0].attempt == 2


def test_a_finished_job_leads_to_its_study_and_can_be_deleted() -> None:
    folder = write_toy_study()
    job_id = jobs.submit(toy_config("toy", paths.cache_dir() / "toy-images"))
    put(job_id, "SUCCESS")
    at = open_jobs(job_id)
    assert {"Overview", "Class AP", "Safe sparsity"} <= set(labels(at))
    press(at, "delete-job")
    assert not folder.exists()
    assert jobs.jobs() == []
    (line,) = [line for line in audit.lines() if line["what"] == "deletion"]
    assert (line["who"], line["study"]) == (LOCAL.email, folder.name)


def test_a_job_that_is_not_there_is_named_in_words() -> None:
    assert "There is no job <b>none here".replace("<b>", r"\<b\>") in said(open_jobs("<b>none"))


def test_researchers_act_on_their_own_jobs_admins_on_all_and_guests_on_none() -> None:
    job = jobs.find(jobs.submit(toy_config(), ROLF.email))
    guests = jobs.find(jobs.submit(toy_config("other"), GUEST.email))
    assert [job_rules.may_act(job, who) for who in (ANN, ROLF, RUTH, RITA, GUEST)] == [
        True, True, False, False, False
    ]  # fmt: skip
    assert not job_rules.may_act(guests, GUEST)
    for action in (job_rules.cancel, job_rules.resume, job_rules.delete):
        with pytest.raises(InputError, match="Only the person who started"):
            action(job, RUTH)
    job_rules.cancel(job, ROLF)
    assert jobs.find(job_rules.resume(job, ROLF)).submitted_by == ROLF.email


def test_nobody_deletes_a_study_by_starting_it_once_more() -> None:
    folder = write_toy_study()
    provenance = store.read_provenance(folder) | {"started": "2026-01-01T00:00:00+00:00"}
    store.write_json(provenance, paths.study_json(folder))
    job = jobs.find(jobs.submit(toy_config("toy", paths.cache_dir() / "toy-images"), ROLF.email))
    put(job.id, "SUCCESS")
    assert job_rules.may_act(job, ROLF)
    assert not job_rules.may_delete(job, ROLF)
    assert job_rules.may_delete(job, ANN)


def test_a_study_with_somebody_elses_attempt_is_an_administrators_to_delete() -> None:
    first = jobs.find(jobs.submit(toy_config(), ROLF.email))
    assert job_rules.may_delete(first, ROLF)
    jobs.cancel(first.id)
    second = jobs.find(jobs.submit(toy_config(), RUTH.email))
    assert not job_rules.may_delete(second, RUTH)
    assert not job_rules.may_delete(first, ROLF)


def test_a_job_is_not_deleted_before_its_end() -> None:
    job = jobs.find(jobs.submit(toy_config(), ROLF.email))
    with pytest.raises(InputError, match=r"has not ended yet\. Cancel it first"):
        job_rules.delete(job, ROLF)
    with pytest.raises(InputError, match="not at its end"):
        jobs.delete(job.study_id)
    jobs.cancel(job.id)
    job_rules.delete(job, ROLF)
    assert jobs.jobs() == []


def test_guests_from_elsewhere_see_jobs_of_synthetic_studies_alone() -> None:
    real = jobs.submit(toy_config("real"))
    phantom = jobs.submit(toy_config("drawn", dataset={"kind": "phantom"}))
    elsewhere = Visitor(GUEST, synthetic_only=True)
    assert [job.id for job in job_rules.visible_jobs(elsewhere)] == [phantom]
    with pytest.raises(InputError, match="There is no job"):
        job_rules.find_visible(real, elsewhere)
    assert job_rules.visible_jobs(Visitor(RITA)) == []
    assert len(job_rules.visible_jobs(Visitor(RUTH))) == 2


def test_the_database_knows_who_submitted_a_job() -> None:
    job_id = jobs.submit(toy_config(), ROLF.email)
    with open_client() as client:
        assert database.row(client, job_id).authenticated_user == ROLF.email


def test_sparsities_are_added_to_a_finished_study_on_its_jobs_page() -> None:
    config = toy_config("mine")
    folder = write_toy_study(config=config, images=False)
    done = jobs.submit(config, LOCAL.email)
    put(done, "SUCCESS")
    at = open_jobs(done)
    at.text_input(key="more_sparsities").input("half")
    at.button(key="FormSubmitter:extend-Add to the study").click().run()
    assert "is no sparsity" in at.error[0].value
    at.text_input(key="more_sparsities").input("70, 5 %")
    at.button(key="FormSubmitter:extend-Add to the study").click().run()
    assert len(jobs.jobs()) == 2
    (added,) = (job for job in jobs.jobs() if job.id != done)
    assert added.study_id == folder.name, "it is the same study"
    assert jobs.config_of(added).sweep.sparsities == (0, 0.05, 0.5, 0.7, 0.9, 0.95)
    assert added.status == "queued"


def test_another_persons_study_is_not_extended() -> None:
    config = toy_config("mine")
    write_toy_study(config=config, images=False)
    put(jobs.submit(config, ROLF.email), "SUCCESS")
    (job,) = jobs.jobs()
    with pytest.raises(InputError):
        job_rules.extend(job, RUTH, (0.7,))
    assert len(jobs.jobs()) == 1
    job_rules.extend(job, ROLF, (0.7,))
    assert len(jobs.jobs()) == 2
