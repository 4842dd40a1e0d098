"""Checkpoints as people have them, from the file to the study: a ResNet-50 and a DenseNet-121 of
torchvision, each saved in four layouts, uploaded to a running `prunescope serve` in a real browser
that is reloaded at every stage. On the NIH sample where it is there, else on phantoms."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from playwright.sync_api import Locator, Page, expect
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits

from core import jobs
from core.datasets import load_labels
from core.pictures.images import read_grey
from core.study import paths, store
from core.study.config import StudyConfig, read_config
from core.study.labels import label_matrix
from tests.e2e.conftest import ROOT, wait_until_healthy
from tests.ports import free_port
from tests.waiting import stop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc"),
]

SAMPLE = ROOT.parent / "shared" / "data" / "nih-cxr-64"
PATIENCE = 60_000
LONG = 300_000
SIDE = 64
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
ON_THE_SAMPLE = f"""kind = "nih-cxr14"
images = "{SAMPLE / "images"}"
labels = "{SAMPLE / "Data_Entry.csv"}"
on_bad_image = "skip"
"""
DATASET = ON_THE_SAMPLE if SAMPLE.is_dir() else 'kind = "phantom"\nn_patients = 200\nsize = 64\n'
STUDY_FILE = f"""
[study]
name = "few-xrays"
title = "A few X-rays"
[dataset]
{DATASET}
validation_share = 0.1
test_share = 0.15
[model]
architecture = "resnet34"
image_size = {SIDE}
[sweep]
sparsities = [0, 0.5, 0.9]
"""
LAYOUTS = {
    "state_dict": ".pt",
    "published": ".pt",
    "lightning": ".ckpt",
    "safetensors": ".safetensors",
}
# What the preflight is to say of each layout.
WRAPPERS = {
    "published": "weights under 'weights'",
    "lightning": "weights under 'state_dict'; prefix 'model.' taken off",
}
ARCHITECTURES = ("resnet34", "densenet121")
# These are also analysed by the command line.
TWINS = (("resnet34", "published"), ("densenet121", "lightning"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address of `prunescope serve`, and its process: dashboard and worker over an empty cache
    that holds one dataset, kept as people's own data are."""
    cache = tmp_path_factory.mktemp("cache")
    kept = cache / "datasets" / "few-xrays-00000000"
    kept.mkdir(parents=True)
    (kept / "study.toml").write_text(STUDY_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        patch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
        port = free_port()
        with open(cache / "server.log", "w") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "core.cli", "serve", "--port", str(port)],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", server, cache / "server.log")
            yield f"http://127.0.0.1:{port}", server.pid
        finally:
            stop(server)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(
    request: pytest.FixtureRequest, served: tuple[str, int]
) -> tuple[str, torch.nn.Module, torch.optim.Optimizer]:
    """A network that knows some of the test images by heart, so that it beats chance and pruning
    has something to take away; and the Adam that taught it a step."""
    config = read_config(next(paths.cache_dir().glob("datasets/*/study.toml")))
    labels = load_labels(config.dataset, lambda done, total: None)
    folder, test = paths.images_dir(config.dataset), labels.split("test")
    assert folder
    grey = np.stack([read_grey(folder / path, SIDE) for path in test["path"]])
    mean, deviation = torch.tensor(IMAGENET).reshape(2, 1, 3, 1, 1)
    images = (torch.from_numpy(grey).float().div(255).unsqueeze(1) - mean) / deviation
    truth = torch.from_numpy(np.nan_to_num(label_matrix(test, labels.class_names))).float()
    return request.param, *taught(request.param, images, truth)


