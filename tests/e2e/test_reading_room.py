"""The reading room as its people use it: a clinician, a reader and a researcher, who sign in with a
real provider, in a real browser."""

import re
import shutil

import numpy as np
import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom.data import get_testdata_file

from core.people import audit
from core.reader_study import database, design, readings
from core.study import paths
from core.study.labels import Labels
from tests import page_studies
from tests.e2e.conftest import PATIENCE
from tests.e2e.oidc import ROLES, provider, running_app
from tests.e2e.test_reader_study import image_in_view, press
from tests.e2e.test_sign_in import shown, sign_in, usable
from tests.reader_study.toy_readings import FIRST
from tests.toys import TOY_CLASSES, toy_config, toy_labels

ADMIN, RESEARCHER, READER = ROLES
N_STEPS = 10
N_READINGS = 10
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
# Computed, direct and mammographic radiography, tomography; plain, RLE, JPEG, JPEG-LS, JPEG 2000,
# 8 to 16 bits, MONOCHROME1, colour. The last two cannot be read.
DICOM = (
    "dicomdirtests/77654033/CR1/6154",
    "dicomdirtests/77654033/CT2/17106",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "693_J2KI.dcm",
    "JPGExtended.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_truncated.dcm",
    "SC_rgb_rle_2frame.dcm",
)
N_BROKEN = 2


def write_tail_study() -> None:
    """Hernias are rare in training and common in testing, so that many PIEs are of the tail."""
    labels = toy_labels(1200)
    table = labels.table.copy()
    test = np.flatnonzero(table["split"] == "test")
    table["Hernia"] = 0
    table.loc[[0, 1, *test[::2]], ["Hernia", "No Finding"]] = 1, 0  # one to train on
    config = toy_config("tail", paths.cache_dir() / "tail-images")
    page_studies.write_study(config, Labels(table, TOY_CLASSES), (48, 64))
    page_studies.with_validation(paths.study_dir(config))


def write_dicom_study() -> None:
    """pydicom's own test files as a `table` dataset; every one of them is a test image."""
    folder = paths.cache_dir() / "dicom-images"
    folder.mkdir()
    labels = toy_labels(40)
    table = labels.table.copy()
    test = table.index[table["split"] == "test"][: len(DICOM)]
    for row, name in zip(test, DICOM, strict=True):
        path = folder / name.replace("/", "-")
        shutil.copy(str(get_testdata_file(name, download=False)), path)
        table.loc[row, ["image_id", "path"]] = path.name
    kept = table[(table["split"] == "train") | table.index.isin(test)].reset_index(drop=True)
    config = toy_config("dicom", folder)
    page_studies.write_study(config, Labels(kept, TOY_CLASSES))


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reading-room")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        patch.delenv("PRUNESCOPE_READER_DATABASE", raising=False)
        write_tail_study()
        write_dicom_study()
        with provider(3600) as clinic, running_app(folder, {"clinic": clinic}) as app:
            yield app


def drawn(page: Page) -> str:
    """All pixels of the viewer's canvas, two frames from now."""
    return page.locator(".viewer canvas").evaluate(
        """c => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>
            done(c.toDataURL()))))"""
    )


def test_a_clinician_looks_through_the_tails_pies(page, room):
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(f"{room.address}/pie_browser?study=tail")
    page.get_by_role("button", name="More", exact=True).click(timeout=PATIENCE)
    page.get_by_test_id("stButtonGroup").get_by_text("tail", exact=True).click(timeout=PATIENCE)
    counts = page.locator(".st-key-counts")
    expect(counts).to_contain_text("tail", timeout=PATIENCE)
    expect(counts.get_by_role("button", name="Reset all filters")).to_be_visible()
    page.wait_for_selector(IDLE)
    n = int(re.search(r"\d+", counts.inner_text())[0])
    assert n > N_STEPS
    cards = page.locator(".st-key-gallery figure")
    expect(cards).to_have_count(min(n, 24))
    assert all("Hernia" in text for text in cards.all_inner_texts())
    names = [
        re.sub("^X-ray ", "", card.get_attribute("alt")) for card in cards.locator("img").all()
    ]
    page.locator(".st-key-gallery .ps-card").first.get_by_role("link").click()
    stage = page.locator(".viewer .stage")
    expect(stage).to_have_attribute("data-image", names[0], timeout=PATIENCE)
    before = drawn(page)
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 190, box["y"] + 250, steps=4)
    page.mouse.up()
    assert drawn(page) != before
    inspector = page.locator(".st-key-inspector")
    for position, name in enumerate(names[1 : N_STEPS + 1], start=2):
        page.keyboard.press("ArrowRight")  # the drag has left the focus in the viewer
        expect(stage).to_have_attribute("data-image", name, timeout=PATIENCE)
        expect(inspector.get_by_text(f"{position} of {n}", exact=True)).to_be_visible(
            timeout=PATIENCE
        )
        expect(inspector.locator(".ps-named b")).to_have_text(name)
        assert f"image={name}" in page.url
    page.wait_for_selector(IDLE)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    usable(page)


