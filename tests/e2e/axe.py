"""What axe finds serious on a page, but for one thing that Streamlit's own markup does."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
# Streamlit 1.67 puts a div around each group of pages within the list of their links.
LISTS = ("list", "listitem")
IN_NAVIGATION = "selector => !!document.querySelector(selector)?.closest('nav')"


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
