"""The benchmarks run on a small study, say what they measured, and leave nothing behind."""

import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import bench
from benchmarks.analysis import AnalysisBench, BenchStudy, bench_study
from core.analysis.metrics import metrics_table
from core.errors import InputError
from core.study import store
from core.study.labels import class_frequencies, label_matrix

SMALL = BenchStudy(runs=2, sparsities=2, images=200, classes=3)
SIZE = ("--runs", "2", "--sparsities", "2", "--images", "200", "--classes", "3")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def say_nothing(line):
    pass


def call(*arguments):
    result = CliRunner().invoke(bench, [*arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_analysis_bench_prints_both_ways_with_their_samples_and_the_machine(cache):
    out = call("analysis", *SIZE)
    assert out.startswith("2 runs x 2 sparsities x 200 images x 3 classes; ")
    assert "cores, load average" in out
    for column in ("task", "way", "measured", "seconds", "ratio", "goal", "peak_rss_mib"):
        assert column in out
    for words in ("scikit-learn", "pandas corrwith", "reading included", "4 of 4 cells", ">= 50"):
        assert words in out
    assert not list(cache.rglob("*.parquet"))


def test_both_ways_come_to_the_same_numbers():
    with bench_study(SMALL, None, False, say_nothing) as folder:
        table = AnalysisBench()(folder, say_nothing)
    assert len(table) == 6
    differences = pd.to_numeric(table["max_difference"]).dropna()
    assert len(differences) == 3
    assert (differences < 1e-12).all()
    assert (table["peak_rss_mib"] > 0).all() or sys.platform != "linux"


def test_the_pages_bench_prints_percentiles_of_every_widget():
    size = ("--runs", "2", "--sparsities", "3", "--images", "200", "--classes", "3")
    out = call("pages", *size, "--count", "2")
    for column in ("page", "interaction", "visit", "n", "p50_ms", "p95_ms", "goal_ms", "met"):
        assert column in out
    lines = [line.split() for line in out.splitlines()]
    for page in ("overview", "class_ap", "forgettability", "pie_browser"):
        assert any(line[0] == page and "open" in line for line in lines)
    for words in (
        "sparsity slider",
        "class picker",
        "metric switch",
        "pair of classes",
        "subgroup",
    ):
        assert words in out


def test_a_study_found_there_is_used_again_and_stays(tmp_path, cache):
    with bench_study(SMALL, tmp_path / "kept", True, say_nothing) as folder:
        written = (folder / "study.json").stat().st_mtime_ns
    with bench_study(SMALL, tmp_path / "kept", False, say_nothing) as again:
        assert again == folder
    assert (folder / "study.json").stat().st_mtime_ns == written
    assert not cache.exists()


def test_a_study_that_was_not_finished_is_made_anew(tmp_path):
    with bench_study(SMALL, tmp_path, True, say_nothing) as folder:
        (folder / "study.json").unlink()
    with bench_study(SMALL, tmp_path, True, say_nothing) as again:
        assert (again / "study.json").exists()


def test_the_simulated_study_is_one_like_any_other(tmp_path):
    with bench_study(SMALL, tmp_path, True, say_nothing) as folder:
        config, labels = store.read_config(folder), store.read_labels(folder)
        test = labels.split("test")
        assert len(test) == SMALL.images
        assert len(store.finished_cells(folder)) == SMALL.runs * SMALL.sparsities
        truth = label_matrix(test, labels.class_names)
        path = folder / "predictions" / "run=01" / "sparsity=95.parquet"
        predicted = store.read_predictions(path, test["image_id"], labels.class_names)
        metrics = store.read_class_metrics(folder)
        here = metrics[(metrics["run"] == 1) & (metrics["sparsity"] == 0.95)]
        expected = metrics_table(truth, predicted, labels.class_names)
        assert np.array_equal(here["ap"], expected["ap"], equal_nan=True)
        assert list(class_frequencies(labels, config.groups)["class_name"])


def test_pruned_models_of_the_simulation_are_worse_and_rare_classes_first():
    shape = BenchStudy(images=4000, classes=4)
    labels = shape.labels()
    truth = label_matrix(labels.split("test"), labels.class_names)
    auroc = [
        metrics_table(truth, shape.probabilities(truth, 0, sparsity), labels.class_names)["auroc"]
        for sparsity in (0.0, 0.7, 0.95)
    ]
    assert (auroc[2] < auroc[0] - 0.1).all()
    lost = auroc[0] - auroc[1]
    assert lost[2] > lost[0]


def test_without_scikit_learn_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with (
        bench_study(SMALL, None, False, say_nothing) as folder,
        pytest.raises(InputError, match=r"pip install -r requirements-dev\.txt"),
    ):
        AnalysisBench()(folder, say_nothing)