def test_an_opened_xray_is_in_view_in_the_address_and_in_the_log(page, room, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(room.cache))
    page.set_viewport_size({"width": 1400, "height": 1000})
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(f"{room.address}/pie_browser?study=tail&sort=Lowest agreement")
    card = page.locator(".st-key-gallery .ps-card").nth(1)
    name = card.locator("img").get_attribute("alt", timeout=PATIENCE).removeprefix("X-ray ")
    page.wait_for_selector(IDLE)
    stage, inspector = page.locator(".viewer .stage"), page.locator(".st-key-inspector")
    expect(stage).to_be_hidden()

    def is_open() -> None:
        expect(stage).to_have_attribute("data-image", name, timeout=PATIENCE)
        expect(stage).to_be_in_viewport(ratio=0.95)
        expect(inspector.locator(".ps-named b")).to_have_text(name, timeout=PATIENCE)
        expect(page.locator(".st-key-gallery .ps-open")).to_have_count(1)
        expect(page.locator(".st-key-gallery .ps-way[aria-current=true]")).to_have_count(1)

    def opened() -> list[str]:
        return [line["image"] for line in audit.lines() if line["what"] == "x-ray opened"]

    assert name not in opened()
    card.get_by_role("link").click()
    is_open()
    expect(page).to_have_url(re.compile(f"image={name}"))
    assert next(line["who"] for line in audit.lines() if line.get("image") == name) == RESEARCHER
    assert name in opened()
    page.go_back()
    expect(stage).to_be_hidden(timeout=PATIENCE)
    page.go_forward()
    is_open()
    page.reload()
    is_open()
    page.wait_for_selector(IDLE)
    page.get_by_role("button", name="Close").click()
    expect(stage).to_be_hidden(timeout=PATIENCE)
    expect(card.get_by_role("link")).to_be_focused()
    assert "image=" not in page.url
    expect(page.locator(".st-key-filters")).to_be_visible()


def test_a_saved_view_is_found_again_by_its_owner_alone(page, room):
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(f"{room.address}/pie_browser?study=tail&group=tail&sort=Patient")
    saved, counts = page.locator(".st-key-saved-views"), page.locator(".st-key-counts")
    expect(counts).to_contain_text("Group tail", timeout=PATIENCE)
    page.wait_for_selector(IDLE)
    saved.get_by_role("button").click()
    page.get_by_label("Name for this view").fill("Tail by patient")
    page.get_by_role("button", name="Save it").click()
    expect(page.get_by_text("Saved: Tail by patient.")).to_be_visible(timeout=PATIENCE)
    page.goto(f"{room.address}/pie_browser?study=tail")
    expect(counts).to_be_visible(timeout=PATIENCE)
    expect(counts).not_to_contain_text("Group tail")
    page.wait_for_selector(IDLE)
    saved.get_by_role("button").click()
    page.get_by_role("button", name="Tail by patient", exact=True).click()
    expect(counts).to_contain_text("Group tail", timeout=PATIENCE)
    expect(page).to_have_url(re.compile("sort=patient"))
    page.context.clear_cookies()
    sign_in(page, room.address, ADMIN)
    shown(page, "Overview")
    page.goto(f"{room.address}/pie_browser?study=tail")
    expect(counts).to_be_visible(timeout=PATIENCE)
    page.wait_for_selector(IDLE)
    saved.get_by_role("button").click()
    expect(page.get_by_text("No view of this study is saved yet")).to_be_visible(timeout=PATIENCE)


def read(page: Page, number: int) -> None:
    image_in_view(page, number, N_READINGS)
    press(page, "label_correct", "yn"[number % 2])
    press(page, "image_quality", str(1 + number % 5))
    press(page, "difficulty", str(1 + number % 3))


