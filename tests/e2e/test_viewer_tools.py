"""A radiologist at the X-ray viewer in a real browser: the picture is the standard's, the right
way round and in proportion; it is measured, turned, compared, and fills the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from core.pictures.images import read_grey
from tests.dicoms import write_dicom
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_viewer import corner, drag, middle, opened, serving, shown
from tests.renderings import linear, sigmoid
from tests.waiting import until

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
TWELVE = {"BitsStored": 12}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dicom")
    padded = RAMP.astype(np.int16)
    padded[:4] = -2000
    write_dicom(
        folder / "padded.dcm", padded, PixelPaddingValue=-2000, WindowCenter=1500,
        WindowWidth=5000, BitsStored=16,
    )  # fmt: skip
    write_dicom(
        folder / "sigmoid.dcm", RAMP, WindowCenter=1500, WindowWidth=900,
        VOILUTFunction="SIGMOID", PhotometricInterpretation="MONOCHROME1", **TWELVE,
    )  # fmt: skip
    write_dicom(
        folder / "hu.dcm", RAMP, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU",
        WindowCenter=[40, -600], WindowWidth=[100, 1500],
        WindowCenterWidthExplanation=["MEDIASTINUM", "LUNG"], **TWELVE,
    )  # fmt: skip
    marked = np.full((64, 64), 40, np.uint8)
    marked[:, 32:] = 200  # brighter on the right of what is stored
    write_dicom(folder / "from-behind.dcm", marked, PatientOrientation=["R", "F"])
    square = np.zeros((60, 30), np.uint8)
    square[20:40, 10:20] = 255
    write_dicom(folder / "square.dcm", square, PixelSpacing=[1, 2])
    return folder


@pytest.fixture(scope="module")
def viewer_address(files, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("viewer"), VIEWER_FILES=str(files)) as address:
        yield address


def drawn(page: Page, pane: int = 0) -> np.ndarray:
    """The greys of a pane's canvas, two frames from now."""
    flat, width = (
        page.locator(".viewer canvas")
        .nth(pane)
        .evaluate(
            """c => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
            const all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            done([Array.from(all.filter((_, i) => i % 4 === 0)), c.width]) })))"""
        )
    )
    return np.array(flat).reshape(-1, width)


def at_its_own_size(page: Page, size: int = 64) -> np.ndarray:
    page.locator(".viewer .stage").focus()
    page.keyboard.press("0")
    whole = drawn(page)
    top, left = (round(side / 2 - size / 2) for side in whole.shape)
    return whole[top : top + size, left : left + size]


@pytest.mark.parametrize("name", ["padded", "sigmoid", "hu", "from-behind"])
def test_the_first_view_is_pixel_for_pixel_the_models_picture(page, viewer_address, files, name):
    opened(page, viewer_address, f"{name}.dcm")
    shown(page, f"{name}.dcm")
    found = at_its_own_size(page)
    assert np.abs(found - read_grey(files / f"{name}.dcm").astype(int)).max() <= 1
    if name == "padded":
        expected = linear(RAMP[4:].astype(float), 1500, 5000)
        assert not found[:4].any()
        assert np.abs(found[4:] - 255 * expected).max() <= 1
    if name == "sigmoid":
        expected = 1 - sigmoid(RAMP.astype(float), 1500, 900)
        assert np.abs(found - 255 * expected).max() <= 1


def test_a_square_of_oblong_pixels_is_square_on_screen(page, viewer_address):
    opened(page, viewer_address, "square.dcm")
    shown(page, "square.dcm")
    white = np.argwhere(drawn(page) > 127)
    height, width = np.ptp(white, axis=0) + 1
    assert height == pytest.approx(width, abs=2)
    assert height > 100


def test_the_window_reads_as_the_file_says_it(page, viewer_address):
    opened(page, viewer_address, "hu.dcm")
    shown(page, "hu.dcm")
    assert corner(page).startswith("W 100  L 40 HU")
    names = page.locator("select.presets option").all_text_contents()
    assert names[1:4] == ["1 MEDIASTINUM", "2 LUNG", "3 Full range"]
    page.locator(".viewer .stage").focus()
    page.keyboard.press("2")
    assert corner(page).startswith("W 1500  L -600 HU")


def test_an_image_from_behind_is_shown_from_the_front_and_can_be_mirrored(page, viewer_address):
    opened(page, viewer_address, "from-behind.dcm")
    shown(page, "from-behind.dcm")

    def sides():
        return [page.locator(f".side.{one}").text_content() for one in ("left", "right", "top")]

    assert sides() == ["R", "L", "H"]
    found = at_its_own_size(page)
    assert (found[32, 5], found[32, 60]) == (200, 40), "the patient's right is on the left"
    expect(page.locator(".note.badge")).to_be_empty()
    page.keyboard.press("h")
    expect(page.locator(".note.badge")).to_have_text("Mirrored")
    assert sides() == ["L", "R", "H"]
    found = at_its_own_size(page)
    assert (found[32, 5], found[32, 60]) == (40, 200)
    page.get_by_role("button", name="Turn", exact=True).click()
    expect(page.locator(".note.badge")).to_have_text("Mirrored, turned 90°")
    page.keyboard.press("r")
    expect(page.locator(".note.badge")).to_be_empty()
    assert sides() == ["R", "L", "H"]


def test_an_image_of_unknown_orientation_bears_no_letters(page, viewer_address):
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    assert page.locator(".side").all_text_contents() == [""] * 4


