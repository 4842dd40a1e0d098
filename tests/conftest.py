"""How the browser of the end-to-end tests is started: Debian's Chromium, else Playwright's own."""

from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    found = {"executable_path": str(CHROMIUM)} if CHROMIUM.exists() else {}
    return browser_type_launch_args | found | {"args": list(FLAGS)}
