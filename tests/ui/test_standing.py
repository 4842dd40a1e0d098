"""Which study a visitor means who names none, and how far each is in words."""

from __future__ import annotations

import os
from itertools import count

import pytest

from core.study import paths
from core.study.progress import Progress
from core.study.study import Study
from core.ui import standing
from core.ui.view import View
from tests.toys import toy_config, write_toy_study

TIMES = count(10**9, 86400)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    waits = frozenset({paths.study_dir(made("waits")).name})
    monkeypatch.setattr(standing, "_queued", lambda: waits)


def made(name: str, n_runs: int = 2):
    return toy_config(name, runs={"count": n_runs})


def study(name: str, n_runs: int = 2, state: str = "") -> View:
    """A later one than all before; without a state nobody has written down how far it is."""
    folder = write_toy_study(name, 100, made(name, n_runs), images=False)
    if state:
        progress = Progress(folder, 5)
        progress.start("training", "epochs")
        if state != "running":
            progress.end(state)
    time = next(TIMES)
    os.utime(paths.study_json(folder), (time, time))
    return View(name, Study(folder))


def test_a_later_test_or_unfinished_study_does_not_hide_one_with_a_result() -> None:
    real, small = study("real", 3), study("small", 2)
    running, failed = study("running", 5, "running"), study("failed", 5, "failed")
    assert standing.meant([small, failed, running, real]) == real
    assert standing.meant([failed, running, small]) == small, "finished, if small"
    assert standing.meant([running, failed]) == failed, "the newest with any results"
    newer = study("newer", 3, "finished")
    assert standing.meant([real, newer, running]) == newer


def test_the_only_study_is_meant_whatever_its_state() -> None:
    only = study("only", 2, "running")
    paths.class_metrics_path(only.folder).unlink()
    assert standing.meant([only]) == only


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("", "finished"),
        ("finished", "finished"),
        ("running", "running, 1 of 2 runs so far"),
        ("failed", "failed after 1 of 2 runs"),
        ("cancelled", "cancelled after 1 of 2 runs"),
    ],
)
def test_how_far_a_study_is(state: str, told: str) -> None:
    of = study("of", 2, state)
    paths.prediction_path(of.folder, 1, 0.95).unlink()
    assert standing.told(of) == told


def test_a_study_that_waits_for_a_worker_is_queued() -> None:
    assert standing.state(study("waits", 2, "cancelled")) == "queued"
