"""What a person does, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE

PAGES = {"": "Overview", "class_ap": "Class AP", "forgettability": "Forgettability"}
PAGES |= {"pie_browser": "PIE browser"}
# Streamlit's own browser code asks below the page's path first, then at the root.
ASKED_TWICE = re.compile(r"/\w+/_stcore/(health|host-config)$")


@pytest.fixture
def errors(page: Page):
    """Whatever the browser complained about, and every address it asked outside our own."""
    found = []

    def note(message):
        address = message.location.get("url", "")
        if message.type == "error" and not ASKED_TWICE.search(address):
            found.append(f"{message.text} {address}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def settle(page: Page) -> None:
    """Waits until the page has stood still for half a second: a click asks for a run a moment
    after it is made."""
    page.evaluate("window.stillSince = null")
    page.wait_for_function(
        """() => {
            const app = document.querySelector("[data-testid=stApp]");
            if (app?.dataset.testScriptState !== "notRunning") window.stillSince = null;
            else window.stillSince ??= performance.now();
            return window.stillSince !== null && performance.now() - window.stillSince > 500;
        }""",
        timeout=PATIENCE,
    )


def visit(page: Page, address: str, heading: str | None = None) -> None:
    page.goto(address)
    settle(page)
    if heading:
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=PATIENCE)


def sort_by(page: Page, label: str) -> None:
    page.get_by_role("combobox", name="Sort by").click()
    page.get_by_role("option", name=label, exact=True).click()


def image_is_drawn(page: Page, selector: str) -> None:
    page.wait_for_function(
        "s => { const i = document.querySelector(s); return i?.complete && i.naturalWidth > 0 }",
        arg=selector,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("study", ["large", "odd"])
def test_all_four_pages_draw_without_a_complaint(page, app_address, errors, study):
    page.on("dialog", lambda dialog: errors.append(f"a script ran: {dialog.message}"))
    visit(page, f"{app_address}/?study={study}", "Overview")
    for path, heading in PAGES.items():
        page.get_by_role("link", name=heading, exact=True).click()
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=PATIENCE)
        settle(page)
        if path == "pie_browser":
            image_is_drawn(page, ".ps-xray img")
        else:
            page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)
        assert f"study={study}" in page.url, "the study goes with the person from page to page"
        assert page.locator("img[src=x]").count() == 0, "a class name became HTML"
    assert errors == []


def test_the_slider_moves_the_titles_and_the_address(page, app_address, errors):
    visit(page, f"{app_address}/class_ap?study=large", "Class AP")
    expect(page.get_by_text(re.compile(r"by 90\s% sparsity"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider").press("ArrowLeft")
    expect(page.get_by_text(re.compile(r"by 85\s% sparsity"))).to_be_visible(timeout=PATIENCE)
    page.wait_for_url("**sparsity=85**")
    visit(page, page.url, "Class AP")
    expect(page.get_by_text(re.compile(r"by 85\s% sparsity"))).to_be_visible(timeout=PATIENCE)
    assert errors == []


def test_a_click_on_the_heatmap_shows_the_two_curves(page, app_address, errors):
    visit(page, f"{app_address}/forgettability?study=toy", "Forgettability")
    plot = page.locator(".st-key-fcd_heatmap .nsewdrag").first
    plot.wait_for(timeout=PATIENCE)
    box = plot.bounding_box()
    # Row 2, column 4 of five classes, most frequent first, well off the cell's middle.
    at = {"x": box["width"] * 3.4 / 5, "y": box["height"] * 1.4 / 5}
    plot.hover(position=at)
    plot.click(position=at)
    page.wait_for_url(re.compile("first=Effusion&second=Cardiomegaly"), timeout=PATIENCE)
    settle(page)
    names = [page.get_by_label(label).input_value() for label in ("First class", "Second class")]
    heading = re.compile("Effusion.*Cardiomegaly.*: FCD|Cardiomegaly.*Effusion.*: FCD")
    assert sorted(names) == ["Cardiomegaly", "Effusion"]
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    visit(page, page.url, "Forgettability")
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=PATIENCE)
    assert errors == []


def test_paging_through_pies_and_opening_one(page, app_address, errors):
    visit(page, f"{app_address}/pie_browser?study=large", "PIE browser")
    expect(page.get_by_text("PIEs: 30 of 600 test images")).to_be_visible(timeout=PATIENCE)
    image_is_drawn(page, ".ps-xray img")
    first = page.locator(".ps-xray img").first.get_attribute("alt")
    page.get_by_role("button", name="Page 2").click()
    page.wait_for_url("**page=2**")
    expect(page.locator(".ps-xray img").first).not_to_have_attribute("alt", first)
    image_is_drawn(page, ".ps-xray img")
    page.get_by_role("link", name=re.compile("^Open image")).first.click()
    page.wait_for_url("**image=**")
    page.locator(".viewer [data-image], .viewer[data-image]").wait_for(timeout=PATIENCE)
    expect(page.get_by_text("25 of 30")).to_be_visible()
    expect(page.get_by_text("source 64 × 64 px, shown enlarged").first).to_be_visible()  # noqa: RUF001
    page.get_by_role("button", name="Next image").click()
    expect(page.get_by_text("26 of 30")).to_be_visible(timeout=PATIENCE)
    visit(page, page.url)
    expect(page.get_by_text("26 of 30")).to_be_visible(timeout=PATIENCE)
    page.locator(".viewer [data-image], .viewer[data-image]").wait_for(timeout=PATIENCE)
    assert errors == []


def test_pictures_keep_their_address_over_reruns(page, app_address):
    visit(page, f"{app_address}/pie_browser?study=toy")
    image_is_drawn(page, ".ps-xray img")
    sources = "Array.from(document.querySelectorAll('.ps-xray img')).map(i => i.src)"
    before = set(page.evaluate(sources))
    sort_by(page, "Patient")
    page.wait_for_url("**sort=patient**")
    settle(page)
    assert set(page.evaluate(sources)) == before


def test_an_address_from_before_choices_had_ids_still_works(page, app_address, errors):
    old = "definition=Every test image&sort=Patient&lost_by=Operating point&size=Small"
    visit(page, f"{app_address}/pie_browser?study=toy&{old}", "PIE browser")
    for name, label in (("Show", "Every test image"), ("Sort by", "Patient")):
        expect(page.get_by_role("combobox", name=name)).to_have_value(label, timeout=PATIENCE)
    expect(page.get_by_role("radio", name="Small", exact=True)).to_be_checked()
    expect(page).to_have_url(re.compile("definition=every.*"))
    for part in ("sort=patient", "lost_by=operating_point", "size=small"):
        assert part in page.url
    sort_by(page, "Tail first")
    page.wait_for_url("**sort=tail**")
    settle(page)
    page.go_back()
    expect(page.get_by_role("combobox", name="Sort by")).to_have_value("Patient", timeout=PATIENCE)
    assert errors == []


def test_a_subgroup_is_chosen_shown_and_left(page, app_address, errors):
    visit(page, f"{app_address}/class_ap?study=large&by=view&is=PA", "Class AP")
    leave_view = page.get_by_role("button", name="View: PA", exact=True).last
    expect(leave_view).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile(r"subgroup=view(:|%3A)PA"))
    page.get_by_role("button", name="View: PA", exact=True).first.click()
    page.get_by_label("Age, from").fill("60")
    page.get_by_label("Age, from").press("Enter")
    page.wait_for_url(re.compile(r"subgroup=age(:|%3A)60-(,|%2C)view(:|%3A)PA"), timeout=PATIENCE)
    page.keyboard.press("Escape")
    settle(page)
    page.get_by_role("link", name="Forgettability", exact=True).click()
    expect(page.get_by_role("heading", name="Forgettability", level=1)).to_be_visible()
    page.wait_for_url(re.compile(r"subgroup=age(:|%3A)60-(,|%2C)view(:|%3A)PA"), timeout=PATIENCE)
    settle(page)
    page.get_by_role("button", name="Age: 60 and over", exact=True).last.click()
    page.wait_for_url(re.compile(r"subgroup=view(:|%3A)PA"), timeout=PATIENCE)
    page.get_by_role("button", name="Show all test images").click()
    expect(page.get_by_role("button", name="Show all test images")).to_have_count(
        0, timeout=PATIENCE
    )
    assert "subgroup=" not in page.url
    assert errors == []


def test_a_table_is_taken_along(page, app_address, errors):
    visit(page, f"{app_address}/class_ap?study=toy&metric=ap&summary=true", "Class AP")
    button = page.locator("[class*=download_class_summary__CSV] button").first
    button.wait_for(timeout=PATIENCE)
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "toy_class_summary.csv"
    assert download.value.path().read_text().startswith("class_name,group,train_frequency")
    assert errors == []