def test_a_reader_finishes_ten_readings_though_the_server_is_killed(page, room, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(room.cache))
    folder = paths.study_dir(toy_config("tail", room.cache / "tail-images"))
    asked = design.plan(name="ten", readers=(READER,), n_pies=5, n_non_pies=5, **FIRST)
    of = database.create(folder, asked, RESEARCHER)
    sign_in(page, room.address, READER)
    for number in range(1, 5):
        read(page, number)
    image_in_view(page, 5, N_READINGS)
    press(page, "label_correct", "y")
    room.kill()
    room.start()
    page.goto(f"{room.address}/reader_study")  # the cookie is good still
    image_in_view(page, 5, N_READINGS)
    expect(page.get_by_text(f"4 of {N_READINGS} answered")).to_be_visible()
    expect(page.locator("[class*='-label_correct'] button[kind=primary]")).to_have_text(
        re.compile("Yes")
    )
    usable(page)
    press(page, "image_quality", "1")
    press(page, "difficulty", "3")
    for number in range(6, N_READINGS + 1):
        read(page, number)
    expect(page.get_by_text(f"{N_READINGS} of {N_READINGS} answered")).to_be_visible(
        timeout=PATIENCE
    )
    known = readings.sheet(of, READER)
    given = [tuple(known.given[position].values()) for position in known.order]
    assert given[4] == (1, 1, 3)
    assert given[:4] + given[5:] == [
        (int("yn"[n % 2] == "y"), 1 + n % 5, 1 + n % 3) for n in range(1, 11) if n != 5
    ]
    # Whoever only reads sees no PIE page, whatever address they type.
    page.goto(f"{room.address}/pie_browser?study=tail")
    shown(page, "This page is not for you")
    assert page.locator(".ps-xray, .viewer").count() == 0
    page.context.clear_cookies()
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(f"{room.address}/reader_results?study=tail")
    expect(page.get_by_text(f"30 answers of 1 reader about {N_READINGS} images")).to_be_visible(
        timeout=PATIENCE
    )
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)
    page.wait_for_selector(IDLE)
    usable(page)


def test_dicom_files_open_and_a_broken_one_is_a_card(page, room):
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(
        f"{room.address}/pie_browser?study=dicom&definition=Every test image&sort=Test-set order"
    )
    cards = page.locator(".st-key-gallery figure img")
    expect(cards).to_have_count(len(DICOM), timeout=PATIENCE)
    page.wait_for_selector(IDLE)
    names = [re.sub("^X-ray ", "", card.get_attribute("alt")) for card in cards.all()]
    assert names == [name.replace("/", "-") for name in DICOM]
    page.locator(".st-key-gallery .ps-card").first.get_by_role("link").click()
    stage, card = page.locator(".viewer .stage"), page.locator(".viewer .card")
    stage.wait_for(timeout=PATIENCE)
    stage.focus()
    for number, name in enumerate(names):
        expect(stage).to_have_attribute("data-image", name, timeout=PATIENCE)
        if number < len(DICOM) - N_BROKEN:
            expect(card).to_be_hidden()
            greys = stage.locator("canvas").evaluate(
                """c => new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height)
                    .data).size"""
            )
            assert greys > 20, f"{name} is blank"
        else:
            expect(card).to_contain_text("This image cannot be read")
        expect(page.locator(".st-key-inspector .ps-named b")).to_have_text(name, timeout=PATIENCE)
        stage.focus()
        page.keyboard.press("ArrowRight")
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def test_a_radiologist_measures_mirrors_windows_and_compares(page, room):
    """A computed tomogram, whose file says how large its pixels are, and another of the patient."""
    name, other = (one.replace("/", "-") for one in DICOM[1::-1])
    spacing = float(pydicom.dcmread(get_testdata_file(DICOM[1], download=False)).PixelSpacing[1])
    sign_in(page, room.address, RESEARCHER)
    shown(page, "Overview")
    page.goto(f"{room.address}/pie_browser?study=dicom&definition=Every test image&image={name}")
    stage, pane = page.locator(".viewer .stage"), page.locator(".viewer .pane")
    expect(stage).to_have_attribute("data-image", name, timeout=PATIENCE)
    page.wait_for_selector(IDLE)
    stage.focus()
    page.keyboard.press("0")
    page.keyboard.press("m")
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 50, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=4)
    page.mouse.up()
    expect(pane).to_have_attribute("data-length", f"{100 * spacing:.1f} mm")
    window = page.locator(".note.window").inner_text()
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 40, y + 20, steps=4)
    page.mouse.up(button="right")
    expect(page.locator(".note.window")).not_to_have_text(window)
    page.keyboard.press("h")
    expect(page.locator(".note.badge")).to_have_text("Mirrored")
    page.keyboard.press("c")
    expect(pane).to_have_count(2)
    expect(pane.nth(1)).to_have_attribute("data-image", other, timeout=PATIENCE)
    page.keyboard.press("g")
    page.wait_for_function("document.fullscreenElement !== null", timeout=PATIENCE)
    for one in pane.all():
        assert one.bounding_box()["height"] > 0.8 * page.evaluate("innerHeight")
