"""`make image` and `make image-test`: the image is built, and shown to do what it promises.

The test starts a container of its own on a free port, with a volume of its own, and removes both.
Works with Docker, Podman or Buildah. Exit status: 0 where everything held.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from image_engines import ROOT, Docker, build_arguments, engine, wait

IMAGE = os.environ.get("IMAGE", "prunescope")
SECONDS_TO_HEALTH = 20
SECONDS_TO_FINISH = 300
SCREENSHOT = ROOT / "test-results" / "image.png"
SMALL = ["study.name=small", "dataset.n_patients=150", "model.image_size=32", "runs.count=1"]
SMALL += ["training.epochs=2", "sweep.sparsities=[0, 0.5, 0.9]"]
STATE = """
import json, pathlib
for path in pathlib.Path('/data/studies').glob('{}-*/progress.json'):
    print(json.loads(path.read_text())['state'])
"""
# Bytes of everything in the image, and of torch, torchvision and the libraries only they need.
SIZES = """
import os
from importlib.metadata import distributions
whole = torch = 0
for folder, folders, names in os.walk('/'):
    if folder == '/':
        folders[:] = [name for name in folders if name not in ('data', 'dev', 'proc', 'run', 'sys')]
    whole += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
for package in distributions():
    name = package.metadata['Name']
    if name in ('torch', 'torchvision', 'triton') or name.startswith(('nvidia-', 'cuda-')):
        paths = [str(package.locate_file(file)) for file in package.files or ()]
        torch += sum(os.lstat(path).st_size for path in paths if os.path.lexists(path))
print(whole, torch)
"""
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def say(text: str) -> None:
    print(f"ok  {text}", flush=True)


def require(holds: object, text: str) -> None:
    if not holds:
        raise SystemExit(f"NO  {text}")
    say(text)


def build(tested: Docker) -> None:
    began = time.monotonic()
    tested.build(build_arguments())
    say(f"built in {time.monotonic() - began:.0f} s by {tested.program}")


def test(tested: Docker) -> None:
    tested.start()
    starts(tested)
    require("finished" in tested.inside("prunescope", "studies"), "the demo is there, finished")
    shows_demo(f"http://127.0.0.1:{tested.port}")
    has_no_more_than_it_needs(tested)
    survives_a_killed_worker(tested)
    keeps_its_volume(tested)
    print_sizes(tested)


def starts(tested: Docker) -> None:
    address = f"http://127.0.0.1:{tested.port}/_stcore/health"
    seconds = wait("healthy", SECONDS_TO_HEALTH, lambda: answers(address))
    say(f"healthy after {seconds:.1f} s")
    tested.inside(*tested.health_command())
    say("the image's own health check agrees")


def answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def shows_demo(address: str) -> None:
    require(answers(address), "the first page answers")
    browser = next((path for path in BROWSERS if Path(path).exists()), None)
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        browser = None
    if not browser:
        print("--  no Playwright with Chromium here: the page was not looked at", flush=True)
        return
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = chromium.new_page(viewport={"width": 1400, "height": 1100})
        page.goto(address)
        charts = page.locator(".js-plotly-plot .main-svg")
        expect(charts.first).to_be_visible(timeout=30_000)
        done = "[data-testid=stApp][data-test-script-state=notRunning]"
        page.wait_for_selector(done, timeout=30_000)
        expect(page.get_by_text("Phantom chest X-rays").first).to_be_visible()
        SCREENSHOT.parent.mkdir(exist_ok=True)
        page.screenshot(path=SCREENSHOT)
        chromium.close()
    say(f"Chromium shows the demo's charts: {SCREENSHOT.relative_to(ROOT)}")


def has_no_more_than_it_needs(tested: Docker) -> None:
    require(tested.inside("id", "-u") != "0", "runs as another account than root")
    look = (
        "import shutil; print(*filter(shutil.which, ('cc', 'gcc', 'g++', 'clang', 'ld', 'make')))"
    )
    require(not tested.inside("python", "-c", look), "no compiler inside")


def survives_a_killed_worker(tested: Docker) -> None:
    options = [word for setting in SMALL for word in ("--set", setting)]
    tested.inside("prunescope", "run", "demo", *options, "--background")
    wait("the new study runs", 60, lambda: state(tested, "small") == "running")
    (killed,) = tested.processes("worker")
    tested.kill(killed)
    alive = [killed]

    def another() -> bool:
        alive[:] = tested.processes("worker")
        return bool(alive) and killed not in alive

    seconds = wait("another worker", 30, another)
    say(f"the worker was killed at work (process {killed}), another came after {seconds:.1f} s")
    wait("the job's end", SECONDS_TO_FINISH, lambda: state(tested, "small") == "finished")
    say("and finished the new study")


def state(tested: Docker, study: str) -> str:
    return tested.inside("python", "-c", STATE.format(study))


def keeps_its_volume(tested: Docker) -> None:
    # As a volume of a version that had no demo.
    tested.inside("sh", "-c", "rm -r /data/studies/demo-* /data/shipped")
    began = time.monotonic()
    status = tested.stop()
    require(status in (0, 143), f"stopped on request in {time.monotonic() - began:.1f} s")
    tested.start_again()
    starts(tested)
    require(state(tested, "small") == "finished", "a new container finds the volume's study")
    require(state(tested, "demo") == "finished", "and brings the demo to a volume without it")


def print_sizes(tested: Docker) -> None:
    whole, torch = (int(n) for n in tested.inside("python", "-c", SIZES).split())
    print(f"image {tested.size() / 1e9:.2f} GB as {tested.program} counts, files {whole / 1e9:.2f}")
    print(
        f"torch and what only it needs {torch / 1e9:.2f} GB, all else {(whole - torch) / 1e9:.2f}"
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    container = engine(IMAGE, free_port())
    build(container)
    if sys.argv[1:] == ["test"]:
        try:
            test(container)
        except (SystemExit, subprocess.CalledProcessError, ValueError):
            print(container.log()[-4000:], file=sys.stderr)
            raise
        finally:
            container.remove()
