"""What holds of every page: it reads without a serious fault in dark and light, does not move while
it loads, and its figures can be taken along as SVG and PNG."""

import io
import re
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.charts.contrast import contrast
from tests.e2e.axe import serious, show_in
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import ASKED_TWICE, settle, visit
from tests.waiting import until

PAGES = {
    "/?study=large": "Overview",
    "/class_ap?study=large&sparsity=85": "Class AP",
    "/forgettability?study=large": "Forgettability",
    "/safe_sparsity?study=large": "Safe sparsity",
    "/pie_browser?study=large&composition=true": "PIE browser",
    "/analyse": "Analyse a checkpoint",
    "/look": "Look at a file",
    "/jobs": "Jobs",
    "/reader_study?study=large": "My readings",
    "/reader_results?study=large": "Reader results",
    "/administration": "Administration",
}
# One figure of each page that has some: its key, the name of its files, and the title of an axis.
FIGURES = {
    "Overview": ("changes_chart", "large_overview_changes_sparsity-90", "Change of Somers"),
    "Class AP": (
        "curves_chart", "large_class_ap_curves_somers_d_corrected_sparsity-85", "Change of Somers",
    ),
    "Forgettability": (
        "fcd_heatmap", "large_forgettability_fcd_heatmap_somers_d_corrected", "FCD",
    ),
    "Safe sparsity": ("safety_chart", "large_safe_sparsity_safety_somers_d", "Sparsity"),
    "PIE browser": (
        "pie_class_chart", "large_pie_browser_pie_class_sparsity-90", "Share among PIEs",
    ),
}  # fmt: skip
# Content Web Vitals call good below 0.1, and poor above 0.25.
MOST_MOVEMENT = 0.1
SVG = "{http://www.w3.org/2000/svg}"
CHART_LETTERS = """
[...document.querySelectorAll(
  ".stPlotlyChart .cartesianlayer text, .stPlotlyChart .infolayer text"
)].filter(text => text.textContent.trim()).map(text => [
  text.textContent, getComputedStyle(text).fill, parseFloat(getComputedStyle(text).fontSize),
  getComputedStyle(document.querySelector(".stApp")).backgroundColor
])
"""
MOVEMENT = """
window.moved = [];
const named = ({ node, previousRect: a, currentRect: b }) =>
  `${node?.textContent?.slice(0, 30)}: ${a.x},${a.y} ${a.width}x${a.height} to ` +
  `${b.x},${b.y} ${b.width}x${b.height}`;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    if (!one.hadRecentInput) window.moved.push([one.value, one.sources.map(named)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


class Visited:
    """A page that was loaded in a browser of its own, once for all tests here."""

    def __init__(self, page: Page, address: str, path: str) -> None:
        self.page, self.title, self.complaints = page, PAGES[path], []
        page.add_init_script(MOVEMENT)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        visit(page, address + path, self.title)
        if self.title in FIGURES:
            drawn = f".st-key-{FIGURES[self.title][0]} .main-svg"
            page.wait_for_selector(drawn, timeout=PATIENCE)
        page.wait_for_timeout(500)  # what comes late moves what came early

    def _note(self, message) -> None:
        if message.type == "error" and not ASKED_TWICE.search(message.location.get("url", "")):
            self.complaints.append(message.text)

    def figure(self, key: str, kind: str) -> tuple[str, bytes]:
        """Name and content of a figure's file."""
        button = self.page.locator(f".st-key-{key}_files").get_by_role("button", name=kind)
        with self.page.expect_download(timeout=PATIENCE) as download:
            button.click()
        return download.value.suggested_filename, download.value.path().read_bytes()


@pytest.fixture(scope="module", params=list(PAGES), ids=list(PAGES.values()))
def visited(browser: Browser, app_address: str, request: pytest.FixtureRequest):
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme="dark")
    yield Visited(context.new_page(), app_address, request.param)
    context.close()


def test_nothing_moves_while_a_page_loads(visited: Visited) -> None:
    moved = visited.page.evaluate("window.moved")
    assert sum(share for share, _ in moved) < MOST_MOVEMENT, moved


