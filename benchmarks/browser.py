"""The PIE browser as a person has it: a real server, a real Chromium, 10,000 X-rays, a stopwatch.

Times are taken in the page itself, from the event of a click or key to the frame in which what was
asked for stands there, so that they hold the network, the server's script and the drawing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.analysis import BenchStudy, bench_study, link
from core.errors import InputError, WorkError
from core.results.preparation import make_ready
from core.serve import DEFAULT_HOST, SECONDS_TO_END, address, answers
from core.study import paths, store
from core.study.config import StudyConfig, parse_config
from core.study.study import Study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

Say = Callable[[str], None]
APP = Path(__file__).resolve().parents[1] / "app.py"
FOLDER = "bench-browser"
SIDE = 256  # of the X-rays, in pixels
BASES = 40  # chests drawn; every X-ray is one of them, moved and with noise of its own
SECONDS_TO_START, PATIENCE_MS, IDLE_SECONDS = 120, 120_000, 5
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox and no GPU in a container, and nothing to tell the internet.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
HOW_TO_INSTALL = (
    "This drives a real Chromium with Playwright, which only developers need: "
    "pip install -r requirements-dev.txt, then playwright install chromium "
    "(or Debian's chromium package)."
)
CARDS_APART = 4  # openings from one page of the grid
# What is measured, and the most it shall take in the middle of its repetitions; see `_row`.
GOALS = {
    "server start to usable": 10.0,
    "first grid, new browser": 2.5,
    "first grid, reload": 1.5,
    "filter: count": 0.3,
    "filter: last image": 1.2,
    "open an image": 0.2,
    "next image": 0.2,
}
MEMORY_GOAL_MB = 400
# In the page: `grid()` says whether all X-rays of the grid stand there, `stage()` which one is
# drawn in the viewer, and `timed(event, checks)` in how many seconds after that event each check,
# in turn, held for the first time.
STOPWATCH = """
window.bench = {
  quiet: () => document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]'),
  grid: () => {
    const images = [...document.querySelectorAll('.st-key-browser .ps-xray img')];
    return images.length > 0 && images.every(i => i.complete && i.naturalWidth > 0);
  },
  counts: () => document.querySelector('.st-key-counts')?.innerText ?? '',
  stage: () => {
    for (const host of document.querySelectorAll('.stBidiComponent, .stBidiComponent *')) {
      const found = (host.shadowRoot ?? host).querySelector('.stage');
      if (found) return found.dataset.image ?? '';
    }
    return '';
  },
  timed: (event, checks) => {
    window.bench.taken = new Promise(done => {
      const began = () => {
        const started = performance.now(), taken = [];
        const look = () => {
          while (taken.length < checks.length && checks[taken.length]())
            taken.push((performance.now() - started) / 1000);
          if (taken.length === checks.length) done(taken); else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      };
      if (event) addEventListener(event, began, {capture: true, once: true}); else began();
    });
  },
};
"""
Taken = dict[str, list[float]]


# What is looked at


@dataclass(frozen=True)
class BrowserStudy(BenchStudy):
    """A simulated study with an X-ray of SIDE pixels for each test image."""

    runs: int = 3
    images: int = 10_000
    classes: int = 15
    distinct_images: int = 0  # X-rays drawn, to which the others are links (all, if 0)

    @property
    def name(self) -> str:
        return f"{super().name}-images"

    @property
    def folder(self) -> Path:
        return paths.cache_dir() / "images"

    def config(self) -> StudyConfig:
        raw = super().config().model_dump()
        raw["dataset"]["images"] = self.folder
        return parse_config(raw, "python -m benchmarks")

    def write(self, say: Say) -> Path:
        started = time.perf_counter()
        names = list(self.labels().split("test")["path"])
        write_images(self.folder, names, self.distinct_images)
        say(f"{self.images:,} X-rays drawn in {time.perf_counter() - started:.0f} s")
        folder = super().write(say)
        started = time.perf_counter()
        make_ready(Study(folder), lambda done, total: None)
        say(f"Made ready for pages in {time.perf_counter() - started:.0f} s, once per study")
        return folder


def write_images(folder: Path, names: list[str], distinct: int = 0) -> None:
    """Chests of two lungs, a heart and ribs, in noise: PNGs as large as real ones of their size.

    Of the names beyond `distinct`, if any, each is a link to one of the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bases = [_chest(np.random.default_rng(number)) for number in range(BASES)]
    noise = np.random.default_rng(0).normal(0, 5, (2 * SIDE, 2 * SIDE)).astype(np.float32)

    def write(number: int) -> None:
        down, right = number * 37 % SIDE, number * 53 % SIDE
        moved = np.roll(bases[number % BASES], number // BASES % 9 - 4, axis=1)
        pixels = moved + noise[down : down + SIDE, right : right + SIDE]
        path = folder / names[number]
        path.unlink(missing_ok=True)  # it may be a link of another study's
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, compress_level=1)

    drawn = min(distinct or len(names), len(names))
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(drawn)))
    for number in range(drawn, len(names)):
        link(folder / names[number % drawn], folder / names[number])


