"""The PIE browser as a radiologist uses it: X-rays first, and a lost finding in three clicks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle, visit

N_ABOVE_THE_FOLD = 6
MOST_HEIGHT = 3500  # CSS pixels of a page on a phone
THUMB = 12  # CSS pixels across
CARDS = ".st-key-gallery .ps-card"


def bottoms(page: Page) -> list[float]:
    """Where the X-rays of the grid end, from the top of the window."""
    return page.locator(f"{CARDS} .ps-black").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().bottom)"
    )


def click_at(page: Page, slider: Locator, share: float) -> None:
    """One click on a slider's track, which the middle of its thumb travels along."""
    box = slider.bounding_box()
    assert box
    along = box["width"] - THUMB
    page.mouse.click(box["x"] + THUMB / 2 + share * along, box["y"] + box["height"] - 20)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_six_xrays_are_above_the_fold(page: Page, app_address: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1400, "height": 900})
    visit(page, f"{app_address}/pie_browser?study=large", "PIE browser")
    page.locator(CARDS).first.wait_for(timeout=PATIENCE)
    assert sum(bottom < 900 for bottom in bottoms(page)) >= N_ABOVE_THE_FOLD


def test_a_phone_shows_xrays_first_and_ends_soon(page: Page, app_address: str) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    visit(page, f"{app_address}/pie_browser?study=large", "PIE browser")
    page.locator(CARDS).first.wait_for(timeout=PATIENCE)
    assert sum(bottom < 800 for bottom in bottoms(page)) >= N_ABOVE_THE_FOLD
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollHeight") <= MOST_HEIGHT
    assert main.evaluate("main => main.scrollWidth <= window.innerWidth")


def test_a_lost_tail_finding_is_found_in_three_clicks(page: Page, app_address: str) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    visit(page, f"{app_address}/pie_browser?study=large&definition=every", "PIE browser")
    clicks = 0

    def click(what, **more) -> None:
        nonlocal clicks
        what.click(timeout=PATIENCE, **more)
        clicks += 1

    click(page.get_by_role("combobox", name="Lost or raised finding"))
    click(page.get_by_role("option", name="any tail finding"))
    click_at(page, page.locator(".st-key-until .stSlider"), list(range(5, 100, 5)).index(80) / 18)
    clicks += 1
    assert clicks == 3
    badge = page.get_by_role("button", name=re.compile("Lost: any tail finding, by 80 %"))
    expect(badge).to_be_visible(timeout=PATIENCE)
    settle(page)
    for part in ("finding=any%20tail%20finding", "until=80"):
        assert part in page.url.replace("+", "%20")
    texts = page.locator(f"{CARDS} figcaption").all_inner_texts()
    assert texts
    assert all("lost at" in text for text in texts)
    badge.click()
    expect(badge).to_have_count(0, timeout=PATIENCE)


@pytest.mark.parametrize("pause", [100, 150, 400])
def test_ten_images_by_keyboard_and_no_key_is_lost(
    page: Page, app_address: str, pause: int
) -> None:
    """From a card that was clicked, and from a page that was loaded anew: nobody clicks the X-ray
    first."""
    visit(page, f"{app_address}/pie_browser?study=large&definition=every", "PIE browser")
    links = page.locator(f"{CARDS} .ps-way")
    links.first.wait_for(timeout=PATIENCE)
    stage, inspector = page.locator(".viewer .stage"), page.locator(".st-key-inspector")
    links.first.click()
    page.wait_for_timeout(pause)
    for at in (11, 21):
        for _ in range(10):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(pause)
        expect(inspector.get_by_text(f"{at} of 600", exact=True)).to_be_visible(timeout=PATIENCE)
        settle(page)
        name = inspector.locator(".ps-named b").inner_text()
        expect(stage).to_have_attribute("data-image", name)
        assert f"image={name}" in page.url
        visit(page, page.url)
        expect(stage).to_have_attribute("data-image", name, timeout=PATIENCE)
    for _ in range(30):
        page.keyboard.press("k")
        page.wait_for_timeout(pause // 4)
    expect(inspector.get_by_text("1 of 600", exact=True)).to_be_visible(timeout=PATIENCE)
