"""The X-ray viewer in a real browser: what is drawn is what the window says, on paper too.

Windows begin at center 100, width 200 (or ten and twenty times that): a sample v is drawn as
255 (v - center + width / 2) / width, and 400 pixels of drag change by one whole width.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE, ROOT, wait_until_healthy
from tests.ports import free_port
from tests.waiting import stop, until

SHOWN = "[data-image='{}']"
SETTLED = (
    "document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]') !== null"
)


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[str]:
    """The viewer's own page, at the address given."""
    port = free_port()
    log = folder / "server.log"
    with open(log, "w") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "tests/e2e/viewer_app/app.py"),
                *("--server.headless", "true", "--server.port", str(port)),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


@pytest.fixture(scope="module")
def viewer_address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("viewer")) as address:
        yield address


def opened(page: Page, address: str, *names: str, also: str = "") -> None:
    page.goto(f"{address}/?images={','.join(names)}{also}")
    page.locator(".viewer .stage").wait_for(timeout=PATIENCE)


def shown(page: Page, name: str) -> None:
    page.locator(SHOWN.format(name)).wait_for(timeout=PATIENCE)


def middle(page: Page) -> int:
    """The grey drawn in the middle of the stage, two frames from now."""
    return page.locator(".viewer canvas").evaluate(
        """c => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
            const at = [Math.round(c.width / 2), Math.round(c.height / 2), 1, 1];
            done(c.getContext("2d").getImageData(...at).data[0]) })))"""
    )


def drag(page: Page, dx: int, dy: int) -> None:
    box = page.locator(".viewer .stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def corner(page: Page) -> str:
    middle(page)  # what a key changes is drawn with the next frame
    return page.locator(".note.window").text_content()


def test_a_sigmoid_window_is_drawn_as_one_until_another_is_chosen(page, viewer_address):
    """Sample 1000, center 700, width 1000: 255 / (1 + exp(-4 * 0.3)) = 196; evenly it were 204."""
    opened(page, viewer_address, "curved")
    shown(page, "curved")
    assert middle(page) == 196
    assert page.locator("select.presets").evaluate("s => s.selectedIndex") == 1
    drag(page, 200, 0)  # half a width wider: 255 / (1 + exp(-4 * 0.2))
    assert middle(page) == 176
    page.keyboard.press("r")
    assert middle(page) == 196
    page.keyboard.press("2")  # evenly from 450 to 950
    assert middle(page) == 255
    page.keyboard.press("1")
    assert middle(page) == 196


def test_dragging_and_keys_window_as_on_paper(page, viewer_address):
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    assert middle(page) == pytest.approx(255 * 100 / 200, abs=1)
    drag(page, 0, 100)  # level 150: 255 (100 - 50) / 200
    assert middle(page) == pytest.approx(64, abs=1)
    drag(page, 100, 0)  # width 250: 255 (100 - 25) / 250
    assert middle(page) == pytest.approx(76.5, abs=1)
    assert corner(page).startswith("W 250  L 150")
    page.keyboard.press("i")
    assert middle(page) == pytest.approx(255 - 76.5, abs=1)
    page.keyboard.press("r")
    assert middle(page) == pytest.approx(127.5, abs=1)
    page.keyboard.press("w")  # a twentieth of the width: level 110
    assert middle(page) == pytest.approx(255 * 90 / 200, abs=1)
    page.keyboard.press("2")  # width 100
    assert corner(page).startswith("W 100  L 100")
    assert page.get_by_label("Window preset").input_value() == "2 Narrow"


def test_sixteen_bits_are_windowed_from_full_depth(page, viewer_address):
    opened(page, viewer_address, "deep")
    shown(page, "deep")
    assert middle(page) == pytest.approx(255 * 1000 / 4000, abs=1)


def test_zoom_fit_and_actual_pixels(page, viewer_address):
    opened(page, viewer_address, "wide")
    shown(page, "wide")
    stage = page.locator(".viewer .stage")
    box = stage.bounding_box()
    fitted = round(100 * min(box["width"] / 128, box["height"] / 64))
    assert corner(page).endswith(f"{fitted} %")
    expect(page.locator(".note.source")).to_have_text(
        "source 128 × 64 px, shown enlarged and smoothed"  # noqa: RUF001
    )
    stage.focus()
    page.keyboard.press("0")
    expect(page.locator(".note.window")).to_contain_text("100 %")
    expect(page.locator(".note.source")).to_have_text("source 128 × 64 px")  # noqa: RUF001
    page.keyboard.press("+")
    expect(page.locator(".note.window")).to_contain_text("125 %")
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -200)
    expect(page.locator(".note.window")).to_contain_text("186 %")
    stage.dblclick(position={"x": 20, "y": 300})
    expect(page.locator(".note.window")).to_contain_text(f"{fitted} %")


def test_keys_step_in_order_and_the_page_follows(page, viewer_address):
    opened(page, viewer_address, "grey100", "grey50", "deep", "wide")
    shown(page, "grey100")
    page.locator(".viewer .stage").focus()
    drag(page, 0, 100)
    page.keyboard.press("ArrowRight")
    shown(page, "grey50")
    assert middle(page) == pytest.approx(255 * 50 / 200, abs=1), "a new image has its own window"
    page.keyboard.press("j")
    page.keyboard.press("PageDown")
    shown(page, "wide")
    expect(page.get_by_text("page at wide")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".viewer .caption")).to_have_text("4 of 4")
    expect(page.locator(".viewer [data-do=next]")).to_be_disabled()
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    shown(page, "grey50")
    page.keyboard.press("l")
    drag(page, 0, 100)
    page.keyboard.press("ArrowLeft")
    shown(page, "grey100")
    assert middle(page) == pytest.approx(64, abs=1), "kept: level 150, width 200"
    expect(page.get_by_text("page at grey100")).to_be_visible(timeout=PATIENCE)