def taught(
    name: str, images: torch.Tensor, truth: torch.Tensor
) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """One step of Adam; then batch norms as the images have them, and the last layer solved by
    least squares on half of them: what training by heart would end at, in seconds."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, num_classes=truth.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    binary_cross_entropy_with_logits(network(images[:8]), truth[:8]).backward()
    optimizer.step()
    head = network.fc if name == "resnet34" else network.classifier
    features: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = 1.0  # of the one batch below
    with torch.no_grad():
        network(images[:64])
        network.eval()(images[:64])
        hook.remove()
        x = features[-1]
        centred = x - x.mean(0)
        weight = torch.linalg.lstsq(centred, 8 * (truth[:64] - 0.5), driver="gelsd").solution
        head.weight.copy_(weight.T)
        head.bias.copy_(-x.mean(0) @ weight)
    return network, optimizer


def save(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, layout: str, path: Path
) -> None:
    weights = network.state_dict()
    if layout == "safetensors":
        save_file(weights, path)
    elif layout == "published":
        torch.save({"weights": weights, "optimizer": optimizer.state_dict(), "epoch": 3}, path)
    elif layout == "lightning":
        prefixed = {f"model.{name}": value for name, value in weights.items()}
        beside = {"epoch": 3, "global_step": 1, "pytorch-lightning_version": "2.5.1"}
        beside |= {"callbacks": {}, "lr_schedulers": [], "loops": {}, "hyper_parameters": {}}
        torch.save(
            {"state_dict": prefixed, "optimizer_states": [optimizer.state_dict()], **beside}, path
        )
    else:
        torch.save(weights, path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_checkpoint_becomes_a_study(
    page: Page,
    served: tuple[str, int],
    trained: tuple[str, torch.nn.Module, torch.optim.Optimizer],
    tmp_path: Path,
    layout: str,
) -> None:
    address, server = served
    network, model, optimizer = trained
    path = tmp_path / f"{network}-{layout.replace('_', '-')}{LAYOUTS[layout]}"
    save(model, optimizer, layout, path)

    upload(page, address, path)
    preflight(page, network, layout)
    job_id = submit(page, server)
    watch_to_the_end(page, server, job_id)
    config = jobs.config_of(jobs.find(job_id))
    assert config.model.architecture == network
    assert config.study.name == f"{path.stem}-on-few-xrays"
    folder = paths.study_dir(config)
    assert store.finished_cells(folder) == [(0, 0.0), (0, 0.5), (0, 0.9)]
    in_class_ap(page, config)
    if (network, layout) in TWINS:
        same_on_the_command_line(path, config, store.read_class_metrics(folder), tmp_path)


# The journey


def upload(page: Page, address: str, path: Path) -> None:
    page.goto(f"{address}/analyse")
    page.locator(".drop input[type=file]").first.set_input_files(path)
    expect(page.get_by_text("Choose another file")).to_be_visible(timeout=PATIENCE)
    reload(page, page.get_by_text(path.name, exact=True))
    expect(page).to_have_url(re.compile(r"upload=[0-9a-f]{32}"))


def preflight(page: Page, network: str, layout: str) -> None:
    """As the file asks for, at 224 px; then again at the size it was trained at."""
    idle(page)
    page.get_by_label("Dataset to study it on").click()
    page.get_by_text("few-xrays: A few X-rays").click()
    at_work = page.locator("[data-testid=stProgress]")
    expect(at_work).to_be_visible(timeout=PATIENCE)
    reload(page, page.get_by_role("heading", name="What the network sees"))
    expect(page.get_by_text(f"{network} (guessed)")).to_be_visible()
    expect(page.get_by_text("15 of them classes" if SAMPLE.is_dir() else "classes")).to_be_visible()
    if layout in WRAPPERS:
        expect(page.get_by_text(WRAPPERS[layout])).to_be_visible()
    expect(page.get_by_text(re.compile(r"All \d+ match"))).to_be_visible()
    expect(page.get_by_text("224 x 224 px")).to_be_visible()

    idle(page)
    page.get_by_label("Image size (px)").fill(str(SIDE))
    page.keyboard.press("Tab")
    before = page.url
    page.get_by_role("button", name="Look again with these choices").click()
    expect(page).not_to_have_url(before, timeout=PATIENCE)
    reload(page, page.get_by_text(f"{SIDE} x {SIDE} px"))
    expect(page.get_by_text("Fit to run, and better than chance")).to_be_visible()
    reload(page, page.get_by_text("Fit to run, and better than chance"))
    expect(page.get_by_text(f"{SIDE} x {SIDE} px")).to_be_visible()


def submit(page: Page, server: int) -> str:
    """Its id; the worker is held back, so that the job is seen to wait."""
    idle(page)
    grid = page.get_by_role("combobox", name="Sparsities")
    expect(grid).to_have_value("as few-xrays")  # 0, 50 and 90 %, as the dataset's file says
    with held(worker_of(server)):
        page.get_by_role("button", name="Start the study").click()
        expect(page).to_have_url(re.compile(r"/jobs\?.*job="), timeout=PATIENCE)
        badge(page, "Waiting")
        reload(page, page.locator(".stMarkdownBadge", has_text="Waiting"))
        found = re.search(r"job=([^&]+)", page.url)
        assert found
        return found[1]


def watch_to_the_end(page: Page, server: int, job_id: str) -> None:
    badge(page, "Running")
    with held(worker_of(server)):
        reload(page, page.locator(".stMarkdownBadge", has_text="Running"))
    badge(page, "Finished")
    assert jobs.find(job_id).status == "finished"
    reload(page, page.locator(".stMarkdownBadge", has_text="Finished"))
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)


def in_class_ap(page: Page, config: StudyConfig) -> None:
    idle(page)
    page.get_by_role("button", name="Class AP").click()
    heading = page.get_by_role("heading", name="Class AP", level=1)
    expect(heading).to_be_visible(timeout=PATIENCE)
    reload(page, heading)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=PATIENCE)
    assert f"study={config.study.name}" in page.url
    expect(page.get_by_text(re.compile(r"by 90\s% sparsity"))).to_be_visible(timeout=PATIENCE)


def same_on_the_command_line(
    path: Path, config: StudyConfig, by_page: pd.DataFrame, tmp_path: Path
) -> None:
    """The same file with the same choices, in a cache of its own: the same id and numbers."""
    (tmp_path / "few-xrays.toml").write_text(STUDY_FILE)
    command = (sys.executable, "-m", "core.cli", "analyze", str(path))
    said = subprocess.run(
        [*command, "--dataset", str(tmp_path / "few-xrays.toml"), "--set", "model.image_size=64"],
        cwd=ROOT,
        env=os.environ | {"PRUNESCOPE_CACHE": str(tmp_path / "second")},
        capture_output=True,
        text=True,
        timeout=LONG / 1000,
    )
    assert said.returncode == 0, said.stderr
    folder = tmp_path / "second" / "studies" / config.id
    assert folder.is_dir(), said.stdout
    pd.testing.assert_frame_equal(store.read_class_metrics(folder), by_page, check_exact=True)


# The browser, and the worker beside it


def reload(page: Page, seen_again: Locator) -> None:
    page.reload()
    expect(seen_again.first).to_be_visible(timeout=LONG)


def idle(page: Page) -> None:
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE
    )


def badge(page: Page, text: str) -> None:
    expect(page.locator(".stMarkdownBadge", has_text=text)).to_be_visible(timeout=LONG)


def worker_of(server: int) -> int:
    """The process of the worker that this `prunescope serve` keeps."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    (worker,) = [
        int(one) for one in children if b"\0worker\0" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]
    return worker


@contextlib.contextmanager
def held(worker: int) -> Iterator[None]:
    """The worker stands still meanwhile."""
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)
