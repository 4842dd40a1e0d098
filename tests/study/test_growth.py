"""Sparsities and runs are added to a study, whose id stays."""

import pytest

from core.errors import InputError
from core.study import paths, store
from core.study.grids import grid_of
from core.study.growth import extended, extension, grown
from tests.toys import toy_config, write_toy_study


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("5, 10,50", (0, 0.05, 0.1, 0.5)),
        ("90 0 90;95", (0, 0.9, 0.95)),
        ("0 %, 50 %, 70%", (0, 0.5, 0.7)),
        ("", (0,)),
        ("99", (0, 0.99)),
    ],
)
def test_a_grid_is_written_in_percent(text, grid):
    assert grid_of(text) == grid


@pytest.mark.parametrize(
    "text", ["100", "0.5", "-5", "five", "1e1", "5000000000", "0000150", "\u0665"]
)
def test_what_is_no_sparsity_is_named(text):
    with pytest.raises(InputError, match=r"is no sparsity\. Give whole percents"):
        grid_of(f"10, {text}")


@pytest.mark.parametrize("grid", [(0, 0.5, 0.9), tuple(at / 100 for at in range(0, 100, 5))])
def test_what_is_added_leaves_the_id(grid):
    config = toy_config("mine", sweep={"sparsities": list(grid)}, runs={"count": 3})
    once = extended(config, (0.85, 0.07), more_runs=2)
    assert once.sweep.sparsities == tuple(sorted({*grid, 0.07, 0.85}))
    assert once.runs.count == 5
    twice = extended(once, (0.03,), more_runs=1)
    assert twice.id == once.id == config.id
    assert (twice.sweep.begun_with, twice.runs.begun_with) == (grid, 3)
    wider = toy_config("mine", sweep={"sparsities": list(once.sweep.sparsities)})
    assert wider.id != config.id, "begun with another grid it is another study"


def test_a_study_never_shrinks():
    config = toy_config("mine", sweep={"sparsities": [0, 0.5]}, runs={"count": 2})
    wider = extended(config, (0.7,), more_runs=1)
    store.write_json(
        {"config": wider.model_dump(mode="json")}, paths.study_json(paths.study_dir(config))
    )
    assert grown(config) == wider
    assert grown(extended(config, (0.3,))).sweep.sparsities == (0, 0.3, 0.5, 0.7)


def test_what_cannot_be_added_is_refused():
    config = toy_config("mine", sweep={"sparsities": [0, 0.5]})
    assert extension(config, (0.5,), 0) == config, "it was stopped, and goes on"
    write_toy_study(config=config, n_images=40, images=False)
    with pytest.raises(InputError, match="has these sparsities already"):
        extension(config, (0.5,), 0)
    for nothing in ((), (0,)):
        with pytest.raises(InputError, match="Say what to add"):
            extension(config, nothing, 0)
    with pytest.raises(InputError, match="Say what to add"):
        extension(config, (0.7,), -1)