def _chest(chance: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) float32 grey."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE

    def ellipse(at: tuple[float, float], width: float, height: float) -> np.ndarray:
        away = ((x - at[0]) / width) ** 2 + ((y - at[1]) / height) ** 2
        return 1 / (1 + np.exp((14 * (away - 1)).clip(-50, 50)))

    width, heart = chance.uniform(0.14, 0.19), chance.uniform(0.1, 0.17)
    grey = 175 * ellipse((0.5, 0.62), 0.46, 0.62)
    for side in (0.29, 0.71):
        lung = ellipse((side + chance.normal(0, 0.01), 0.48), width, 0.33)
        ribs = 12 * np.sin(y * chance.uniform(50, 60) + 9 * (x - side) ** 2)
        grey = grey * (1 - 0.72 * lung) + lung * ribs
    return (grey + 90 * ellipse((0.56, 0.62), heart, 0.16) * (1 - grey / 255)).astype(np.float32)


@contextmanager
def browser_study(shape: BrowserStudy, folder: Path | None, keep: bool, say: Say) -> Iterator[Path]:
    """As `bench_study`, in a cache folder of its own below `folder` or the one in force, which goes
    at the end with all that the server wrote there, unless it was there before, or `keep`."""
    cache = ((folder or paths.cache_dir()) / FOLDER).absolute()
    there = cache.exists()
    try:
        with bench_study(shape, cache, True, say) as made:
            yield made
    finally:
        if not there and not keep:
            shutil.rmtree(cache, ignore_errors=True)


# The server and the browser


