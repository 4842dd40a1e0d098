"""An opened study reads each file once, and its stamps change with the files they are over."""

import os

import numpy as np
import pytest

from core import results
from core.results.agreements import agreements, paper_pies
from core.study import paths, store
from core.study.study import ENSEMBLES, LABELS, PREDICTIONS, VALIDATION, Study
from tests.toys import TOY_CLASSES, write_toy_study


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(images=False)


def test_one_cold_table_reads_the_labels_once(folder, monkeypatch):
    read = []
    read_table = store.read_table
    monkeypatch.setattr(store, "read_table", lambda path: read.append(path) or read_table(path))
    assert len(results.table(Study(folder), "pies")) == 200
    assert read.count(paths.labels_path(folder)) == 1


def test_it_knows_what_is_finished(folder):
    study = Study(folder)
    assert (study.name, study.runs(0.0, 0.9)) == ("toy", [0, 1])
    assert study.grid == list(study.runs_by_sparsity) == [0.0, 0.5, 0.9, 0.95]
    paths.prediction_path(folder, 1, 0.9).unlink()
    assert study.runs(0.9) == [0, 1], "a study is as it was when it was opened"
    assert Study(folder).runs(0.9) == [0]
    assert Study(folder).runs_by_sparsity[0.9] == [0]


def test_the_ensemble_is_the_mean_of_its_predictions(folder):
    study = Study(folder)
    mean = np.mean([study.predictions(run, 0.5) for run in (0, 1)], axis=0)
    assert study.ensemble(0.5) == pytest.approx(mean, abs=1e-7)
    assert study.test.truth.shape == (200, len(TOY_CLASSES)) == study.ensemble(0.5).shape


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        (paths.labels_path, {LABELS, PREDICTIONS, ENSEMBLES, VALIDATION}),
        (lambda folder: paths.prediction_path(folder, 1, 0.5), {PREDICTIONS}),
        (lambda folder: paths.ensemble_path(folder, 0.5), {ENSEMBLES}),
    ],
)
def test_a_stamp_changes_with_its_files_and_no_others(folder, changed, of):
    names = (LABELS, PREDICTIONS, ENSEMBLES, VALIDATION)
    before = Study(folder)
    known = {name: before.stamp(name) for name in names}
    path = changed(folder)
    os.utime(path, ns=(path.stat().st_mtime_ns + 10**9,) * 2)
    assert before.stamp(PREDICTIONS) == known[PREDICTIONS]
    assert {name for name in names if Study(folder).stamp(name) != known[name]} == of


def test_what_is_kept_is_of_the_files_there_are_and_not_of_those_seen_before(folder):
    last = paths.ensemble_path(folder, 0.95)
    held = last.read_bytes()
    last.unlink()
    early = Study(folder)
    assert 0.95 not in early.grid
    last.write_bytes(held)
    agreements(early)
    assert len(paper_pies(Study(folder), 0.95)) == 200
