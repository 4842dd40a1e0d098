"""What notebooks import gives the numbers of exports, and the documented notebook runs."""

import io
import json
import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

import prunescope
from core import results
from core.reporting.figures import FIGURES
from core.results.export import FORMATS, export
from core.results.preparation import make_ready
from core.study.study import find_study
from tests.page_studies import with_rising, with_validation
from tests.toys import TOY_CLASSES, toy_config, write_toy_study

ROOT = Path(__file__).parents[1]
GRID = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]  # no gap hides an onset


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        config = toy_config("demo", sweep={"sparsities": GRID})
        made = write_toy_study("demo", config=config, images=False)
        with_validation(made)
        with_rising(made)
        make_ready(find_study("demo"), lambda done, total: None)
        yield folder


@pytest.fixture
def study(cache):
    return prunescope.open("demo")


@pytest.mark.parametrize("name", ["class_summary", "claims", "pies", "operating_points"])
def test_a_table_is_the_exported_one(study, tmp_path, name):
    out = tmp_path / "table.csv"
    export("demo", name, out)
    assert FORMATS[".csv"](study.table(name)) == out.read_bytes()


def test_a_table_can_be_of_a_subgroup_and_by_another_metric(study):
    table = study.table("class_summary", "view:PA", metric="auroc")
    whole = results.table(find_study("demo"), "class_summary", metric="auroc")
    assert (table["n_positive"] <= whole["n_positive"]).all()
    assert table["n_positive"].sum() < whole["n_positive"].sum()


def test_what_one_changes_in_a_frame_changes_no_other(study):
    study.labels.loc[:, "split"] = "mine"
    study.table("class_metrics").loc[:, "ap"] = 0
    assert set(study.labels["split"]) > {"test"}
    assert study.table("class_metrics")["ap"].max() > 0


def test_predictions_carry_the_ids_of_the_test_images(study):
    one = study.predictions(run=0, sparsity=0.9)
    assert list(one.columns) == ["image_id", *TOY_CLASSES]
    test = study.labels.query("split == 'test'")
    assert one["image_id"].tolist() == test["image_id"].tolist()
    mean = (one[list(TOY_CLASSES)] + study.predictions(1, 0.9)[list(TOY_CLASSES)]) / 2
    pd.testing.assert_frame_equal(mean, study.ensemble(0.9)[list(TOY_CLASSES)], atol=1e-6)


@pytest.mark.parametrize("name", [*FIGURES])
def test_every_figure_says_what_it_shows(study, name):
    figure = study.figure(name)
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text
    assert figure.data


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda study: prunescope.open("none"), "There is no study called 'none'"),
        (lambda study: study.table("none"), "Tables: class_metrics"),
        (lambda study: study.table("claims", metric="ap"), "A metric is for the tables"),
        (lambda study: study.figure("none"), "Figures: mean_ap"),
        (lambda study: study.figure("mean_ap", sparsity=0.9), "takes no sparsity. Options: over"),
        (lambda study: study.figure("class_ap", metric="x"), "There is no metric 'x'. Metrics: ap"),
        (lambda study: study.figure("class_ap", sparsity=0.45), "no sparsity 0.45. Finished: 0.1"),
        (lambda study: study.ensemble(0.45), "no ensemble at sparsity 0.45"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(study, ask, said):
    with pytest.raises(prunescope.InputError, match=re.escape(said)):
        ask(study)


def test_studies_are_listed(cache):
    table = prunescope.studies()
    assert table[["name", "finished"]].to_numpy().tolist() == [["demo", 2 * len(GRID)]]


def cells_of(path: Path) -> list[str]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_of_the_docs_runs_from_top_to_bottom(cache):
    known: dict[str, object] = {}
    for cell in cells_of(ROOT / "docs" / "tutorial-notebook.ipynb"):
        exec(compile(cell, "tutorial-notebook.ipynb", "exec"), known)
    assert isinstance(known["study"], prunescope.Study)


def test_the_notebook_of_the_docs_carries_no_outputs():
    notebook = json.loads((ROOT / "docs" / "tutorial-notebook.ipynb").read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_the_lines_of_the_readme_run(cache):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    exec(compile(block, "README.md", "exec"), {})


def test_a_query_answers_as_the_command_does(study):
    table = study.query("select count(*) as n from predictions")
    assert table["n"][0] == 2 * len(GRID) * 200
    assert pd.read_csv(io.BytesIO(FORMATS[".csv"](table)))["n"][0] == 2 * len(GRID) * 200