def test_steps_faster_than_the_page_follows_do_not_end_it(page, viewer_address):
    """Streamlit once named messages here that the browser had just forgotten: the page was dead."""
    opened(page, viewer_address, "grey100", "grey50", "deep", "wide")
    shown(page, "grey100")
    page.locator(".viewer .stage").focus()
    for key in "jjjkkk" * 10:
        page.keyboard.press(key)
        page.wait_for_timeout(20)
    expect(page.locator(".viewer .caption")).to_have_text(re.compile(r"\d of 4"), timeout=PATIENCE)
    page.wait_for_function(SETTLED, timeout=PATIENCE)
    page.locator(".viewer .stage").press("k")
    for _ in range(3):  # from wherever it is, the last image is no further
        page.keyboard.press("j")
        page.wait_for_function(SETTLED, timeout=PATIENCE)
        page.wait_for_timeout(300)
    expect(page.get_by_text("page at wide")).to_be_visible(timeout=PATIENCE)
    shown(page, "wide")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_pages_slider_leaves_window_zoom_and_image_alone(page, viewer_address):
    asked = []
    page.on("request", lambda r: "/xray/" in r.url and asked.append(r.url))
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    drag(page, 40, 100)
    page.keyboard.press("+")
    before, grey = corner(page), middle(page)
    page.get_by_role("slider").press("ArrowLeft")
    expect(page.get_by_text("slider at 85")).to_be_visible(timeout=PATIENCE)
    assert (corner(page), middle(page)) == (before, grey)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("expired", "This address has expired"), ("broken", "This image cannot be read")],
)
def test_a_failure_is_a_card_and_the_next_image_still_shows(page, viewer_address, name, words):
    opened(page, viewer_address, name, "grey100")
    expect(page.locator(".viewer .card")).to_contain_text(words, timeout=PATIENCE)
    page.locator(".viewer .stage").focus()
    for key in ("i", "r", "1", "+", "w"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    shown(page, "grey100")
    expect(page.locator(".viewer .card")).to_be_hidden()


def test_another_source_shows_its_own_images_under_the_same_names(page, viewer_address):
    opened(page, viewer_address, "grey100,deep&other=grey50,deep")
    shown(page, "grey100")
    assert middle(page) == pytest.approx(127.5, abs=1)
    page.get_by_text("other", exact=True).click()
    expect(page.locator(".viewer canvas")).to_be_visible()
    page.wait_for_function(SETTLED)
    shown(page, "grey100")
    assert middle(page) == pytest.approx(255 * 50 / 200, abs=1)


def test_a_step_taken_just_before_the_source_changes_goes_with_it(page, viewer_address):
    opened(page, viewer_address, "grey100,grey50&other=wide,deep")
    shown(page, "grey100")
    page.locator(".viewer .stage").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("other", exact=True).evaluate("label => label.click()")
    page.wait_for_function(SETTLED)

    def as_the_other_source_has_it() -> bool:
        image = page.locator(".viewer .stage").get_attribute("data-image")  # none meanwhile
        greys = {"grey100": 255, "grey50": 255 / 4}
        return image in greys and middle(page) == pytest.approx(greys[image], abs=1)

    until(as_the_other_source_has_it)


def test_a_picture_in_place_of_samples_is_shown_as_it_is(page, viewer_address):
    opened(page, viewer_address, "png")
    shown(page, "png")
    assert middle(page) == pytest.approx(77, abs=1)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious_and_a_narrow_page_holds_it(page, viewer_address, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 420, "height": 900})
    opened(page, viewer_address, "grey100", "grey50")
    shown(page, "grey100")
    page.locator(".viewer .stage").focus()
    page.keyboard.press("?")
    expect(page.locator(".viewer .help")).to_be_visible()
    found = Axe().run(page, {"include": [[".stBidiComponent"]]}).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    width = page.locator(".viewer").evaluate("v => v.scrollWidth - v.clientWidth")
    assert width <= 0
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.evaluate("!document.activeElement.shadowRoot?.activeElement")


def test_the_next_image_is_there_before_anybody_steps_to_it(page, viewer_address):
    """So a step waits for no server. How long it takes is printed."""
    asked, arrived = [], []
    page.on("request", lambda r: "/xray/" in r.url and asked.append(r.url))
    page.on("requestfinished", lambda r: "/xray/" in r.url and arrived.append(r.url))
    names = [f"large{seed}" for seed in range(5)]
    opened(page, viewer_address, *names)
    taken = []
    for number, name in enumerate(names, start=1):
        shown(page, name)
        stage = page.locator(".viewer .stage")
        taken.append(float(stage.get_attribute("data-ms")))
        n_wanted = min(number + 1, len(names))
        until(lambda n=n_wanted: page.evaluate("1") and len(arrived) >= n, told=lambda: arrived)
        stage.focus()
        page.keyboard.press("ArrowRight")
    assert len(asked) == len(set(asked)) == len(names), "each once"
    print(f"1,024 x 1,024, 16 bit: shown after {taken[0]:.0f} ms; fetched ahead: {taken[1:]} ms")
