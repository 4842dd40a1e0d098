"""A background job from its submission to its study, in a real browser over a real server: looked
at, reloaded, cancelled, resumed, finished and deleted."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import jobs
from core.study import paths
from core.study.config import StudyConfig
from tests import waiting
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle, visit
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
LONG = 60_000
STUDY = {
    "study": {"name": "watched", "title": "A study to watch"},
    "dataset": {"kind": "phantom", "n_patients": 60, "size": 64},
    "model": {"architecture": "resnet_small", "image_size": 32},
    "training": {"epochs": 25, "patience": 25, "batch_size": 32, "learning_rate": 1e-3},
    "runs": {"count": 2},
    "sweep": {"sparsities": [0, 0.5, 0.9]},
}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of `prunescope serve`, dashboard and worker, over an empty cache."""
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "core.cli", "serve", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith("PruneScope is at"):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=waiting.SECONDS)


def until(job_id: str, *statuses: str) -> None:
    waiting.until(lambda: jobs.find(job_id).status in statuses, told=lambda: jobs.find(job_id))


def badge(page: Page, text: str) -> None:
    found = page.locator(".stMarkdownBadge", has_text=text)
    expect(found).to_be_visible(timeout=2 * LONG)


def test_a_job_is_watched_cancelled_resumed_and_deleted(page: Page, served: str) -> None:
    config = StudyConfig.model_validate(STUDY)
    job_id = jobs.submit(config, "local")
    visit(page, f"{served}/jobs", "Jobs")
    page.get_by_role("link", name="A study to watch").click()
    expect(page).to_have_url(re.compile(rf"/jobs\?.*job={re.escape(job_id)}"), timeout=PATIENCE)
    expect(page.get_by_role("heading", name="A study to watch")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(re.compile(r"Training run \d of 2")).first).to_be_visible(timeout=LONG)

    page.reload()  # the address is the place
    expect(page.get_by_role("heading", name="A study to watch")).to_be_visible(timeout=PATIENCE)
    badge(page, "Running")

    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    badge(page, "Cancelled")
    until(job_id, "cancelled")

    page.get_by_role("button", name="Resume").click()
    again = f"{config.id}.2"
    expect(page).to_have_url(re.compile(rf"job={re.escape(again)}"), timeout=PATIENCE)
    # Without a reload: the page sees by itself that cells and the study are finished.
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=2 * LONG)
    badge(page, "Finished")
    until(again, "finished")

    page.get_by_role("button", name="Safe sparsity").click()
    expect(page.get_by_role("heading", name="Safe sparsity", level=1)).to_be_visible(
        timeout=PATIENCE
    )
    page.go_back()
    settle(page)
    visit(page, f"{served}/jobs?job={again}", "A study to watch")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete it for good").click()
    expect(page.get_by_text("There are no jobs yet")).to_be_visible(timeout=PATIENCE)
    assert not paths.study_dir(config).exists()
    assert jobs.jobs() == []
