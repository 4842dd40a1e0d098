"""A study of a network that somebody brought says what its owner said of its training, and no
more: no group of classes, no frequency and no seed is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.reporting.report import report_html
from core.results import table
from core.results.preparation import make_ready
from core.study.labels import UNKNOWN_GROUP
from core.study.study import Study, find_study
from tests.pages.test_pages import PAGES, open_page, said
from tests.toys import TOY_CLASSES, toy_config, write_toy_study

FREQUENCIES = dict(zip(TOY_CLASSES, (0.2, 0.05, 0.05, 0.001, 0.7), strict=True))


def given_study(name: str, **of_checkpoint) -> None:
    checkpoint = {"sha256": "0" * 64, "classes": TOY_CLASSES} | of_checkpoint
    config = toy_config(name, runs={"count": 1}, checkpoint=checkpoint)
    make_ready(Study(write_toy_study(config=config, images=False)), lambda done, total: None)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        given_study("untold")
        given_study("told", class_frequencies=FREQUENCIES)
    return folder


@pytest.fixture(autouse=True)
def _here(cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


@pytest.mark.parametrize("script", PAGES)
def test_no_page_calls_a_class_rare_of_whose_training_nothing_is_known(script):
    text = said(open_page(script, study="untold"))
    for made_up in ("head: over", "tail: under", "from scratch", "seed 0", "epochs"):
        assert made_up not in text


def test_overview_says_what_is_not_known():
    text = said(open_page("overview.py", study="untold"))
    assert "not known, so no class is called head, medium or tail" in text
    assert "how frequent the classes were in training is not known" in text
    assert "1 run, seed of its training not known" in text


def test_groups_of_classes_are_left_out_or_those_of_the_owners_table():
    untold, told = (table(find_study(name), "class_frequencies") for name in ("untold", "told"))
    assert set(untold["group"]) == {UNKNOWN_GROUP}
    assert untold[["train_frequency", "train_positives"]].isna().all(axis=None)
    assert dict(zip(told["class_name"], told["train_frequency"], strict=True)) == FREQUENCIES
    assert told.set_index("class_name")["group"].to_dict() == {
        "Effusion": "head", "Nodule": "medium", "Cardiomegaly": "medium", "Hernia": "tail",
        "No Finding": "head",
    }  # fmt: skip


def test_pairs_are_still_compared_where_frequencies_are_not_known():
    untold, told = (table(find_study(name), "class_pairs") for name in ("untold", "told"))
    column = "fcd_squared_debiased"
    assert untold[column].notna().sum() == told[column].notna().sum() > 0


def test_the_report_claims_nothing_of_the_training():
    html = report_html(find_study("untold"))
    assert "Grey: how frequent a class was in training is not known" in html
    assert "a given checkpoint, training not known" in html
    for made_up in ("small, from scratch", "Blue: head", "training.epochs", "training.flip"):
        assert made_up not in html
    told = report_html(find_study("told"))
    assert "Blue: head, over 10 % of train images" in told
    assert "given by the checkpoint" in told
