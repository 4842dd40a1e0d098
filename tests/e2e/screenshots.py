"""`make screenshots`: the pictures of the README and docs, from the finished demo in real Chromium.

Takes the study "demo" of the cache folder in force; run `prunescope demo` first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from core.errors import InputError
from core.study import store
from tests.conftest import CHROMIUM, FLAGS
from tests.e2e.conftest import ROOT, wait_until_healthy
from tests.ports import free_port
from tests.waiting import stop

IMAGES = ROOT / "docs" / "images"
# File name to page, and the height in pixels that shows what the text speaks of.
PICTURES = {
    "overview": ("/?study=demo&tour=false", 900),
    "class-ap": ("/class_ap?study=demo&sparsity=85", 900),
    "safe-sparsity": ("/safe_sparsity?study=demo", 900),
    "pie-browser": ("/pie_browser?study=demo&lost_by=rank", 700),
}
WIDTH = 1280
COLOURS = 128  # of the palette; makes a picture a third as large
PATIENCE = 120_000  # ms; a page may have to work out its tables first
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
DRAWN = """!document.querySelector('.stSkeleton')
  && [...document.images].every((image) => image.complete)"""


def main() -> None:
    try:
        folder = store.find_study("demo")
    except InputError as error:
        sys.exit(f"{error} Run it first: prunescope demo")
    config = store.read_config(folder)
    wanted = config.runs.count * len(config.sweep.sparsities)
    finished = len(store.finished_cells(folder))
    if finished < wanted:
        sys.exit(f"The demo is at {finished} of {wanted} cells; wait until it is finished.")
    address = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as work, open(Path(work) / "log", "w") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "app.py"),
                *("--server.headless", "true", "--server.port", address.rpartition(":")[2]),
            ],
            cwd=ROOT,
            env=os.environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_healthy(address, server, Path(work) / "log")
            with sync_playwright() as playwright:
                found = {"executable_path": str(CHROMIUM)} if CHROMIUM.exists() else {}
                browser = playwright.chromium.launch(args=list(FLAGS), **found)
                for name, (path, height) in PICTURES.items():
                    print(take(browser, address + path, height, IMAGES / f"{name}.png"))
                browser.close()
        finally:
            stop(server)


def take(browser: Browser, address: str, height: int, out: Path) -> str:
    """Write a picture of a page that has come to rest; returns its name and size."""
    page = browser.new_page(viewport={"width": WIDTH, "height": height}, color_scheme="light")
    page.goto(address)
    page.wait_for_selector(SETTLED, timeout=PATIENCE)
    page.wait_for_selector("h1", timeout=PATIENCE)
    # Charts and images are drawn after the script has ended.
    page.wait_for_function(DRAWN, timeout=PATIENCE)
    page.wait_for_timeout(3000)
    page.wait_for_selector(SETTLED, timeout=PATIENCE)
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    page.close()
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)
    return f"{out.relative_to(ROOT)}: {out.stat().st_size // 1000} kB"


if __name__ == "__main__":
    main()
