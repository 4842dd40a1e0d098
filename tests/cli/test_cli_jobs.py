"""The commands of background jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import jobs
from tests.cli.test_cli import call
from tests.toys import toy_config


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)


def test_without_jobs_the_list_says_how_to_start_one() -> None:
    status, out, _ = call("jobs", "list")
    assert (status, "prunescope run demo --background" in out) == (0, True)


def test_a_job_is_listed_cancelled_and_resumed() -> None:
    job_id = jobs.submit(toy_config(), "ann@clinic.org")
    _, out, _ = call("jobs", "list")
    assert job_id in out
    assert "queued" in out
    assert "ann@clinic.org" in out
    status, out, _ = call("jobs", "cancel", job_id)
    assert status == 0
    assert f"prunescope jobs resume {job_id}" in out
    assert jobs.find(job_id).status == "cancelled"
    assert "cancelled already" in call("jobs", "cancel", job_id)[1]
    status, out, _ = call("jobs", "resume", job_id)
    assert (status, f"{toy_config().id}.2 is in the queue" in out) == (0, True)
    assert jobs.jobs()[0].submitted_by.startswith("local")


def test_an_unknown_job_is_refused_in_a_sentence() -> None:
    for command in ("cancel", "resume"):
        status, _, said = call("jobs", command, "none.1")
        assert status == 2
        assert said.startswith("There is no job 'none.1'")
