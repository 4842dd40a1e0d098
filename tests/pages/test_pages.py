"""Every page, without a browser: it draws, and where it cannot it says why."""

import re
import time
from dataclasses import asdict

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.class_changes import LEAST_PATIENTS
from core.study import paths, store
from core.study.progress import Report
from tests import page_studies
from tests.toys import toy_config, toy_labels, write_toy_study

PAGES = (
    "overview.py",
    "class_ap.py",
    "forgettability.py",
    "safe_sparsity.py",
    "pie_browser.py",
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache with every kind of study; written once, only read."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        page_studies.write_pair_study()
        page_studies.write_started_study()
        page_studies.write_odd_study()
        write_toy_study()
    return folder


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))


@pytest.fixture
def full_cache(cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


FOLDED = (
    *("claims", "mean_ap", "frequencies", "facts"),  # Overview
    *("losses", "operating", "rarity", "summary"),  # Class AP
    *("goes_with", "interaction"),  # Forgettability
    *("groups", "verdicts"),  # Safe sparsity
)


def open_page(script: str, /, folded: bool = False, **address: str) -> AppTest:
    """A page with all its sections unfolded, or as somebody finds it."""
    if not folded:
        address = dict.fromkeys(FOLDED, "true") | address
    at = AppTest.from_file("../../pages/shell.py", default_timeout=90)
    at.query_params.update(address)
    at.run()
    if script != "overview.py":
        at.switch_page(script)
        at.query_params.update(address)
        at.run()
    assert not at.exception, at.exception[0].message
    return at


def said(at: AppTest) -> str:
    elements = [*at.title, *at.markdown, *at.info, *at.warning, *at.error, *at.text]
    captions = [f"{e.value} {e.proto.help}".strip() for e in at.caption]  # what hover shows goes on
    on_hover = [e.proto.help for e in at.markdown if e.proto.help]
    bodies = [e.proto.body for e in at.get("html")]
    told = [*(str(e.value) for e in elements), *captions, *on_hover, *bodies]
    return "\n".join(told).replace("\u00a0", " ")


@pytest.mark.parametrize("script", PAGES)
def test_without_a_study_a_page_says_how_to_get_one(script):
    text = said(open_page(script))
    assert "make demo" in text
    assert "prunescope run" in text


@pytest.mark.parametrize("script", PAGES)
@pytest.mark.parametrize("name", ["toy", "pair", "odd"])
def test_every_page_draws_every_study(script, name, full_cache):
    at = open_page(script, study=name)
    assert at.session_state["study"] == name
    assert not at.error
    if script != "pie_browser.py":
        assert at.get("plotly_chart")


@pytest.mark.parametrize("script", PAGES)
def test_a_study_without_finished_cells_says_so(script, full_cache):
    at = open_page(script, study="started")
    assert at.info


@pytest.fixture(scope="module")
def dense_cache(tmp_path_factory):
    """A finished study of the dense network only."""
    folder = tmp_path_factory.mktemp("dense")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        config = toy_config("dense", folder / "images", sweep={"sparsities": [0.0]})
        page_studies.write_study(config, toy_labels(200))
    return folder


@pytest.mark.parametrize("script", [*PAGES, "reader_results.py"])
def test_a_study_of_the_dense_network_says_how_to_prune_it(script, dense_cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(dense_cache))
    at = open_page(script, study="dense")
    assert any("prunescope extend dense" in one.value for one in at.info)
    assert "is below dense" not in said(at)


def test_class_ap_of_the_dense_network_is_a_table_with_intervals(dense_cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(dense_cache))
    at = open_page("class_ap.py", study="dense")
    assert not at.get("plotly_chart")
    table = at.dataframe[0].value
    known = table[table["n_positive_patients"] >= LEAST_PATIENTS]
    assert 0 < len(known) < len(table)
    assert (known["ci_low"] < known["dense"]).all()
    assert (known["dense"] < known["ci_high"]).all()


@pytest.mark.parametrize("script", PAGES)
def test_an_unknown_study_is_named_not_silently_replaced(script, full_cache):
    at = open_page(script, study="<b>gone</b>")
    assert "There is no study called" in at.warning[0].value
    assert "<b>" not in at.warning[0].value.replace(r"\<b\>", "")


@pytest.mark.parametrize("script", PAGES)
def test_bad_values_in_the_address_are_ignored(script, full_cache):
    nonsense = dict.fromkeys(
        ("sparsity", "metric", "scale", "classes", "first", "second", "order", "page", "image"),
        "'\"><script>",
    )
    open_page(script, study="toy", **nonsense)


def test_the_address_is_the_state(full_cache):
    at = open_page("class_ap.py", study="toy", sparsity="50", metric="auroc", classes="Hernia")
    assert at.select_slider(key="sparsity").value == 50
    assert at.multiselect(key="classes").value == ["Hernia"]
    assert "Hernia" in said(at)
    assert "AUROC by 50 % sparsity" in said(at)


def test_moving_the_slider_re_sorts_the_table(full_cache):
    at = open_page("class_ap.py", study="toy", losses="true")
    at.select_slider(key="sparsity").set_value(95).run()
    table = at.dataframe[0].value
    assert table["relative_change"].is_monotonic_increasing
    assert "95 % sparsity" in said(at)


def test_few_positives_are_shown_and_marked(full_cache):
    at = open_page("class_ap.py", study="toy", losses="true")
    table = at.dataframe[0].value.set_index("class_name")
    assert bool(table["unstable"]["Hernia"])
    assert not bool(table["unstable"]["Effusion"])


def test_a_class_without_positives_has_no_ap_and_is_counted(full_cache):
    assert "1 class without a positive left out" in said(open_page("overview.py", study="odd"))
    table = (
        open_page("class_ap.py", study="odd", losses="true")
        .dataframe[0]
        .value.set_index("class_name")
    )
    assert table["relative_change"].isna()["Never seen"]


def test_what_is_folded_is_made_when_somebody_opens_it(full_cache):
    def n_charts(**opened: str) -> int:
        at = open_page("class_ap.py", folded=True, study="toy", **opened)
        return len(at.get("plotly_chart"))

    assert n_charts() == 1
    assert n_charts(losses="true") == 2


def test_both_correlations_are_shown_with_n(full_cache):
    text = said(open_page("class_ap.py", study="toy", reading="paper")).replace("\\", "")
    assert text.count("### AP: ") == 2
    assert "n = 5 classes" in text


def test_a_pair_is_chosen_in_the_address(full_cache):
    at = open_page("forgettability.py", study="toy", first="Nodule", second="Hernia")
    assert "Nodule and Hernia" in said(at)
    at.selectbox(key="second").set_value("Nodule").run()
    assert "Choose two different classes" in at.info[0].value


def test_pies_are_counted_and_their_images_come_from_our_route(full_cache):
    text = said(open_page("pie_browser.py", study="toy"))
    assert "PIEs: 10 of 200 test images" in text
    assert text.count('<img src="/xray/') == 10


def test_images_that_cannot_be_ranked_are_counted(full_cache):
    text = said(open_page("pie_browser.py", study="odd"))
    assert "3 test images without an agreement" in text


def test_hostile_names_never_become_html(full_cache):
    for script in PAGES:
        for body in (e.proto.body for e in open_page(script, study="odd").get("html")):
            assert "<img src=x" not in body
            assert "<b>mass" not in body


def test_an_image_opens_beside_the_grid_and_closes(full_cache):
    at = open_page("pie_browser.py", study="toy")
    at.query_params["image"] = re.search(r'data-image="([^"]+)"', said(at))[1]
    at.run()
    assert "1 of 10" in said(at)
    next(b for b in at.button if b.label == "Close").click().run()
    assert "image" not in at.query_params


def report(**values) -> Report:
    now = time.time()
    defaults = {
        "state": "running", "stage": "training run 1", "stage_number": 1, "n_stages": 4,
        "done": 50, "total": 100, "unit": "images", "stage_started": now - 10,
        "started": now - 10, "updated": now, "pid": 1,
    }  # fmt: skip
    return Report(**(defaults | values))


@pytest.mark.parametrize("script", PAGES)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ""),
        ({"updated": time.time() - 600}, "Interrupted"),
        ({"state": "failed", "message": "<b>Disk</b> full."}, "The last run failed"),
        ({"state": "cancelled"}, "cancelled"),
    ],
)
def test_work_in_progress_is_shown_as_it_stands(script, given, expected):
    folder = page_studies.write_started_study()
    store.write_json(asdict(report(**given)), paths.progress_path(folder))
    at = open_page(script)
    assert expected in said(at)
    assert "Disk</b>" not in said(at).replace(r"\</b\>", "")


