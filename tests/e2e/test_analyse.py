"""From a file to a job in a real browser, refreshed on the way."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from safetensors.torch import save_file

from tests.e2e.conftest import PATIENCE, ROOT, wait_until_healthy
from tests.ports import free_port
from tests.waiting import stop

STUDY_FILE = """
study = { name = "grey-lungs", title = "Grey lungs" }
dataset = { kind = "phantom", n_patients = 40, size = 32 }
model = { architecture = "resnet_small", image_size = 32 }
sweep = { sparsities = [0, 0.9] }
"""
CHOICES = {
    "Sparsities": "every 10 %",
    "Precision": "bf16",
    "Pruning": "random_global: at random, to compare with",
}
DROP = """([content, name]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""

# Resolves when an open expander has had the same height for ten frames.
AT_REST = """(details) => new Promise((rests) => {
  let height = -1, frames = 0;
  const look = () => {
    const same = details.open && !details.getAnimations().length && details.offsetHeight === height;
    frames = same ? frames + 1 : 0;
    height = details.offsetHeight;
    if (frames < 10) requestAnimationFrame(look); else rests();
  };
  look();
})"""


@pytest.fixture(scope="module")
def analyse_address(tmp_path_factory: pytest.TempPathFactory):
    """A dashboard with a dataset of 40 phantoms, kept as people's own data are."""
    cache = tmp_path_factory.mktemp("analyse")
    kept = cache / "datasets" / "grey-lungs-00000000"
    kept.mkdir(parents=True)
    (kept / "study.toml").write_text(STUDY_FILE)
    port = free_port()
    log = cache / "server.log"
    command = (sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true")
    with open(log, "w") as output:
        server = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"PRUNESCOPE_CACHE": str(cache)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    settings = ModelSettings(architecture="resnet_small", image_size=32)
    path = tmp_path_factory.mktemp("given") / "best_model.safetensors"
    save_file(build_model(settings, 20, seed=0).state_dict(), path)
    return path


def idle(page: Page) -> None:
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE
    )


def open_own_images(page: Page) -> None:
    """Opens the expander and waits until it is at rest. A press on what it has not yet uncovered
    scrolls within it, which no person can, and so the button moves from under the press."""
    page.get_by_text("Or bring your own images").click()
    page.locator("details", has_text="Or bring your own images").evaluate(AT_REST)


def dropped(page: Page, content: bytes, name: str, zone: int = 0) -> None:
    transfer = page.evaluate_handle(DROP, [base64.b64encode(content).decode(), name])
    place = page.locator(".drop").nth(zone)
    place.wait_for(timeout=PATIENCE)
    for event in ("dragenter", "dragover", "drop"):
        place.dispatch_event(event, {"dataTransfer": transfer})


def test_from_a_file_to_its_job(page: Page, analyse_address: str, checkpoint: Path) -> None:
    page.goto(f"{analyse_address}/analyse")
    dropped(page, b"", "nothing.pt")
    expect(page.get_by_text("nothing.pt is empty (0 bytes).")).to_be_visible(timeout=PATIENCE)
    dropped(page, checkpoint.read_bytes(), "best_model.safetensors")
    expect(page.get_by_text("Choose another file")).to_be_visible(timeout=PATIENCE)
    expect(page).to_have_url(re.compile(r"upload=[0-9a-f]{32}"))

    page.reload()  # with a file and no dataset
    expect(page.get_by_text("best_model.safetensors")).to_be_visible(timeout=PATIENCE)
    idle(page)
    page.get_by_label("Dataset to study it on").click()
    page.get_by_text("grey-lungs: Grey lungs").click()
    expect(page).to_have_url(re.compile(r"look=[0-9a-f]{16}"), timeout=PATIENCE)

    page.reload()  # while the preflight works
    report = page.get_by_role("heading", name="What the network sees")
    expect(report).to_be_visible(timeout=PATIENCE)
    expect(page.locator("figure.ps-xray img")).to_have_count(3)

    page.reload()  # with its report
    expect(report).to_be_visible(timeout=PATIENCE)
    idle(page)
    found = Axe().run(page)
    serious = [one["id"] for one in found.response["violations"] if one["impact"] == "critical"]
    assert not serious
    for name, choice in CHOICES.items():
        box = page.get_by_role("combobox", name=name)
        box.scroll_into_view_if_needed()  # a list that scrolls away shuts
        page.wait_for_timeout(500)
        box.click()
        page.get_by_role("option", name=choice).click()
        idle(page)
    typed = page.get_by_label("Name of the study")
    typed.fill("typed-by-hand")
    typed.press("Enter")
    expect(page).to_have_url(re.compile(r"name=typed-by-hand"), timeout=PATIENCE)

    page.reload()  # with what was chosen after it
    expect(typed).to_have_value("typed-by-hand", timeout=PATIENCE)
    for name, choice in CHOICES.items():
        chosen = page.get_by_role("combobox", name=name)
        expect(chosen).to_have_value(choice, timeout=PATIENCE)
    idle(page)
    page.get_by_role("button", name="Start the study").click()
    expect(page).to_have_url(re.compile(r"/jobs\?job=typed-by-hand-"), timeout=PATIENCE)

    page.get_by_role("link", name="All jobs").click()
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="CSV").click(timeout=PATIENCE)
    assert download.value.suggested_filename == "jobs.csv"
    (row,) = csv.DictReader(io.StringIO(download.value.path().read_text()))
    assert (row["study"], row["status"]) == ("typed-by-hand", "queued")


def test_own_images_become_a_dataset(page: Page, analyse_address: str) -> None:
    from PIL import Image

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        rows = [f"{n}.png,patient {n // 2},{n % 2}" for n in range(20)]
        archive.writestr("labels.csv", "\n".join(["file,patient_id,Mass", *rows]))
        for number in range(20):
            picture = io.BytesIO()
            Image.new("L", (32, 32), 10 * number).save(picture, "PNG")
            archive.writestr(f"images/{number}.png", picture.getvalue())
    page.goto(f"{analyse_address}/analyse")
    idle(page)
    open_own_images(page)
    dropped(page, content.getvalue(), "Our clinic.zip", zone=1)
    expect(page.get_by_text("20 images, 20 rows in labels.csv")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Keep as a dataset").click()
    expect(page).to_have_url(re.compile(r"dataset=our-clinic"), timeout=PATIENCE)
    idle(page)
    page.reload()
    chosen = page.get_by_label("Dataset to study it on")
    expect(chosen).to_have_value("our-clinic: Own data: Our clinic.zip", timeout=PATIENCE)
    idle(page)
    open_own_images(page)
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(chosen).to_have_value("", timeout=PATIENCE)
    expect(page).not_to_have_url(re.compile(r"dataset="), timeout=PATIENCE)
