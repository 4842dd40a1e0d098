"""Each recipe of CONTRIBUTING.md, followed with a toy in a copy of the project: it names the files
that are touched, they are few, and what is put into them works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.study.config import read_config
from tests.recipe_toys import RECIPES, Recipe

ROOT = Path(__file__).parents[1]
COPIED = ("core", "pages", "benchmarks", "tools", "tests", "data", "docs", "app.py")
COPIED += ("prunescope.py", "pyproject.toml")
STUDIES = sorted((ROOT / "data" / "studies").glob("*.toml"))
# Of the toys; what it leaves out has its default.
STUDY = """
[study]
name = "toys"
[dataset]
kind = "folders"
images = "images"
[model]
architecture = "two_layers"
image_size = 32
[training]
epochs = 1
batch_size = 16
loss = "squared"
sampler = "with_replacement"
schedule = "linear"
[runs]
count = 2
[pruning]
method = "first_weights"
[repair]
method = "louder"
[sweep]
sparsities = [0, 0.5, 0.9]
"""


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """A copy of the project in which every recipe was followed, and the files that each touched."""
    copy = tmp_path_factory.mktemp("recipes") / "copy"
    copy.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    found: dict[str, set[str]] = {}
    before = digests(copy)
    for recipe in RECIPES:
        for name, puts in recipe.puts.items():
            path = copy / name
            for put in puts:
                path.write_text(put.into(path.read_text() if path.exists() else None))
        after = digests(copy)
        found[recipe.heading] = {name for name in after if after[name] != before.get(name)}
        before = after
    changed = sorted(set().union(*found.values()))
    subprocess.run([sys.executable, "-m", "ruff", "format", "-q", *changed], cwd=copy, check=True)
    return copy, found


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def copy(touched: tuple[Path, dict[str, set[str]]]) -> Path:
    return touched[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a study file of the toys and images of two classes."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "toys.toml").write_text(STUDY)
    (folder / ".streamlit").mkdir()
    shutil.copy(ROOT / ".streamlit" / "config.toml", folder / ".streamlit")
    random = np.random.default_rng(0)
    for patient in range(60):
        path = folder / "images" / ("Mass", "Hernia")[patient % 2] / f"{patient:03}-1.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = random.integers(0, 128, (32, 32), np.uint8) + 100 * (patient % 2)
        Image.fromarray(grey.astype(np.uint8)).save(path)
    return folder


def python(copy: Path, place: Path, *arguments: str) -> str:
    """What Python says where it finds the copy in place of this project, in `place`."""
    environment = {"PYTHONPATH": str(copy), "PRUNESCOPE_CACHE": str(place / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=place,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def files_named(recipe: Recipe) -> set[str]:
    """The files of code and docs in the steps below the recipe's heading: what they begin with."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {recipe.heading}\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)
    named = {re.sub(r"<\w+>", recipe.name, step) for step in steps}
    return {name for name in named if not name.startswith("tests/")}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.heading)
def test_a_recipe_names_the_few_files_that_are_touched(recipe, touched):
    assert touched[1][recipe.heading] == files_named(recipe)
    assert len(files_named(recipe)) <= recipe.most


def test_every_recipe_is_followed():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = text.partition("\n## Recipes\n")[2].partition("\n## Documentation\n")[0]
    assert re.findall(r"^## (.+)$", recipes, re.MULTILINE) == [one.heading for one in RECIPES]


def test_style_and_imports_are_as_they_should_be(touched):
    copy, found = touched
    lint = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    python(copy, copy, "-m", "ruff", "check", *set().union(*found.values()))
    assert "0 broken" in python(copy, copy, "-c", lint)


def test_the_reference_takes_everything_in(copy):
    python(copy, copy, "-m", "tools.reference")
    says = {path.stem: path.read_text() for path in (copy / "docs" / "reference").glob("*.md")}
    for words in (
        *("`first_weights`: the first ones first.", "`squared`: squared error"),
        *("`with_replacement`: each time any image", "`louder`: larger weights"),
        "`linear`: down to 0",
        *("Images in a folder for each class.", "`patient_digits`", "`two_layers`"),
    ):
        assert words in says["study-file"], words
    for words in ("## pair_gaps", "The largest gap between two curves.", "`fcd_share`"):
        assert words in says["tables"], words
    for words in ("**Furthest apart**", "most differently", "How many pairs are listed."):
        assert words in says["pages"], words


def test_ids_of_studies_without_them_stay(copy, place):
    ids = """
import sys
from pathlib import Path
from core.study.config import read_config
for path in sys.argv[1:]:
    print(read_config(Path(path)).id)
"""
    assert len(STUDIES) > 3
    said = python(copy, place, "-c", ids, *map(str, STUDIES))
    assert said.split() == [read_config(path).id for path in STUDIES]


LOOK = """
import pandas as pd
from streamlit.testing.v1 import AppTest
from core.analysis.class_pairs import CLASS_PAIRS
from core.ui import tables
import prunescope
study = prunescope.open("toys")
assert study.config.dataset.title == "A folder a class"
assert set(study.labels["split"]) == {"train", "validation", "test"}
gaps = study.table("pair_gaps", metric="auroc")
assert gaps[["class_a", "class_b"]].to_numpy().tolist() == [["Hernia", "Mass"]]
assert pd.read_csv("gaps.csv").columns.tolist() == gaps.columns.tolist()
assert study.table("class_pairs")["fcd_share"].tolist() == [1.0]
assert tables.headers(CLASS_PAIRS)["fcd_share"]["label"] == "Share of FCD"
zeros = study.table("achieved_sparsity")
assert zeros[zeros["layer"] == "4.weight"]["n_zero"].eq(0).all()
assert zeros[zeros["layer"] == "0.weight"]["n_zero"].max() == round(0.9 * (600 + 64))
shell = AppTest.from_file(f"{prunescope.__file__.removesuffix('prunescope.py')}pages/shell.py")
shell.query_params["pairs"] = "7"
page = shell.run(timeout=90).switch_page("furthest_apart.py").run(timeout=90)
assert not page.exception and not page.error, page
assert page.slider(key="pairs").value == 7
assert page.title[0].value == "Furthest apart"
assert page.dataframe[0].value["fcd"].notna().all()
"""


def test_a_study_of_them_runs_and_is_shown(copy, place):
    python(copy, place, "-m", "core.cli", "run", "toys.toml")
    python(copy, place, "-m", "core.cli", "export", "toys", "pair_gaps", "--out", "gaps.csv")
    (place / "look.py").write_text(LOOK)  # a file, so that an error shows its line
    python(copy, place, "look.py")


def test_what_is_tested_of_every_one_holds_of_them(copy):
    files = ("registries", "pruning", "losses", "samplers", "schedules", "models")
    chosen = ("registries or first_weights or squared or with_replacement or linear or two_layers",)
    chosen += ("every_kind or every_dataset",)
    paths = [f"tests/engine/test_{name}.py" for name in files]
    paths += ["tests/datasets/test_datasets.py", "tests/study/test_study.py"]
    said = python(copy, copy, "-m", "pytest", "-q", "-n0", *paths, "-k", " or ".join(chosen))
    assert re.search(r"\d\d passed", said), said
