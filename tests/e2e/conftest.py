"""A running dashboard with three studies, one for all journeys."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import page_studies
from tests.ports import free_port
from tests.toys import write_toy_study
from tests.waiting import stop

ROOT = Path(__file__).parent.parent.parent
SECONDS_TO_START = 120
PATIENCE = 120_000  # ms until something is there; long, for a machine that does much else


@pytest.fixture(autouse=True, scope="session")
def _patience():
    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def app_address(tmp_path_factory):
    """Address of `streamlit run app.py` over a cache with the studies odd, toy and large."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        page_studies.write_odd_study()
        write_toy_study()
        page_studies.write_large_study(n_images=1200)
    address = f"http://127.0.0.1:{free_port()}"
    log = cache / "server.log"
    with open(log, "w") as output:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "app.py"),
                *("--server.headless", "true", "--server.port", address.rpartition(":")[2]),
            ],
            cwd=ROOT,
            env=os.environ | {"PRUNESCOPE_CACHE": str(cache)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(address, server, log)
        yield address
    finally:
        stop(server)


def wait_until_healthy(address: str, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The dashboard did not start: {log.read_text()[-2000:]}")