def test_the_tour_is_folded_on_a_study_of_ones_own_and_opens_from_its_address(full_cache):
    told = "smallest weights to zero"
    assert told not in said(open_page("overview.py", study="toy"))
    assert told in said(open_page("overview.py", study="toy", tour="true"))


@pytest.mark.parametrize("has_results", [False, True])
def test_the_tour_is_open_on_a_demonstration_until_there_is_an_answer(has_results):
    config = toy_config("shown", dataset={"kind": "phantom"})
    labels = toy_labels()
    if has_results:
        page_studies.write_study(config, labels)
    else:
        store.write_labels(labels, paths.study_dir(config))
        store.write_json(
            {"config": config.model_dump(mode="json")}, paths.study_json(paths.study_dir(config))
        )
    assert ("smallest weights to zero" in said(open_page("overview.py"))) != has_results


def test_overview_says_what_was_repaired_in_images(full_cache):
    text = said(open_page("overview.py", study="odd"))
    assert "2 images: the rescale slope is 0, missing or no number; 1 is taken" in text
    assert "(first: odd" in text
    assert "Repaired images" not in said(open_page("overview.py", study="toy"))


def test_overview_lists_the_images_that_were_left_out_and_why(full_cache):
    tables = [one.value for one in open_page("overview.py", study="odd").dataframe]
    (skipped,) = [table for table in tables if table.columns[0] == "Skipped image"]
    assert skipped.to_numpy().tolist() == [["broken<b>.png", "it is empty"]]


