"""Races under load: `python -m tests.e2e.races ADDRESS STUDY [TIMES]` beside two busy processes.

Opens the PIE browser of a study that is not the newest, opens the list of what PIEs hold more of,
and moves the slider on before it is drawn. At rest the address must say what the slider says, and
the study must be the one that was asked for.
"""

from __future__ import annotations

import multiprocessing
import re
import sys

from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import CHROMIUM, FLAGS
from tests.e2e.conftest import PATIENCE
from tests.e2e.test_journeys import settle

PAUSES = (0, 60, 150, 300, 600)  # ms between two keys on the slider
MOVES = (("Home", "ArrowRight", "Home", "End"), ("End", "ArrowLeft", "ArrowLeft", "Home"))


def missed(page: Page, address: str, study: str, pause: int, moves: tuple[str, ...]) -> list[str]:
    """What is wrong once the page rests; empty where nothing is."""
    page.goto(f"{address}/pie_browser?study={study}")
    slider = page.get_by_role("slider", name=re.compile("^Sparsity"))
    expect(slider).to_be_visible(timeout=PATIENCE)
    page.get_by_text("What PIEs hold more of").click()
    slider.focus()
    picked = page.get_by_role("combobox", name="Study").input_value()
    for key in moves:
        page.keyboard.press(key)
        page.wait_for_timeout(pause)
    settle(page)
    value = slider.get_attribute("aria-valuetext")
    named = re.search(r"[?&]sparsity=(\d+)", page.url)
    found = []
    if (named[1] if named else "90") != value:
        found.append(f"the slider is at {value}, the address at {named and named[1]}")
    if f"study={study}" not in page.url:
        found.append(f"the address is {page.url}")
    if page.get_by_role("combobox", name="Study").input_value() != picked:
        found.append("the picker shows another study")
    return found


def _spin() -> None:
    while True:
        pass


def main(address: str, study: str, times: int = 50) -> int:
    busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(2)]
    for process in busy:
        process.start()
    misses = 0
    try:
        with sync_playwright() as playwright:
            known = {"executable_path": str(CHROMIUM)} if CHROMIUM.exists() else {}
            browser = playwright.chromium.launch(args=list(FLAGS), **known)
            for number in range(times):
                page = browser.new_page(viewport={"width": 1400, "height": 900})
                pause, moves = PAUSES[number % len(PAUSES)], MOVES[number % len(MOVES)]
                found = missed(page, address, study, pause, moves)
                misses += bool(found)
                print(number + 1, pause, "; ".join(found) or "as it should be", flush=True)
                page.close()
            browser.close()
    finally:
        for process in busy:
            process.kill()
    print(f"{misses} of {times} missed")
    return misses


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:3], *map(int, sys.argv[3:]))))