def test_the_ruler_measures_millimetres_and_says_where(page, viewer_address):
    """At 1:1, 50 pixels of 0.5 mm at the detector; without a size in the file, pixels."""
    opened(page, viewer_address, "wide", "grey100")
    shown(page, "wide")
    page.locator(".viewer .stage").focus()
    page.keyboard.press("0")
    page.keyboard.press("m")
    drag(page, 50, 0)
    pane = page.locator(".viewer .pane")
    expect(pane).to_have_attribute("data-length", "25.0 mm at the detector")
    expect(page.locator(".viewer .status")).to_contain_text("25.0 mm at the detector")
    drag(page, 30, 40)
    expect(pane).to_have_attribute("data-length", "25.0 mm at the detector")
    page.keyboard.press("o")  # a turn changes no length
    drag(page, 0, 20)
    expect(pane).to_have_attribute("data-length", "10.0 mm at the detector")
    assert "W 200  L 100" in corner(page), "the ruler leaves the window alone"
    page.keyboard.press("ArrowRight")
    shown(page, "grey100")
    page.keyboard.press("0")
    drag(page, 20, 0)
    expect(pane).to_have_attribute("data-length", "20 px (size not in the file)")


def test_the_right_button_windows_whatever_the_tool(page, viewer_address):
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    page.get_by_role("button", name="Ruler").click()
    box = page.locator(".viewer .stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 100, y + 100, steps=4)
    page.mouse.up(button="right")
    assert corner(page).startswith("W 250  L 150")
    assert page.locator(".viewer .pane").get_attribute("data-length") is None


def test_the_wheel_zooms_at_once(page, viewer_address):
    """Nothing was clicked before."""
    opened(page, viewer_address, "wide")
    shown(page, "wide")
    before = corner(page)
    box = page.locator(".viewer .stage").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -200)
    expect(page.locator(".note.window")).not_to_have_text(before)


def test_the_magnifier_enlarges_what_is_under_the_pointer(page, viewer_address):
    opened(page, viewer_address, "square.dcm")
    shown(page, "square.dcm")
    page.locator(".viewer .stage").focus()
    page.keyboard.press("0")
    size = (drawn(page) > 127).sum()
    page.keyboard.press("z")
    box = page.locator(".viewer .stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert (drawn(page) > 127).sum() > 4 * size
    page.keyboard.press("Escape")
    assert (drawn(page) > 127).sum() == size


def test_an_earlier_xray_stands_beside_and_is_zoomed_together(page, viewer_address):
    opened(page, viewer_address, "grey100", "deep", also="&priors=grey50,wide")
    shown(page, "grey100")
    page.get_by_label("Compare with another X-ray").select_option("earlier: grey50")
    pair = page.locator(".viewer .pane")
    expect(pair).to_have_count(2)
    shown(page, "grey50")
    expect(pair.nth(1).locator(".corner")).to_have_text("earlier: grey50")
    for pane, grey in enumerate((127.5, 64)):
        greys = drawn(page, pane)
        found = greys[greys.shape[0] // 2, greys.shape[1] // 2]
        assert found == pytest.approx(grey, abs=1)

    def percents() -> set[str]:
        drawn(page)  # what a key changes is drawn with the next frame
        notes = page.locator(".note.window").all_text_contents()
        return {note.split("·")[1] for note in notes}

    page.keyboard.press("+")
    assert len(percents()) == 1
    page.get_by_role("button", name="Zoom together").click()
    page.keyboard.press("+")
    until(lambda: len(percents()) == 2)
    pair.nth(1).click()  # what follows is done to the other one
    page.keyboard.press("i")
    assert drawn(page, 1)[200, 100] == pytest.approx(255 - 64, abs=1)
    page.keyboard.press("a")

    def windows() -> set[str]:
        drawn(page)
        notes = page.locator(".note.window").all_text_contents()
        return {note.split("\u00b7")[0] for note in notes}

    until(lambda: len(windows()) == 1)
    page.get_by_role("button", name="Window together").click()
    page.keyboard.press("d")
    until(lambda: len(windows()) == 2)
    page.keyboard.press("ArrowRight")  # the next image has others to compare with
    expect(pair).to_have_count(1)
    shown(page, "deep")


def test_without_other_xrays_there_is_nothing_to_compare(page, viewer_address):
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    expect(page.locator("select.others")).to_be_hidden()
    page.locator(".viewer .stage").focus()
    page.keyboard.press("c")
    expect(page.locator(".viewer .pane")).to_have_count(1)


def test_full_screen_is_the_xray_and_its_bar(page, viewer_address):
    page.set_viewport_size({"width": 1400, "height": 900})
    opened(page, viewer_address, "grey100")
    shown(page, "grey100")
    page.locator(".viewer .stage").focus()
    page.keyboard.press("g")
    page.wait_for_function("document.fullscreenElement !== null", timeout=PATIENCE)
    stage = page.locator(".viewer .stage")
    until(lambda: (box := stage.bounding_box())["width"] >= 1380 and box["height"] >= 840)
    page.keyboard.press("i")
    assert middle(page) == pytest.approx(127.5, abs=1)
    page.keyboard.press("g")
    page.wait_for_function("document.fullscreenElement === null", timeout=PATIENCE)


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (1920, 1080)])
def test_the_stage_takes_the_height_of_the_window(page, viewer_address, width, height):
    page.set_viewport_size({"width": width, "height": height})
    opened(page, viewer_address, "grey100", also="&tall=1")
    shown(page, "grey100")
    box = page.locator(".viewer .stage").bounding_box()
    assert box["height"] == pytest.approx(min(height - 184, 1.3 * box["width"]), abs=2)
