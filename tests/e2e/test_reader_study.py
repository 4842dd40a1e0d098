"""A reader at the keyboard, a server that is killed under their hands, and the results."""

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from core.reader_study import readings, results
from core.ui.reader_study.room import SLIP_SECONDS
from tests.e2e.conftest import PATIENCE, ROOT, wait_until_healthy
from tests.ports import free_port
from tests.reader_study.toy_readings import answer_all, write_reader_study

KEYS = [("y", "4", "2"), ("n", "5", "1"), ("y", "3", "5"), ("n", "1", "4"), ("y", "2", "3")]


class Server:
    """`streamlit run app.py` on one port, to be killed and started again."""

    def __init__(self, cache):
        self.port, self.cache, self.process = free_port(), cache, None
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self):
        log = self.cache / "server.log"
        command = (sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true")
        with open(log, "a") as output:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env=os.environ | {"PRUNESCOPE_CACHE": str(self.cache)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until_healthy(self.address, self.process, log)

    def kill(self):
        self.process.kill()  # SIGKILL
        self.process.wait()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    monkeypatch.delenv("PRUNESCOPE_READER_DATABASE", raising=False)
    running = Server(tmp_path)
    yield running
    if running.process:
        running.kill()


def image_in_view(page: Page, number: int, n_images: int) -> None:
    expect(
        page.get_by_role("heading", name=f"Image {number} of {n_images}", level=1)
    ).to_be_visible(timeout=PATIENCE)
    drawn = page.locator(f".stage[data-image='image {number} of {n_images}']")
    expect(drawn).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Yes").wait_for(timeout=PATIENCE)


def press(page: Page, question: str, key: str) -> None:
    """One key, once the page asks this and no sooner than a person could, until it is kept."""
    asked = page.locator(f".st-key-asked-{question}")
    expect(asked).to_be_visible(timeout=PATIENCE)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(1000 * SLIP_SECONDS + 50)
    page.keyboard.press(key)
    expect(asked).not_to_be_visible(timeout=PATIENCE)


def read_by_keyboard(page: Page, number: int, keys: tuple[str, str, str]) -> None:
    """The third key brings the next image."""
    image_in_view(page, number, 12)
    press(page, "label_correct", keys[0])
    press(page, "image_quality", keys[1])
    press(page, "difficulty", keys[2])


def test_ten_readings_by_keyboard_through_a_killed_server(server, page):
    of = write_reader_study(readers=("local", "ada@clinic.org"), n_pies=6, n_non_pies=6)
    answer_all(of, "ada@clinic.org")
    server.start()
    page.goto(f"{server.address}/reader_study")
    for number in range(1, 6):
        read_by_keyboard(page, number, KEYS[number - 1])
    image_in_view(page, 6, 12)
    press(page, "label_correct", "n")
    server.kill()
    server.start()
    page.goto(f"{server.address}/reader_study")
    image_in_view(page, 6, 12)
    expect(page.get_by_text("5 of 12 answered")).to_be_visible()
    expect(page.locator("[class*='-label_correct'] button[kind=primary]")).to_have_text(
        re.compile("No")
    )
    press(page, "image_quality", "5")
    press(page, "difficulty", "1")
    for number in range(7, 11):
        read_by_keyboard(page, number, KEYS[number - 6])
    image_in_view(page, 11, 12)
    known = readings.sheet(of, "local")
    given = [known.given[position] for position in known.order[:10]]
    pressed = [*KEYS, ("n", "5", "1"), *KEYS[1:]]
    assert [tuple(answers.values()) for answers in given] == [
        (int(yes == "y"), int(quality), int(difficulty)) for yes, quality, difficulty in pressed
    ]
    history = results.history_table(of)
    assert (history["reader"] == "reader 1").sum() == 30, "nothing lost, nothing twice"
    assert results.answer_table(of).query("reader == 'reader 1'")["seconds"].between(0.5, 60).all()
    page.goto(f"{server.address}/reader_results")
    expect(page.get_by_text("66 answers of 2 readers about 12 images")).to_be_visible(
        timeout=PATIENCE
    )
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)


def test_on_a_phone_xray_and_answers_are_in_view_together(server, browser):
    """Labels asked one by one; and no address in the page says of which study or image it is."""
    of = write_reader_study(readers=("anna",), form="labels")
    server.start()
    page = browser.new_page(viewport={"width": 420, "height": 800})
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{server.address}/reader_study")
    page.get_by_label("Your name").fill("Anna")
    page.get_by_role("button", name="Read").click()
    image_in_view(page, 1, 10)
    stage = page.locator(".stage").bounding_box()
    last = page.locator("[class*='-difficulty'] button").last.bounding_box()
    assert stage["y"] > 0
    assert stage["height"] > 200
    assert last["y"] + last["height"] <= 800
    xrays = [url for url in fetched if "/xray/" in url]
    assert xrays
    assert not any(re.search(rf"{of.study_id}|image-|anna", url) for url in xrays)
    page.close()


@pytest.mark.parametrize("pause", [100, 200, 400])
def test_keys_faster_than_the_page_answer_the_image_they_were_pressed_for(server, page, pause):
    of = write_reader_study(readers=("local",), n_pies=3, n_non_pies=3)
    server.start()
    page.goto(f"{server.address}/reader_study")
    seen = 1000 * SLIP_SECONDS + 600
    for number, keys in enumerate(KEYS, start=1):
        image_in_view(page, number, 6)
        page.wait_for_timeout(seen)
        # The last three of the last image come before the next one can be seen.
        for key in (*keys, *("nnn" if number == len(KEYS) else "")):
            page.keyboard.press(key)
            page.wait_for_timeout(0 if number == len(KEYS) else pause)
    image_in_view(page, 6, 6)
    expect(page.get_by_text("was not counted")).to_be_visible(timeout=PATIENCE)
    known = readings.sheet(of, "local")
    given = [tuple(known.given[position].values()) for position in known.order[:5]]
    assert given == [(int(yes == "y"), int(one), int(two)) for yes, one, two in KEYS]
    assert len(results.history_table(of)) == 15, "nothing lost, nothing twice"


def test_the_help_names_the_keys_of_this_page(server, page):
    write_reader_study(readers=("local",), n_pies=2, n_non_pies=2)
    server.start()
    page.goto(f"{server.address}/reader_study")
    image_in_view(page, 1, 4)
    page.locator(".viewer").get_by_role("button", name="Keys").click()
    help = page.locator(".viewer .help")
    expect(help).to_contain_text("yes, no to each label")
    expect(help.get_by_text("window presets")).to_be_hidden()
    assert not any(text[:1].isdigit() for text in page.locator(".viewer option").all_inner_texts())
