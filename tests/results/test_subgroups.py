"""Metrics of a subgroup from the ranks kept on disk, and when these are made again."""

import os

import numpy as np
import pytest

from core import results
from core.analysis.metrics import metrics_table
from core.analysis.overall import mean_ap_beside_whole
from core.analysis.subgroup import OneOf, Subgroup
from core.results import slices
from core.study import paths, store
from core.study.labels import label_matrix
from core.study.study import Study
from tests.toys import write_toy_study

CELLS = 8


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(images=False)


def prepared(folder) -> int:
    cells = slices.unprepared(Study(folder))
    return max(slices.prepare(Study(folder), cells), default=0) if cells else 0


def test_a_slice_has_the_metrics_of_its_images(folder):
    assert prepared(folder) == CELLS
    labels = store.read_labels(folder)
    chosen = Subgroup((OneOf("view", ("PA",)),))(labels)
    found = slices.class_metrics(Study(folder), chosen)
    assert list(found.columns) == store.CLASS_METRICS.names
    test = labels.split("test")
    truth = label_matrix(test, labels.class_names)[chosen]
    for run, sparsity in store.finished_cells(folder):
        path = paths.prediction_path(folder, run, sparsity)
        values = store.read_predictions(path, test["image_id"], labels.class_names)[chosen]
        expected = metrics_table(truth, values, labels.class_names)
        cell = found[(found["run"] == run) & (found["sparsity"] == sparsity)]
        for name in slices.METRICS:
            np.testing.assert_allclose(
                cell[name].to_numpy(float), expected[name].to_numpy(float), atol=1e-12
            )


def test_the_slice_of_everything_is_the_study(folder):
    prepared(folder)
    found = slices.class_metrics(Study(folder), np.ones(200, bool))
    whole = store.read_class_metrics(folder)
    for name in ("ap", "auroc", "calibrated_ap"):
        np.testing.assert_allclose(found[name], whole[name].astype(float), atol=1e-12)


def test_ranks_are_made_once_and_again_when_a_prediction_changes(folder):
    prepared(folder)
    assert slices.unprepared(Study(folder)) == []
    path = paths.prediction_path(folder, 1, 0.5)
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)
    assert slices.unprepared(Study(folder)) == [(1, 0.5)]
    assert prepared(folder) == 1
    assert slices.unprepared(Study(folder)) == []


def test_subgroups_of_strangers_leave_nothing_on_disk_but_ranks(folder):
    """Their number has no bound, so no file may be named after one."""
    prepared(folder)
    before = {path for path in folder.rglob("*") if path.is_file()}
    for name, table in results.TABLES.items():
        if table.of_slice:
            for age in (30, 40, 50):
                results.table(Study(folder), name, f"age:{age}-,view:PA")
    made = {path for path in folder.rglob("*") if path.is_file()} - before
    assert made <= {paths.operating_characteristics_path(folder)}, "of all test images"


def test_map_of_a_slice_is_held_against_all_images_over_the_same_classes(folder):
    part = results.table(Study(folder), "class_metrics", "patient_id:patient-0101|patient-0102")
    whole = results.table(Study(folder), "class_metrics")
    found = mean_ap_beside_whole(part, whole)
    names = part.dropna(subset="ap")["class_name"].unique()
    assert 0 < len(names) < found.of_classes
    assert (found.sparsity, found.n_runs, found.n_classes) == (0.9, 2, len(names))
    dense = whole[(whole["sparsity"] == 0) & whole["class_name"].isin(names)]
    assert found.whole_dense == pytest.approx(dense["ap"].astype(float).mean())
    assert found.dense == pytest.approx(part[part["sparsity"] == 0]["ap"].astype(float).mean())
    assert mean_ap_beside_whole(part[part["sparsity"] == 0], whole) is None
