"""Every chart that there is, drawn from one study and from readings: what holds of all of them is
tested on these."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pandas as pd

from core import charts as rooms
from core import results
from core.analysis.image_curves import finding_fates
from core.analysis.reader import ReaderResults
from core.charts import Chart, classes, composition, images, operating, pairs, reader
from core.reporting import figures
from core.results import evidence, image_curves
from core.study.study import Study
from core.ui.class_ap import frequency as over_classes
from core.ui.curves import class_losses, curves_chart
from core.ui.forgettability import figures as over_pairs
from core.ui.pie_browser import images as image_tables
from core.ui.view import View
from core.wording.questions import QUESTIONS
from tests import page_studies
from tests.toys import toy_config, toy_labels

CLASSES = (
    "Infiltration", "Effusion", "Nodule", "Pleural Thickening", "Cardiomegaly",
    "Subcutaneous Emphysema", "Calcification of the Aorta", "Hernia", "No Finding",
)  # fmt: skip
FREQUENCIES = (0.25, 0.16, 0.1, 0.07, 0.05, 0.035, 0.022, 0.012)
SPARSITY = 0.9


def write_gallery_study() -> Path:
    """A finished study with a rare class that is not judged, validation and operating points."""
    config = toy_config(
        "gallery", runs={"count": 3}, sweep={"sparsities": [0, 0.3, 0.6, 0.8, 0.9, 0.95]}
    )
    labels = toy_labels(1600, class_names=CLASSES, frequencies=FREQUENCIES)
    folder = page_studies.write_study(config, labels)
    page_studies.with_validation(folder)
    page_studies.with_rising(folder)
    study = Study(folder)
    evidence.make_ready(study)
    for _ in image_curves.prepare(study):
        pass
    return folder


def drawing_functions() -> dict[str, Callable[..., Chart]]:
    """The public functions of core.charts that draw a chart from tables, by name."""
    found: dict[str, Callable[..., Chart]] = {}
    for module in iter_modules(rooms.__path__):
        here = import_module(f"core.charts.{module.name}")
        for name, function in inspect.getmembers(here, inspect.isfunction):
            says = inspect.signature(function)
            is_own = function.__module__ == here.__name__ and not name.startswith("_")
            if is_own and says.return_annotation in ("Chart", "parts.Chart"):
                found[name] = function
    return {name: one for name, one in found.items() if "chart" not in _parameters(one)}


def _parameters(function: Callable[..., Chart]) -> list[str]:
    return list(inspect.signature(function).parameters)


def every_chart(study: Study) -> dict[str, Chart]:
    """By the name of the function that drew it, and what else there is to tell."""
    view = View("gallery", study, metric="somers_d", sparsity=SPARSITY)
    paper = replace(view, metric="ap", corrected=False)
    order = list(study.frequencies["class_name"])
    drawn = {
        "frequency_chart": figures.class_frequencies(study),
        "changes_chart": figures.class_changes(study, sparsity=SPARSITY),
        "losses_chart": figures.class_losses(study, sparsity=SPARSITY),
        "values_chart": classes.values_chart(class_losses(paper), "ap", SPARSITY, len(study.test)),
        "mean_ap_chart": figures.mean_ap(study),
        "class_curves_chart": curves_chart(view),
        "class_curves_chart as measured": curves_chart(replace(paper, relative=False)),
        "pair_curves_chart": over_pairs.two_curves(view, ("Effusion", "Hernia")),
        "safety_chart": figures.safe_sparsity(study),
        "evidence_heatmap": pairs.outlined(over_pairs.fcd(view, tuple(order)), order,
                                           ("Effusion", "Nodule")),
        "fcd_heatmap": over_pairs.fcd(paper, tuple(order)),
        "iou_heatmap": over_pairs.cooccurrence(view, tuple(order)),
        "frequency_heatmap": over_pairs.frequency(view, tuple(order)),
        "first_drop_scatter": over_classes.first_drop(paper, None),
        "change_scatter": over_classes.extreme_change(paper, None),
        "pair_scatter": over_pairs.pairs_against_frequency(paper, None),
        "frequency_and_distance": over_pairs.pairs_against_frequency(view, None),
        "cooccurrence_and_distance": over_pairs.pairs_against_cooccurrence(view, None),
        "operating_chart": operating.operating_chart(
            results.table(study, "operating_characteristics"), SPARSITY, 0.9, len(study.test), 400
        ),
    }  # fmt: skip
    for claim, (name, _) in figures.FORESTS.items():
        drawn[f"forest_chart of {name}"] = figures.trend(study, claim)
    return drawn | _of_pies(study) | _of_one_image(study) | _of_readers()


def _of_pies(study: Study) -> dict[str, Chart]:
    groups = dict(study.frequencies[["class_name", "group"]].itertuples(index=False))
    by_class, by_count, pies = (
        results.table(study, name, sparsity=SPARSITY)
        for name in ("pie_class_ratio", "pie_finding_count_ratio", "pies")
    )
    return {
        "class_ratio_chart": composition.class_ratio_chart(by_class, groups),
        "finding_count_chart": composition.finding_count_chart(by_count),
        "z_chart": composition.z_chart(pies, "z of PIEs"),
        "quality_chart": composition.quality_chart(_quality(), QUALITY, "Sharpness"),
        "label_noise_chart": composition.label_noise_chart(_noise(), "Noise"),
    }


QUALITY = {"sharpness": "Sharpness", "brightness": "Brightness", "contrast": "Contrast"}


def _quality() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "measure": list(QUALITY), "difference": [-0.5, 0.1, 0.3], "ci_low": [-0.9, -0.2, 0.1],
            "ci_high": [-0.2, 0.4, 0.5], "pie_median": 1234.5, "non_pie_median": 2345.6,
            "q": [0.001, 0.5, 0.04], "n_pie": 40, "n_non_pie": 760, "dense_difference": 0.05,
        }
    )  # fmt: skip


def _noise() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "images": ["all", "with findings"], "ratio": [3.1, 0.4], "ci_low": [1.5, 0.02],
            "ci_high": [6.0, 300.0], "n_pie_wrong": [12, 3], "n_non_pie_wrong": [40, 8],
            "n_wrong_patients": [50, 8], "unstable": [False, True],
        }
    )  # fmt: skip


def _of_one_image(study: Study) -> dict[str, Chart]:
    names = list(study.labels.class_names)
    row = int(np.flatnonzero(study.test.truth[:, names.index("Hernia")] == 1)[0])
    curves = image_tables.curves(View("gallery", study), row)
    labels = {name: bool(study.test.truth[row, at] == 1) for at, name in enumerate(names)}
    groups = dict(study.frequencies[["class_name", "group"]].itertuples(index=False))
    points = dict.fromkeys(names, 0.4)
    fates = finding_fates(curves, points, labels)
    least = dict.fromkeys(names, 0.9)
    return {
        "image_curves_chart": images.image_curves_chart(curves, fates, points, groups, SPARSITY),
        "image_ranks_chart": images.image_ranks_chart(curves, fates, least, groups, SPARSITY),
    }


def _of_readers() -> dict[str, Chart]:
    rng = np.random.default_rng(0)
    question = QUESTIONS["difficulty"]
    answers = pd.DataFrame(
        [
            (f"reader {who}", f"image {at}", at < 12, question.name, int(rng.integers(1, 6)))
            for who in range(4)
            for at in range(24)
        ],
        columns=["reader", "image_id", "is_pie", "question", "value"],
    )
    row = ReaderResults({question.name: question.level})(answers).iloc[0]
    return {"question_chart": reader.question_chart(question, row, answers)}
