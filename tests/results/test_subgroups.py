"""Metrics of a subgroup from the ranks kept on disk, and when these are made again."""

import os

import numpy as np
import pytest

from core.analysis.metrics import metrics_table
from core.analysis.subgroup import Subgroup
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
    chosen = Subgroup("view", "PA")(labels)
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
