"""An address reproduces its view: what stands in it is what the page shows, and stays in it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from core.ui import switches
from tests.page_studies import with_validation
from tests.pages.test_pages import open_page, said
from tests.toys import write_toy_study
from tools.reference import words as say

# Held by journeys in a browser: they need files, jobs, or a reader study.
ELSEWHERE = {
    **dict.fromkeys(("upload", "dataset", "own", "look"), "tests/e2e/test_analyse.py"),
    **dict.fromkeys(
        ("grid", "precision", "method", "bad_images", "name", "sparsities"),
        "tests/pages/test_analyse.py",
    ),
    "job": "tests/e2e/test_jobs.py",
    **dict.fromkeys(("reader", "reader-study"), "tests/pages/test_reader_study.py"),
    "positives": "tests/pages/test_safe_sparsity.py",
    "similar": "tests/pages/test_pie_browser.py",
    **dict.fromkeys(("lost", "raised"), "tests/pages/test_finding_filter.py"),
    **dict.fromkeys(("by", "is"), "tests/pages/test_subgroups_and_readings.py"),
}
# Page to address to what its widgets hold then, by key; None of a subgroup, whose widgets have
# keys of their own. None of it is a default.
VIEWS: dict[str, dict[str, tuple[str | list[str], Any]]] = {
    "overview.py": dict.fromkeys(
        ("tour", "claims", "mean_ap", "frequencies", "facts"), ("true", True)
    ),
    "class_ap.py": {
        "metric": ("auroc", "auroc"),
        "scale": ("measured", "measured"),
        "reading": ("paper", "paper"),
        "sparsity": ("50", 50),
        "classes": (["Hernia", "Effusion"], ["Hernia", "Effusion"]),
        "losses": ("true", True),
        **dict.fromkeys(("operating", "rarity", "summary"), ("true", True)),
        "subgroup": ("age:40-,view:PA", None),
    },
    "forgettability.py": {
        "metric": ("calibrated_ap", "calibrated_ap"),
        "reading": ("paper", "paper"),
        "map": ("iou", "iou"),
        "order": ("clustered", "clustered"),
        **dict.fromkeys(("goes_with", "interaction"), ("true", True)),
        "first": ("Hernia", "Hernia"),
        "second": ("No Finding", "No Finding"),
        "subgroup": ("view:AP", None),
    },
    "safe_sparsity.py": {
        "metric": ("auroc", "auroc"),
        "margin": ("5", 5.0),
        "confidence": ("99", 99.0),
        "min_patients": ("20", 20),
        **dict.fromkeys(("groups", "verdicts"), ("true", True)),
    },
    "pie_browser.py": {
        "definition": ("every", "every"),
        "sparsity": ("50", 50),
        "classes": ("Effusion", ["Effusion"]),
        "finding": (["any finding", "Hernia"], ["any finding", "Hernia"]),
        "fate": ("raised", "raised"),
        "until": ("90", 90),
        "lost_by": ("operating_point", "operating_point"),
        "group": ("tail", ["tail"]),
        "findings": ("1", ["1"]),
        "agreement": (["-0.5", "0.95"], (-0.5, 0.95)),
        "patient": ("patient-00110", "patient-00110"),
        "column": ("view", "view"),
        "value": ("PA", "PA"),
        "sort": ("patient", "patient"),
        "size": ("small", "small"),
        "composition": ("true", True),
        "subgroup": ("view:PA", None),
    },
}


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        with_validation(write_toy_study(n_images=800))
        write_toy_study("other", n_images=200)
        yield


@pytest.mark.parametrize(
    ("script", "of_before"),
    [
        (
            "class_ap.py",
            {"metric": "Calibrated AP", "reading": "Paper", "scale": "As measured"},
        ),
        ("forgettability.py", {"metric": "AUROC", "reading": "Paper", "order": "Clustered"}),
        ("safe_sparsity.py", {"metric": "AP"}),
        (
            "pie_browser.py",
            {
                "definition": "Every test image",
                "lost_by": "Operating point",
                "sort": "Test-set order",
                "size": "Large",
            },
        ),
    ],
)
def test_an_address_from_before_choices_had_ids_shows_the_same(
    script: str, of_before: dict[str, str]
) -> None:
    at = open_page(script, study="toy", **of_before)
    for name, label in of_before.items():
        value = switches.BEFORE_IDS[name][label]
        assert at.session_state[name] == value
        assert at.query_params[name] in (value, [value]), "written as it is now"
        controls = (*at.segmented_control, *at.selectbox)
        assert next(one for one in controls if one.key == name).value == value


@pytest.mark.parametrize("script", list(VIEWS))
def test_an_address_shows_what_it_says(script: str) -> None:
    view = VIEWS[script]
    at = open_page(script, study="toy", **{name: given for name, (given, _) in view.items()})
    assert not at.error
    assert at.session_state["study"] == "toy"
    for name, (given, held) in view.items():
        assert at.query_params.get(name) in (given, [given]), f"{name} is gone from the address"
        if held is not None:
            assert at.session_state[name] == held, name
    if "subgroup" in view:
        assert at.session_state["chosen_subgroup"][0] == view["subgroup"][0]


def test_the_page_and_the_image_of_the_browser_are_in_its_address() -> None:
    at = open_page("pie_browser.py", study="toy", definition="every", page="2")
    assert at.session_state["page"] == 2
    image = re.search(r'data-image="([^"]+)"', said(at))[1]
    at = open_page("pie_browser.py", study="toy", definition="every", image=image)
    assert at.query_params["image"] in (image, [image])
    assert f"<b>{image}</b>" in said(at)
    assert "25 of 400" in said(at), "the first of the second page of 24"


def test_every_parameter_that_is_described_is_tried() -> None:
    tried = {name for view in VIEWS.values() for name in view} | {"study", "page", "image"}
    assert tried | set(ELSEWHERE) == set(say.ADDRESS)


def test_an_address_that_makes_no_sense_shows_the_page_all_the_same() -> None:
    odd = {"metric": "Beauty", "sparsity": "7", "classes": "Nobody", "by": "moon", "is": "full"}
    at = open_page("class_ap.py", study="toy", **odd)
    assert not at.error
    assert at.session_state["metric"] == "somers_d"


def test_the_metric_follows_the_reading_until_somebody_chooses_one() -> None:
    at = open_page("class_ap.py", study="toy")
    assert (at.session_state["metric"], "metric" in at.query_params) == ("somers_d", False)
    at = open_page("class_ap.py", study="toy", reading="paper")
    assert (at.session_state["metric"], "metric" in at.query_params) == ("ap", False)
    at = open_page("class_ap.py", study="toy", metric="ap")
    assert at.session_state["metric"] == "ap", "named, though it is no default of this reading"
    assert at.query_params["metric"] in ("ap", ["ap"])
