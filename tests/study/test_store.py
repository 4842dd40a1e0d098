"""Files are whole or not there; damage is seen; predictions are matched by id, never by row."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError, WorkError
from core.results.query import query
from core.study import paths, store
from core.study.study import Study
from tests.toys import TOY_CLASSES, toy_config, toy_labels, write_toy_study

IDS = pd.Series(["b", "a", "c"])
NAMES = ("Effusion", "Hernia")


@pytest.fixture
def cell(tmp_path):
    path = tmp_path / "predictions" / "run=00" / "sparsity=90.parquet"
    store.write_predictions(IDS, np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), NAMES, path)
    return path


def test_predictions_are_matched_by_image_id(cell):
    order = pd.Series(["c", "b", "a"])
    assert store.read_predictions(cell, order, NAMES)[:, 0] == pytest.approx([0.5, 0.1, 0.3])
    assert store.predictions_problem(cell, order, NAMES) is None


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (pd.Series(["a", "b"]), NAMES),
        (pd.Series(["a", "b", "x"]), NAMES),
        (IDS, ("Effusion", "Mass")),
    ],
)
def test_a_file_of_other_images_or_classes_is_a_problem(cell, ids, names):
    assert "sparsity=90.parquet" in store.predictions_problem(cell, ids, names)


def test_every_truncation_is_seen(cell):
    whole = cell.read_bytes()
    for length in range(0, len(whole), 37):
        cell.write_bytes(whole[:length])
        assert store.predictions_problem(cell, IDS, NAMES)


def test_a_flipped_byte_among_the_values_is_seen_or_changes_nothing(cell):
    whole, values = cell.read_bytes(), store.read_predictions(cell, IDS, NAMES)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    seen = 0
    for position in range(4, footer):
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        cell.write_bytes(flipped)
        if store.predictions_problem(cell, IDS, NAMES):
            seen += 1
        else:
            assert np.array_equal(store.read_predictions(cell, IDS, NAMES), values), position
    assert seen > (footer - 4) / 2


def test_values_that_are_not_finite_are_never_written(tmp_path):
    path = tmp_path / "cell.parquet"
    with pytest.raises(WorkError, match="NaN"):
        store.write_predictions(IDS, np.full((3, 2), np.nan), NAMES, path)
    assert not path.exists()


def test_a_writer_killed_half_way_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.json"
    store.write_json({"generation": 1}, path)
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from core.study.store import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9
    assert store.read_json(path) == {"generation": 1}


def test_labels_come_back_as_they_were(tmp_path):
    labels = toy_labels()
    labels.table.loc[3, "Nodule"] = pd.NA
    store.write_labels(labels, tmp_path)
    again = store.read_labels(tmp_path)
    assert again.class_names == labels.class_names
    assert again.fingerprint() == labels.fingerprint()
    assert again.table.loc[3, "Nodule"] is pd.NA
    assert again.attributes == ("age", "view")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    return write_toy_study(images=False)


def test_a_study_is_found_by_its_name(toy):
    assert store.find_study("toy") == toy
    with pytest.raises(InputError, match="Studies here: toy"):
        store.find_study("absent")


def test_the_ensemble_is_the_mean_over_runs(toy):
    ids = store.read_labels(toy).split("test")["image_id"]
    files = [paths.prediction_path(toy, run, 0.9) for run in (0, 1)]
    cells = [store.read_predictions(path, ids, TOY_CLASSES) for path in files]
    mean = store.read_predictions(paths.ensemble_path(toy, 0.9), ids, TOY_CLASSES)
    assert mean == pytest.approx(np.mean(cells, axis=0), abs=1e-7)


def test_a_query_reads_every_cell_with_its_run_and_sparsity(toy):
    sql = "select sparsity, count(*) as n, avg(Hernia) as mean from predictions group by 1"
    table = query(Study(toy), sql + " order by 1")
    assert table["sparsity"].tolist() == [0, 0.5, 0.9, 0.95]
    assert table["n"].tolist() == [2 * 200] * 4
    ids = store.read_labels(toy).split("test")["image_id"]
    dense = [
        store.read_predictions(paths.prediction_path(toy, run, 0), ids, ("Hernia",))
        for run in (0, 1)
    ]
    assert table["mean"][0] == pytest.approx(np.mean(dense), abs=1e-6)
    assert store.finished_cells(toy)[:2] == [(0, 0.0), (0, 0.5)]


def test_a_query_knows_every_table_of_the_export_and_joins_it(toy):
    table = query(
        Study(toy),
        "select class_name, group_concat(distinct verdict) as verdict from class_summary, claims "
        "where statistic <> 'pies' group by 1 order by 1",
    )
    assert table["class_name"].tolist() == sorted(TOY_CLASSES)
    pies = query(Study(toy), "select p.image_id from pies p join labels using (image_id)")
    assert len(pies) == 200


def test_a_query_joins_labels_metrics_and_ensembles(toy):
    joined = query(
        Study(toy),
        "select count(*) as n from ensembles join labels using (image_id) "
        "where sparsity = 0.9 and split = 'test'",
    )
    assert joined["n"].tolist() == [200]
    ap = "select ap from class_metrics where run = 0 and sparsity = 0 and class_name = 'Hernia'"
    known = store.read_class_metrics(toy).set_index(["run", "sparsity", "class_name"])["ap"]
    assert query(Study(toy), ap)["ap"].tolist() == [known[0, 0.0, "Hernia"]]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "drop view labels",
        "select 1; select 2",
        "copy labels to 'stolen.csv'",
        "attach 'other.db'",
        "set enable_external_access = true",
        "select * from read_text('/etc/hostname')",
        "select * from read_csv('pyproject.toml')",
        "select nothing from labels",
        "selct",
    ],
)
def test_a_query_changes_nothing_and_reads_nothing_else(toy, sql):
    with pytest.raises(InputError):
        query(Study(toy), sql)


def test_class_names_with_quotes_are_columns_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "it's here"))
    folder = paths.study_dir(toy_config())
    name = 'Nodule "small"; drop table x'
    path = paths.prediction_path(folder, 0, 0.0)
    store.write_predictions(IDS, np.array([[0.1], [0.2], [0.3]]), (name,), path)
    assert len(query(Study(folder), "select * from predictions")[name]) == 3


def test_class_names_of_columns_and_alike_but_for_case_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    folder = paths.study_dir(toy_config())
    names = ("filename", "run", "Mass", "mass", "_file")
    rows = np.array([[0.1, 0.2, 0.3, 0.4, 0.5]] * len(IDS))
    for path in (paths.prediction_path(folder, 2, 0.5), paths.ensemble_path(folder, 0.5)):
        store.write_predictions(IDS, rows, names, path)
    of_runs = query(Study(folder), "select * from predictions")
    assert of_runs.columns.tolist()[:3] == ["run", "sparsity", "image_id"]
    assert of_runs[["run", "filename", "run_1", "Mass", "mass_1", "_file"]].iloc[0].tolist() == (
        pytest.approx([2, 0.1, 0.2, 0.3, 0.4, 0.5])
    )
    mean = query(Study(folder), "select filename, run, mass_1 from ensembles")
    assert mean.iloc[0].tolist() == pytest.approx([0.1, 0.2, 0.4])


@pytest.mark.parametrize(
    "above",
    ["run=5", "sparsity=7", "run=5/sparsity=7.parquet", "a [b] *c ?d", "[ab]", "*", "{a,b}", "**",
     "a]b", "it's [here]", "[!x]", "100%"],
)  # fmt: skip
def test_a_query_gives_the_same_wherever_the_cache_lies(tmp_path, monkeypatch, above):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / above / "cache"))
    other = tmp_path / "b" / "cache"  # what a pattern might mean as well
    for cache in (str(other), str(tmp_path / above / "cache")):
        monkeypatch.setenv("PRUNESCOPE_CACHE", cache)
        folder = paths.study_dir(toy_config())
        for run, sparsity in ((0, 0.0), (1, 0.9)):
            path = paths.prediction_path(folder, run, sparsity)
            store.write_predictions(IDS, np.array([[0.1], [0.2], [0.3]]), ("Mass",), path)
        path = paths.ensemble_path(folder, 0.9)
        store.write_predictions(IDS, np.array([[0.1], [0.2], [0.3]]), ("Mass",), path)
    sql = "select distinct run, sparsity, count(*) over () as n from predictions order by 1"
    assert query(Study(folder), sql).to_numpy().tolist() == [[0, 0, 6], [1, 0.9, 6]]
    assert query(Study(folder), "select distinct sparsity from ensembles")["sparsity"][0] == 0.9
