"""What pages need at once is there when a study is finished: nobody waits for it on a page."""

import pytest

from core.results import image_curves, subgroups, tables
from core.results import preparation as ready
from tests.toys import write_toy_study


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


def test_a_study_made_ready_leaves_nothing_for_pages_to_make():
    folder = write_toy_study(images=False)
    assert not tables.moments_kept(folder)
    told = []
    ready.make_ready(folder, lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert tables.moments_kept(folder)
    assert subgroups.unprepared(folder) == []
    assert image_curves.unprepared(folder, image_curves.key(folder)) == []


def test_a_study_of_dense_models_alone_is_ready_too():
    folder = write_toy_study(images=False)
    for path in folder.rglob("sparsity=*.parquet"):
        if path.name != "sparsity=00.parquet":
            path.unlink()
    ready.make_ready(folder, lambda done, total: None)
    assert not tables.moments_kept(folder)
