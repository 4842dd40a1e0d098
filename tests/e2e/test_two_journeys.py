"""A visitor who has never heard of pruning, and a researcher who sends what they found.

The journeys of clinicians are in `test_reading_room.py`, that of somebody with a checkpoint in
`test_analyse.py` and `test_real_checkpoints.py`.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import dashboard
from core.study import paths
from core.study.progress import Progress
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle, visit
from tests.toys import write_toy_study


def test_who_is_there_before_the_first_study_sees_it_come(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    with dashboard() as (address, _, _):
        visit(page, address, "PruneScope")
        expect(page.get_by_text("There is no study to show yet.")).to_be_visible(timeout=PATIENCE)
        write_toy_study(images=False)
        heading = page.get_by_role("heading", name="Overview", level=1)
        expect(heading).to_be_visible(timeout=PATIENCE)


def test_a_page_left_open_shows_the_first_run_when_it_is_finished(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    folder = write_toy_study(images=False)
    metrics = paths.class_metrics_path(folder)
    kept = metrics.rename(tmp_path / "kept.parquet")
    with dashboard() as (address, _, _):
        Progress(folder, 10).start("Training run 1 of 2", "images")(1, 100)
        visit(page, address, "Overview")
        expect(page.get_by_text("mAP appears here")).to_be_visible(timeout=PATIENCE)
        kept.rename(metrics)
        title = page.get_by_role("heading", name=re.compile("of its Somers\u2019 D, "))
        expect(title).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Running: Training run 1 of 2").first).to_be_visible()


def test_a_visitor_goes_from_three_pictures_to_an_answer_and_its_words(
    page: Page, app_address: str
) -> None:
    visit(page, f"{app_address}/?study=large&tour=true", "Overview")
    for picture in (
        "The weights of a network",
        "Change of AP over sparsity",
        "The findings of one",
    ):
        expect(page.get_by_alt_text(re.compile(picture))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="How much is safe here").click()
    expect(page.get_by_role("heading", name="Safe sparsity", level=1)).to_be_visible(
        timeout=PATIENCE
    )
    expect(
        page.get_by_role("heading", name=re.compile("of their AP|of its AP|safe")).first
    ).to_be_visible(timeout=PATIENCE)
    settle(page)
    page.get_by_role("button", name="Glossary").click()
    expect(page.get_by_text("The largest loss that still counts")).to_be_visible(timeout=PATIENCE)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Class AP", exact=True).click()
    page.get_by_text("Do rare classes lose more?").click()
    expect(page.get_by_role("heading", name="No clear relation").first).to_be_visible()
    assert "study=large" in page.url


def test_a_researcher_sends_an_address_and_takes_figure_and_table_along(
    page: Page, browser: Browser, app_address: str
) -> None:
    visit(page, f"{app_address}/class_ap?study=toy", "Class AP")
    page.get_by_role("radio", name="AUROC", exact=True).click()
    settle(page)
    page.get_by_role("button", name="Settings").click()
    for choice in ("As measured", "Paper"):
        page.get_by_role("radio", name=choice, exact=True).click()
        settle(page)
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile("reading=paper"), timeout=PATIENCE)
    title = page.get_by_role("heading", name=re.compile("AUROC by|of its AUROC")).first
    expect(title).to_be_visible(timeout=PATIENCE)
    found = title.inner_text()
    page.wait_for_selector(".st-key-curves_chart .main-svg", timeout=PATIENCE)
    for place, kind, name in (
        (".st-key-curves_chart_files", "SVG", "toy_class_ap_curves_auroc_paper_sparsity-90.svg"),
        ("[class*=download_forgettability]", "Parquet", "toy_forgettability_auroc.parquet"),
    ):
        button = page.locator(place).get_by_role("button", name=re.compile(kind)).first
        if kind == "SVG":  # the button says what the chart above it is by now
            expect(button).to_have_attribute("title", name, timeout=PATIENCE)
        with page.expect_download(timeout=PATIENCE) as download:
            button.click()
        assert download.value.suggested_filename == name

    with browser.new_context(viewport={"width": 420, "height": 900}, color_scheme="dark") as other:
        theirs = other.new_page()
        visit(theirs, page.url, "Class AP")
        expect(theirs.get_by_role("heading", name=found)).to_be_visible(timeout=PATIENCE)
        for choice in ("As measured", "Paper"):
            expect(theirs.locator(".st-key-controls").get_by_text(choice)).to_be_visible()
        theirs.get_by_role("button", name="Settings").click()
        for choice in ("AUROC", "As measured", "Paper"):
            radio = theirs.get_by_role("radio", name=choice, exact=True)
            expect(radio).to_be_checked(timeout=PATIENCE)