def test_overview_opens_with_the_answer_and_the_claims(full_cache):
    at = open_page("overview.py", study="toy")
    text = said(at)
    answer = next(line for line in text.split("\n") if line.startswith("## "))
    assert answer.startswith(("## Forgotten first: ", "## Which classes go first cannot be told"))
    assert "**Is it rarity?**" in text
    assert "Not judged, with fewer than 10 patients in the test set" in text.replace("\\", "")
    claims = next(html.value for html in at.get("html") if "ps-table" in html.value)
    assert claims.count('<th scope="row">') == 9
    assert "By the paper\u2019s statistic" in claims


def test_one_run_says_nothing_of_other_trainings(full_cache):
    text = said(open_page("overview.py", study="odd")).replace("\\", "")
    assert "cannot be told here: one run says nothing of other trainings." in text


def test_an_unfinished_study_has_no_answer_yet():
    folder = write_toy_study()
    store.write_json(asdict(report()), paths.progress_path(folder))
    store.write_json(
        {"config": toy_config(runs={"count": 3}).model_dump(mode="json")}, paths.study_json(folder)
    )
    text = said(open_page("overview.py"))
    assert "So far, 2 of 3 runs" in text.replace("\\", "")
    assert "Forgotten first" not in text
    assert "tested here" not in text
    first = next(line for line in text.split("\n") if "First to lose" in line)
    metrics = pd.read_parquet(paths.class_metrics_path(folder))
    half = metrics[(metrics["run"] == 0) & (metrics["sparsity"] < 0.9)]  # of a run at work
    half = half.assign(run=2, auroc=half["auroc"].where(half["sparsity"] == 0, 0.5))
    store.write_table(pd.concat([metrics, half]), paths.class_metrics_path(folder))
    again = said(open_page("overview.py"))
    assert "So far, 2 of 3 runs" in again.replace("\\", "")
    assert first in again


def test_class_ap_calls_observed_first_drops_by_another_name(full_cache):
    page = open_page("class_ap.py", study="toy", metric="auroc", reading="paper")
    text = said(page).replace("\\", "").replace("\u00a0", " ")
    assert "First drops of AUROC, by the paper: " in text
    assert "Forgotten first: " not in text


def test_class_ap_tests_trends_of_all_test_images_alone(full_cache):
    text = said(open_page("class_ap.py", study="toy")).replace("\\", "")
    assert "Cannot be told here: " in text
    part = open_page("class_ap.py", study="toy", by="view", **{"is": "PA"})
    assert "No trend over frequency is tested here" in "".join(e.value for e in part.info)
    assert "First drops of Somers\u2019 D, in this subgroup" in said(part).replace("\\", "")
