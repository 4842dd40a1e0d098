"""What a page shows before anybody scrolls, and how far a phone has to."""

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle, visit

LAPTOP, PHONE = {"width": 1400, "height": 900}, {"width": 420, "height": 800}
FIRST_PIXELS = 300  # of a figure that has to be in view
LONGEST = 3500  # pixels of a page on a phone
FIGURES = {
    "/?study=large": "changes_chart",
    "/class_ap?study=large": "curves_chart",
    "/forgettability?study=large": "fcd_heatmap",
    "/safe_sparsity?study=large": "safety_chart",
}
OTHERS = ("/reader_results?study=large", "/jobs", "/administration", "/analyse")
TOP = """(selector) => document.querySelector(selector).getBoundingClientRect().top
  + document.querySelector('[data-testid=stMain]').scrollTop"""


def top_of(page: Page, key: str) -> float:
    """Pixels from the top of the window to the figure, once it is drawn."""
    drawn = f".st-key-{key} .main-svg"
    page.wait_for_selector(drawn, timeout=PATIENCE)
    settle(page)
    return page.evaluate(TOP, drawn)


@pytest.mark.parametrize("path", list(FIGURES))
def test_the_answers_figure_is_in_the_first_screen(page: Page, app_address: str, path: str) -> None:
    page.set_viewport_size(LAPTOP)
    visit(page, app_address + path)
    assert top_of(page, FIGURES[path]) <= LAPTOP["height"] - FIRST_PIXELS


def test_the_curves_of_two_classes_stand_beside_their_map(page: Page, app_address: str) -> None:
    page.set_viewport_size(LAPTOP)
    visit(page, f"{app_address}/forgettability?study=large")
    top_of(page, "pair_chart")
    left, right = (
        page.locator(f".st-key-{key} .main-svg").first.bounding_box()
        for key in ("fcd_heatmap", "pair_chart")
    )
    assert left["x"] + left["width"] <= right["x"]
    assert right["y"] + FIRST_PIXELS <= LAPTOP["height"]


@pytest.mark.parametrize("path", [*FIGURES, *OTHERS])
def test_a_phone_has_the_answer_first_and_little_below_it(
    page: Page, app_address: str, path: str
) -> None:
    page.set_viewport_size(PHONE)
    visit(page, app_address + path)
    if path in FIGURES:
        assert top_of(page, FIGURES[path]) <= PHONE["height"] - FIRST_PIXELS
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    assert height <= LONGEST


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_bar_says_which_page_and_study_it_is_and_stays(
    page: Page, app_address: str, viewport: dict[str, int]
) -> None:
    page.set_viewport_size(viewport)
    visit(page, f"{app_address}/safe_sparsity?study=large", "Safe sparsity")
    top_of(page, "safety_chart")
    page.mouse.move(viewport["width"] / 2, viewport["height"] / 2)
    page.mouse.wheel(0, 500)
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 100")
    for text in ("Safe sparsity", "Toy study large"):
        said = page.locator(".st-key-head").get_by_text(text, exact=False).first
        box = said.bounding_box()
        assert 0 <= box["y"] < 60
        hit = page.evaluate(
            "([x, y]) => Boolean(document.elementFromPoint(x, y).closest('.st-key-head'))",
            [box["x"] + 5, box["y"] + box["height"] / 2],
        )
        assert hit, "nothing lies over it"
