"""What axe finds serious on a page, but for one thing that Streamlit's own markup does; and a page
in the dark and in the light."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.charts.contrast import contrast
from tests.waiting import until

GROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
GRAVE = ("serious", "critical")
# Streamlit 1.67 puts a div around each group of pages within the list of their links.
LISTS = ("list", "listitem")
IN_NAVIGATION = "selector => !!document.querySelector(selector)?.closest('nav')"


def show_in(page: Page, scheme: str) -> None:
    """Have a page drawn in a colour scheme, dark or light, and wait until its ground is."""
    page.emulate_media(color_scheme=scheme)
    until(lambda: (contrast(page.evaluate(GROUND), "#ffffff") > 4.5) == (scheme == "dark"))


def serious(page: Page) -> list[tuple[str, list[tuple[list[str], str]]]]:
    """Rule and the first nodes that break it, each with what to do."""
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in GRAVE]
    nodes = {
        one["id"]: [
            (node["target"], node["failureSummary"])
            for node in one["nodes"]
            if not (one["id"] in LISTS and page.evaluate(IN_NAVIGATION, node["target"][0]))
        ]
        for one in found
    }
    return [(rule, broken[:3]) for rule, broken in nodes.items() if broken]
