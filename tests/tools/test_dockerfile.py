"""The image: what it is made of is what the program needs, pinned once, and no more."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DEMO = ROOT / "data" / "studies" / "demo.toml"
# Tiny, but every stage of a run.
TINY = """
import sys
# What makes an editable install would find in the checkout whatever is missing here.
sys.meta_path = [found for found in sys.meta_path if "editable" not in repr(found)]
from pathlib import Path
from core.engine.pipeline import run_study
from core.study.config import read_config
settings = ("dataset.n_patients=60", "model.image_size=32", "runs.count=1", "training.epochs=1")
run_study(read_config(Path("data/studies/demo.toml"), (*settings, "sweep.sparsities=[0, 0.9]")))
"""


def stage(name: str) -> str:
    """The lines of a stage of the Dockerfile, continued ones joined."""
    text = DOCKERFILE.split(f" AS {name}\n", 1)[1].split("\nFROM ", 1)[0]
    return text.replace("\\\n", " ")


def copied(name: str) -> list[str]:
    """What a stage copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", stage(name), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def copy_stage(name: str, folder: Path) -> Path:
    for source in copied(name):
        target = folder / source
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__", "secrets.toml")
            )
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)
    return folder


def test_hadolint_finds_nothing():
    command = [str(Path(sys.executable).with_name("hadolint")), "Dockerfile"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_demo_is_made_from_what_the_dockerfile_copies_for_it(tmp_path):
    # -P: nothing beside these files, least of all the checkout.
    folder = copy_stage("demo", tmp_path / "app")
    environment = {"PYTHONPATH": str(folder), "PRUNESCOPE_CACHE": str(tmp_path / "data")}
    made = subprocess.run(
        [sys.executable, "-P", "-c", TINY],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (progress,) = (tmp_path / "data" / "studies").glob("demo-*/progress.json")
    assert json.loads(progress.read_text())["state"] == "finished"


def test_the_demo_depends_on_no_file_that_a_run_does_not_import():
    needed = modules_behind("core.engine.pipeline", "core.datasets.phantom.dataset")
    single = {
        path
        for path in copied("demo")
        if path.startswith("core/") and path.endswith(".py") and "__init__" not in path
    }
    for path in single:
        name = path.removesuffix(".py").replace("/", ".")
        assert name in needed, f"the demo's stage copies {path} for nothing"


def modules_behind(*first: str) -> set[str]:
    """The modules of core that these import, also inside functions."""
    seen: set[str] = set()
    todo = list(first)
    while todo:
        module = todo.pop()
        file = ROOT / f"{module.replace('.', '/')}.py"
        path = file if file.exists() else file.with_suffix("") / "__init__.py"
        if module in seen or not path.exists():
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("core"):
                todo += [str(node.module), *(f"{node.module}.{a.name}" for a in node.names)]
    return seen


def test_the_image_holds_all_that_git_knows_of_the_program():
    for needed in ("app.py", "core", "data", "pages", ".streamlit/config.toml"):
        assert needed in copied("prunescope")
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert allowed[1] == "*"
    roots = {line.removeprefix("!") for line in allowed if line.startswith("!")}
    for name in ("lists", "packages", "demo", "prunescope"):
        for source in copied(name):
            assert any(source == root or source.startswith(f"{root}/") for root in roots), source
    assert not roots & {"cache", "tests", ".venv", ".git", ".streamlit"}


def test_torch_s_layer_is_made_again_for_torch_s_own_pins_alone():
    pattern = re.search(r"grep -E '(.+?)'", stage("lists"))
    assert pattern
    named = [line for line in requirements() if re.match(pattern[1], line)]
    assert {line.split("==")[0] for line in named} == {
        *("torch", "torchvision", "numpy", "pillow", "jinja2", "filelock")
    }


def requirements() -> list[str]:
    return (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_the_provider_is_the_one_that_the_tests_sign_in_at():
    version = re.search(r"oidc-provider-mock==(\S+)", stage("provider"))
    assert version
    assert version[1] == pins("requirements-dev.txt")["oidc-provider-mock"]


def test_it_does_not_run_as_root_and_keeps_its_data_in_a_volume():
    last = stage("prunescope")
    assert DOCKERFILE.rstrip().endswith(last.rstrip().splitlines()[-1])
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE) == ["10001"]
    assert "VOLUME /data" in last
    for word in ("ENTRYPOINT", "CMD"):  # a shell in between would keep signals to itself
        assert json.loads(re.findall(rf"^{word} (\[.+\])$", last, re.MULTILINE)[-1])
    assert "HEALTHCHECK" in last


def test_compose_has_the_four_parts():
    assert set(COMPOSE["services"]) == {"dashboard", "worker", "database", "provider"}
    for service in COMPOSE["services"].values():
        assert service["restart"] == "unless-stopped"
    volumes = COMPOSE["volumes"]
    assert set(volumes) == {"data", "database"}
    for service in ("dashboard", "worker"):
        part = COMPOSE["services"][service]
        assert part["volumes"] == ["data:/data"]
        for name in ("PRUNESCOPE_JOBS_DATABASE", "PRUNESCOPE_READER_DATABASE"):
            assert part["environment"][name].startswith("postgresql://")


def test_compose_builds_stages_that_are_there():
    for name in ("dashboard", "provider"):
        target = COMPOSE["services"][name]["build"]["target"]
        assert f" AS {target}\n" in DOCKERFILE


@pytest.mark.parametrize("service", ["dashboard", "worker", "database", "provider"])
def test_what_waits_for_health_waits_for_a_part_that_tells_it(service):
    for other in COMPOSE["services"][service].get("depends_on", {}):
        checked = "healthcheck" in COMPOSE["services"][other]
        assert checked or other == "dashboard", other  # whose check is the image's


def test_a_provider_at_which_anybody_is_anybody_is_published_on_this_machine_alone():
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_compose_tells_secrets_and_roles_in_files_that_toml_reads():
    signing = tomllib.loads(COMPOSE["configs"]["sign-in"]["content"])["auth"]
    assert signing["redirect_uri"] == "http://localhost:8501/oauth2callback"
    assert signing["local"]["server_metadata_url"].startswith("http://localhost:9400/")
    assert set(tomllib.loads(COMPOSE["configs"]["roles"]["content"])["roles"]) == {
        *("admin", "researcher", "reader")
    }
