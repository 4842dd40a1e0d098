"""Imports go one way, down the layers in pyproject.toml, and nothing outside the engine loads
torch: the dashboard starts in about a second because of that."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
heavy = sorted({"torch", "torchvision", "timm", "torchxrayvision"} & set(sys.modules))
assert not heavy, f"{heavy} got loaded"
"""
LINT = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
# What commands import late is their start-up time. Elsewhere each has a reason, which it says.
LATE = {
    "core/datasets/__init__.py": {"core.datasets.phantom.dataset"},
    "core/engine/foreign/facts_child.py": {
        "core.engine.foreign.facts",
        "core.engine.foreign.reading",
    },
    "core/engine/foreign/preflight_child.py": {
        "core.engine.foreign.preflight",
        "core.engine.foreign.reading",
    },
    "core/pictures/images.py": {"core.pictures"},
}


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


def linted(folder: Path) -> tuple[int, str]:
    """What `lint-imports` ends with in a folder, and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_imports_keep_to_the_contracts():
    status, said = linted(ROOT)
    assert status == 0, said
    assert "0 broken" in said


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The code, to be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("core", "benchmarks"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=lambda _, names: {*names} & {"__pycache__"}
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(
    ("path", "line", "refusal"),
    [
        ("core/study/paths.py", "import core.ui", "core.study is not allowed to import core.ui"),
        ("core/people/audit.py", "from core import jobs", "core.people is not allowed to import"),
        ("core/study/paths.py", "import core.study.store", "No cycles are allowed in core.study"),
        ("core/results/pies.py", "import torch", "core is not allowed to import torch"),
        ("core/jobs/queue.py", "import core.engine.sweep", "Illegal imports of protected package"),
        ("core/analysis/pie.py", "import tools.image", "core is not allowed to import tools"),
        ("core/reports/__init__.py", "", "not listed as layers: - core.reports"),
    ],
)
def test_an_import_that_goes_up_or_round_fails(copy, path, line, refusal):
    file = copy / path
    before = file.read_text() if file.exists() else None
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{before or ''}\n\n\ndef spoilt():\n    {line or 'pass'}\n")
    try:
        status, said = linted(copy)
    finally:
        file.write_text(before) if before else shutil.rmtree(file.parent)
    assert status == 1
    assert refusal in said, said


def late_imports(file: Path) -> Iterator[str]:
    """Our own modules that a file imports within a function; types alone load nothing."""
    tree = ast.parse(file.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                yield from (name for name in names if name.partition(".")[0] == "core")


def test_only_commands_import_our_own_modules_late():
    found = {
        str(file.relative_to(ROOT)): names
        for file in [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *ROOT.glob("core/**/*.py")]
        if not file.is_relative_to(ROOT / "core" / "cli") and (names := set(late_imports(file)))
    }
    assert found == LATE


def test_the_house_has_few_doors():
    doors = [path for path in (ROOT / "core").iterdir() if path.name != "__pycache__"]
    assert len(doors) <= 24
