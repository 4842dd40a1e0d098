"""What pages need at once is there when a study is finished: nobody waits for it on a page."""

import pytest

from core.results import image_curves, slices
from core.results import preparation as ready
from core.results.moments import moments
from core.study.study import Study
from tests.toys import write_toy_study


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


def test_a_study_made_ready_leaves_nothing_for_pages_to_make():
    folder = write_toy_study(images=False)
    assert not moments.is_there(Study(folder))
    told = []
    ready.make_ready(Study(folder), lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert moments.is_there(Study(folder))
    assert slices.unprepared(Study(folder)) == []
    assert image_curves.unprepared(Study(folder)) == []


def test_a_study_of_dense_models_alone_is_ready_too():
    folder = write_toy_study(images=False)
    for path in folder.rglob("sparsity=*.parquet"):
        if path.name != "sparsity=00.parquet":
            path.unlink()
    ready.make_ready(Study(folder), lambda done, total: None)
    assert not moments.is_there(Study(folder))
