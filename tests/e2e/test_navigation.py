"""The list of pages in groups, and the study's name where a narrow window folds the list away."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import visit

GROUPS = {
    "Results": ["Overview", "Class AP", "Forgettability", "Safe sparsity"],
    "Images": ["PIE browser", "Reader study", "Reader results"],
    "Work": ["Analyse a checkpoint", "Jobs"],
    "Administration": ["Administration"],
}


def test_pages_stand_in_groups(page: Page, app_address: str) -> None:
    visit(page, f"{app_address}/class_ap?study=toy", "Class AP")
    listed = page.get_by_test_id("stSidebarNav").inner_text().split("\n")
    names = [name for group, pages in GROUPS.items() for name in (group, *pages)]
    assert [line for line in listed if line in names] == names


def test_a_study_is_found_by_typing_part_of_its_title(page: Page, app_address: str) -> None:
    visit(page, f"{app_address}/class_ap?study=large", "Class AP")
    picker = page.get_by_role("combobox", name="Study")
    picker.click()
    picker.fill("study toy")
    expect(page.get_by_role("option")).to_have_count(1)
    option = page.get_by_role("option")
    expect(option).to_contain_text("finished")
    box = option.bounding_box()
    assert box
    assert box["width"] > 400, "wide enough for title, state and date"
    option.click()
    page.wait_for_url(re.compile("study=toy"), timeout=PATIENCE)


def test_an_unknown_study_says_so_and_the_list_opens_another(page: Page, app_address: str) -> None:
    visit(page, f"{app_address}/class_ap?study=gone", "No such study here")
    assert "study=gone" in page.url
    page.get_by_role("button", name=re.compile("Toy study toy")).click()
    page.wait_for_url(re.compile("study=toy"), timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Class AP", level=1)).to_be_visible(timeout=PATIENCE)


def test_on_a_phone_the_bar_names_the_study(browser: Browser, app_address: str) -> None:
    page = browser.new_page(viewport={"width": 420, "height": 800})
    visit(page, f"{app_address}/class_ap?study=toy", "Class AP")
    name = page.get_by_test_id("stMain").get_by_text("Toy study toy").first
    expect(name).to_be_visible(timeout=PATIENCE)
    box = name.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 60, "in the bar"
    page.close()
