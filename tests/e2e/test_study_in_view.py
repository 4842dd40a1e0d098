"""The study in the address, under a visitor who does not wait for the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle, visit

STUDY = "toy"  # not the newest, which is what a page shows if nobody asks for another


def picked(page: Page) -> str:
    """The name of the study in the picker, which stands last."""
    return page.get_by_role("combobox", name="Study").input_value().rpartition(" \u00b7 ")[2]


@pytest.mark.parametrize("pause", [0, 60, 150, 300])
def test_runs_cut_short_leave_the_study_and_the_address_alone(
    page: Page, app_address: str, pause: int
) -> None:
    """The list of what PIEs hold more of is opened, and the slider moved on before it is drawn."""
    page.goto(f"{app_address}/pie_browser?study={STUDY}")
    slider = page.locator(".st-key-sparsity").get_by_role("slider")
    expect(slider).to_be_visible(timeout=PATIENCE)
    page.get_by_text("What PIEs hold more of").click()
    slider.focus()
    for key in ("Home", "ArrowRight", "Home", "End"):
        page.keyboard.press(key)
        page.wait_for_timeout(pause)
    settle(page)
    assert f"study={STUDY}" in page.url
    assert picked(page) == STUDY
    assert "sparsity=95" in page.url
    assert "95" in (slider.get_attribute("aria-valuetext") or "")


def test_a_pick_is_in_the_address_and_back_takes_it_back(page: Page, app_address: str) -> None:
    visit(page, f"{app_address}/class_ap?study={STUDY}", "Class AP")
    page.get_by_role("combobox", name="Study").click()
    page.get_by_role("combobox", name="Study").fill("odd")
    page.get_by_role("option", name=re.compile(r"\bodd$")).click()
    page.wait_for_url(re.compile("study=odd"), timeout=PATIENCE)
    settle(page)
    assert picked(page) == "odd"
    page.go_back()
    page.wait_for_url(re.compile(f"study={STUDY}"), timeout=PATIENCE)
    settle(page)
    assert f"study={STUDY}" in page.url
    assert picked(page) == STUDY
