"""The dashboard starts in about a second because nothing outside the engine loads torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """
import importlib, pkgutil, runpy, sys
import core
for module in pkgutil.walk_packages(core.__path__, "core."):
    if not module.name.startswith("core.engine"):
        importlib.import_module(module.name)
importlib.import_module("app")
from streamlit.testing.v1 import AppTest
shell = AppTest.from_file("pages/shell.py", default_timeout=60).run()
assert not shell.exception, shell.exception
for page in sys.argv[1:]:
    shell.switch_page(page).run()
    assert not shell.exception, (page, shell.exception)
heavy = sorted({"torch", "torchvision"} & set(sys.modules))
assert not heavy, f"{heavy} got loaded"
"""


def test_nothing_outside_the_engine_loads_torch(tmp_path):
    pages = [p.name for p in sorted((ROOT / "pages").glob("*.py")) if p.name != "shell.py"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *pages],
        cwd=ROOT,
        env={"PRUNESCOPE_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