def test_figures_are_taken_along_in_dark_ink_on_white(visited: Visited) -> None:
    if visited.title not in FIGURES:
        assert visited.page.locator(".js-plotly-plot").count() == 0
        return
    key, stem, axis = FIGURES[visited.title]
    name, svg = visited.figure(key, "SVG")
    assert name == f"{stem}.svg"
    root = ElementTree.fromstring(svg)
    said = " ".join(
        "".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")
    )
    assert axis in said
    assert "Study large: " in said, "which study, below the caption"
    heading = root.findtext("{http://www.w3.org/2000/svg}title")
    expect(visited.page.get_by_role("heading", name=heading)).to_be_visible()

    name, png = visited.figure(key, "PNG")
    assert name == f"{stem}.png"
    picture = Image.open(io.BytesIO(png)).convert("L")
    assert picture.width > 1800, "enough for print"
    assert picture.getpixel((3, 3)) == 255, "white ground though the page is dark"
    assert picture.getextrema()[0] < 60, "dark ink"
    share = picture.histogram()[255] / (picture.width * picture.height)
    assert 0.2 < share < 0.99, "something is drawn, and not everywhere"


def test_size_title_and_caption_of_a_figures_file_are_chosen(visited: Visited) -> None:
    if visited.title not in FIGURES:
        return
    key = FIGURES[visited.title][0]
    files = visited.page.locator(f".st-key-{key}_files")
    files.get_by_role("button", name="Size and title").click()
    files.get_by_label("Slide, 16:9").check()
    for part in ("Title", "Caption and source"):
        files.get_by_label(part, exact=True).uncheck()
    _, svg = visited.figure(key, "SVG")
    root = ElementTree.fromstring(svg)
    width, height = (float(root.get(side)) for side in ("width", "height"))
    assert width == 1248 + 32
    assert height < width
    said = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    assert root.findtext(f"{SVG}title") not in said
    assert "Study large: " not in said
    files.get_by_role("button", name="Size and title").click()  # a click elsewhere folds them
    files.get_by_label("As on this page").check()
    for part in ("Title", "Caption and source"):
        files.get_by_label(part, exact=True).check()
    visited.page.keyboard.press("Escape")


def faint(page: Page) -> list[list]:
    """Letters of charts that hardly stand out; colours go over into one another for a while."""
    return [one for one in page.evaluate(CHART_LETTERS) if contrast(one[1], one[3]) < 4.5]


def test_letters_of_charts_stand_out_in_dark_and_light(visited: Visited) -> None:
    for scheme in ("dark", "light"):
        show_in(visited.page, scheme)
        until(lambda: not faint(visited.page), told=lambda: faint(visited.page))
        for text, _, size, _ in visited.page.evaluate(CHART_LETTERS):
            assert size >= 12, (text, size)


def test_axe_finds_nothing_serious_in_dark_and_light(visited: Visited) -> None:
    for scheme in ("dark", "light"):
        show_in(visited.page, scheme)
        until(lambda: not serious(visited.page), told=lambda: serious(visited.page))


def test_a_narrow_window_has_every_control_and_does_not_scroll_sideways(visited: Visited) -> None:
    page, controls = (
        visited.page,
        visited.page.locator(".stMain [data-testid=stWidgetLabel]:visible"),
    )
    before, wide = page.viewport_size, set(controls.all_inner_texts())
    page.set_viewport_size({"width": 420, "height": 900})
    try:
        if visited.title == "PIE browser":
            page.locator(".st-key-show_filters label").click()
        page.wait_for_function(
            "document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth",
            timeout=PATIENCE,
        )
        settle(page)
        assert wide <= set(controls.all_inner_texts())
    finally:
        page.set_viewport_size(before)


def test_no_page_complains(visited: Visited) -> None:
    assert visited.complaints == []


def test_the_file_says_what_went_wrong_where_the_server_is_gone(
    page: Page, app_address: str
) -> None:
    visit(page, f"{app_address}/?study=toy&mean_ap=true", "Overview")
    page.wait_for_selector(".st-key-mean_ap_chart .main-svg", timeout=PATIENCE)
    page.route(re.compile("/plotly/"), lambda route: route.abort())
    files = page.locator(".st-key-mean_ap_chart_files")
    files.get_by_role("button", name="SVG").click()
    expect(files.get_by_text("No file could be made")).to_be_visible(timeout=PATIENCE)
    page.unroute(re.compile("/plotly/"))
    with page.expect_download(timeout=PATIENCE):
        files.get_by_role("button", name="SVG").click()
