"""The dashboard's benchmark asks a real server as people do, and says which goal was missed."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.browser import browser_study, dashboard
from benchmarks.dashboard import ACTIONS, PAGES, DashboardBench, DashboardStudy, missed
from benchmarks.visitor import visiting
from core.errors import WorkError
from core.study import paths, store

SMALL = DashboardStudy(runs=2, sparsities=3, images=600, classes=4, distinct_images=7)


def say_nothing(line):
    pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder in force that holds the small study."""
    with browser_study(SMALL, tmp_path_factory.mktemp("bench"), False, say_nothing) as folder:
        yield folder


@pytest.fixture(scope="module")
def address(cache):
    with dashboard() as (there, _, _):
        yield there


@pytest.fixture
def visitor(address):
    with visiting(address, SMALL.name) as someone:
        yield someone


def test_a_visitor_is_shown_what_she_asks_for(visitor):
    visitor.open("class_ap", losses="true")  # where the chart hangs on the sparsity
    assert visitor.options("sparsity") == ["48", "95"]
    at_95 = visitor.charts()
    asked = visitor.pick("sparsity", "48")
    assert visitor.charts() != at_95
    assert visitor.pick("sparsity", "95").state != asked.state
    assert visitor.charts() == at_95


def test_a_visitor_fetches_the_grid_of_x_rays_once_as_a_browser_does(visitor):
    assert visitor.open("pie_browser").n_pictures == 24
    assert visitor.again().n_pictures == 0
    assert visitor.n_pages("page") == 2  # 5 % of 600 images are 30 PIEs
    turned = visitor.turn("page", 2)
    assert turned.n_pictures == 6
    assert turned.with_pictures >= turned.seconds
    first, *_ = visitor.cards()
    visitor.open_card("xray_viewer", first)
    assert first in visitor.query


def test_what_a_page_takes_back_a_visitor_does_not_send_again(visitor):
    visitor.open("class_ap")
    key = visitor.keys("subgroup-")[0]
    visitor.pick(key, visitor.options(key)[0])
    assert "subgroup" in visitor.query
    visitor.click("all-test-images")
    visitor.again()
    assert "subgroup" not in visitor.query


def test_a_visitor_says_what_a_page_does_not_have(visitor):
    visitor.open("jobs")
    with pytest.raises(WorkError, match="'jobs' has no widget 'sparsity'"):
        visitor.options("sparsity")


def test_the_bench_opens_every_page_and_changes_everything_for_one_person_and_for_more(cache):
    times, memory = DashboardBench(1, moves=1, think=0, people=2, training=0, servers=2)(
        cache, say_nothing
    )
    for people in ("1", "2"):
        of_people = times[times["people"] == people]
        assert set(of_people["page"]) == {page or "overview" for page in PAGES}
        done = set(zip(of_people["page"], of_people["action"], strict=True))
        assert done >= {(action.page, action.name) for action in ACTIONS}
    assert (times["p95_ms"] >= times["p50_ms"]).all()
    alone = times[times["people"] == "1"]
    assert set(alone.loc[alone["action"] == "open", "visit"]) == {"first"}
    assert len(memory) == 3
    assert (memory["mb"] > 50).all()


def test_goals_that_were_missed_are_named_the_worst_first():
    row = {"people": "8", "page": "class_ap", "visit": "again", "p50_ms": 1, "goal_ms": 100}
    times = pd.DataFrame(
        [
            {**row, "action": "open", "p95_ms": 90, "of_goal": 0.9},
            {**row, "action": "metric", "p95_ms": 150, "of_goal": 1.5},
            {**row, "action": "slider", "p95_ms": 300, "of_goal": 3.0},
        ]
    )
    memory = pd.DataFrame(
        [("server", 1600.0, 1500), ("worker", 5000.0, None)], columns=["what", "mb", "goal_mb"]
    )
    assert missed(times, memory) == [
        "class_ap, slider (again), 8 at once: p95 300 ms, goal 100",
        "class_ap, metric (again), 8 at once: p95 150 ms, goal 100",
        "server: 1600 MB, goal 1500",
    ]


def test_a_study_made_sparse_holds_as_many_predictions_in_less_disk(tmp_path):
    shape = DashboardStudy(runs=7, sparsities=2, images=20, classes=3, distinct_images=4).times(2)
    assert (shape.images, shape.distinct_runs) == (40, 3)
    with browser_study(shape, tmp_path, False, say_nothing) as folder:
        files = [paths.prediction_path(folder, run, 0.95) for run in range(7)]
        assert len({file.stat().st_ino for file in files}) == 3
        assert files[0].samefile(files[6])
        assert not files[0].samefile(files[1])
        test = store.read_labels(folder).split("test")
        known = test["image_id"], shape.class_names
        mean = np.mean([store.read_predictions(file, *known) for file in files], axis=0)
        ensemble = store.read_predictions(paths.ensemble_path(folder, 0.95), *known)
        assert np.allclose(mean, ensemble, atol=1e-6)
        images = store.read_config(folder).dataset.images
        assert len({(images / path).stat().st_ino for path in test["path"]}) == 4
