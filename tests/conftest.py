"""What every test starts with: one thread a process, and the browser of the end-to-end tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch, NumPy or Arrow is imported, here and in whatever a test starts: workers that run
# beside each other do not fight for processors, and sums are added in the same order everywhere.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# A busy machine is slow at drawing and at answering; a test that hangs meets pytest's own limit.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Debian's Chromium, else Playwright's own.
CHROMIUM = Path("/usr/bin/chromium")
# A browser in a container has neither a sandbox nor a GPU, and nothing to tell the internet.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items):
    """Tests in a browser first: they take longest, and none should be the last, run alone."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    found = {"executable_path": str(CHROMIUM)} if CHROMIUM.exists() else {}
    return browser_type_launch_args | found | {"args": list(FLAGS)}