@contextmanager
def dashboard() -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """The dashboard over the cache folder in force, on a free port of this machine: its address,
    its process, and when it was started. Raises WorkError where it does not answer."""
    with socket.create_server((DEFAULT_HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless=true"]
    command += [f"--server.address={DEFAULT_HOST}", f"--server.port={port}"]
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        server = subprocess.Popen(
            command, cwd=APP.parent, env=os.environ, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while not answers(DEFAULT_HOST, port):
                if server.poll() is not None or time.perf_counter() - began > SECONDS_TO_START:
                    log.seek(0)
                    said = log.read().decode(errors="replace")[-2000:]
                    raise WorkError(f"The dashboard did not start: {said}")
                time.sleep(0.05)
            yield address(DEFAULT_HOST, port), server, began
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(SECONDS_TO_END)
            server.kill()
            server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium: this machine's, or Playwright's own. Raises InputError for none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise InputError(HOW_TO_INSTALL) from error
    with sync_playwright() as playwright:
        try:
            browser = _launch(playwright)
        except Error as error:
            raise InputError(HOW_TO_INSTALL) from error
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright) -> Browser:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return playwright.chromium.launch(executable_path=found, args=list(FLAGS))


def resident_mb(process: int, field: str = "VmRSS") -> float:
    """Memory in megabytes that a process holds, or by VmHWM has held at most (Linux; elsewhere
    missing)."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        return int(status.split(f"{field}:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        return float("nan")


# What is measured


@dataclass
class BrowserBench:
    """`n` repetitions of everything but the server's start, of which there are `starts`."""

    n: int = 8
    starts: int = 2
    taken: Taken = field(default_factory=dict)

    def __call__(self, folder: Path, say: Say) -> pd.DataFrame:
        """what, n, median, worst, goal, met (by the median), all in seconds but the memory (MB).

        `folder`: a study that the cache folder in force holds.
        """
        self.taken = {name: [] for name in GOALS}
        memory = []
        path = f"/pie_browser?study={store.read_config(folder).study.name}"
        with chromium() as browser:
            for number in range(self.starts):
                say(f"Starting the server, {number + 1} of {self.starts}")
                shutil.rmtree(paths.thumbnails_dir(), ignore_errors=True)
                with dashboard() as (there, server, began):
                    with self._opened(browser, there + path) as page:
                        self._take("server start to usable", time.perf_counter() - began)
                        if number + 1 == self.starts:
                            self._grids(browser, there + path, say)
                            self._filters(page, say)
                            self._images(page, say)
                    time.sleep(IDLE_SECONDS)
                    memory.append(resident_mb(server.pid))
        rows = [_row(name, self.taken[name], goal) for name, goal in GOALS.items()]
        return pd.DataFrame([*rows, _row("server's memory, idle (MB)", memory, MEMORY_GOAL_MB)])

    def _take(self, name: str, seconds: float) -> None:
        self.taken[name].append(seconds)

    @contextmanager
    def _opened(self, browser: Browser, address: str) -> Iterator[Page]:
        """A new browser with nothing kept, once its first grid stands there."""
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        try:
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(STOPWATCH)
            page.goto(address, wait_until="commit")
            page.wait_for_function("window.bench?.grid()", polling="raf")
            yield page
        finally:
            context.close()

    def _grids(self, browser: Browser, address: str, say: Say) -> None:
        say("First grid, in a new browser and after a reload")
        since = "performance.now() / 1000"
        for _ in range(self.n):
            with self._opened(browser, address) as page:
                self._take("first grid, new browser", page.evaluate(since))
                _settle(page)
                page.reload(wait_until="commit")
                page.wait_for_function("window.bench?.grid()", polling="raf")
                self._take("first grid, reload", page.evaluate(since))

    def _filters(self, page: Page, say: Say) -> None:
        say("Filters")
        _settle(page)
        groups = page.locator("[data-testid=stButtonGroup]")
        groups.get_by_text("Every test image", exact=True).click()
        _settle(page)
        steps = ["tail", "1", "tail", "medium", "2", "1", "tail", "3", "medium", "2", "head", "3"]
        for name in steps[: max(2, self.n)]:
            counted = "() => bench.quiet() && bench.grid()"
            page.evaluate(
                "() => { const was = bench.counts(); bench.timed('click', ["
                f"() => bench.counts() && bench.counts() !== was, {counted}]) }}"
            )
            groups.get_by_text(name, exact=True).click()
            count, last = page.evaluate("bench.taken")
            self._take("filter: count", count)
            self._take("filter: last image", last)
            _settle(page)

    def _images(self, page: Page, say: Say) -> None:
        say("Opening an image, and the next")
        for number in range(self.n):
            # The viewer has fetched three on and one back of each, so none of them is opened next.
            sheet, place = divmod(number, CARDS_APART)
            if sheet and not place:
                page.evaluate(
                    "n => { const to = new URL(location); to.searchParams.set('page', n);"
                    " location = to }",
                    sheet + 1,
                )
                page.wait_for_function("window.bench?.grid()", polling="raf")
                _settle(page)
            card = page.locator(".st-key-gallery .ps-card").nth(6 * place)
            wanted = card.locator("img").get_attribute("alt")
            self._until_drawn(page, "click", f"=== {_quoted(wanted)}", card.get_by_role("link"))
            self._take("open an image", page.evaluate("bench.taken")[0])
            _settle(page)
            page.wait_for_timeout(500)  # the neighbours are fetched meanwhile
            page.locator(".viewer .stage").focus()
            self._until_drawn(page, "keydown", f"!== {_quoted(wanted)}", None)
            self._take("next image", page.evaluate("bench.taken")[0])
            _settle(page)
            page.get_by_role("button", name="Close").click()
            page.locator(".viewer .stage").wait_for(state="hidden")
            _settle(page)

    def _until_drawn(self, page: Page, event: str, which: str, button: Any) -> None:
        page.evaluate(
            f"() => bench.timed('{event}', "
            f"[() => bench.stage() && 'X-ray ' + bench.stage() {which}])"
        )
        if button is None:
            page.keyboard.press("ArrowRight")
        else:
            button.click()


def _settle(page: Page) -> None:
    page.wait_for_function("window.bench?.quiet() && window.bench.grid()", polling="raf")


def _quoted(text: str | None) -> str:
    return "'" + (text or "").replace("\\", "\\\\").replace("'", "\\'") + "'"


def _row(what: str, taken: list[float], goal: float) -> dict[str, Any]:
    middle, worst = float(np.median(taken)), max(taken)
    met = "yes" if middle <= goal else "no"
    return {
        "what": what,
        "n": len(taken),
        "median": middle,
        "worst": worst,
        "goal": goal,
        "met": met,
    }
