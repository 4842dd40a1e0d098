"""The PIE browser's images: the PIEs among them, what each loses and raises, and their curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core import results
from core.analysis import gallery
from core.analysis.image_curves import SUMMARY, curves_table
from core.analysis.lost import OPERATING_POINT, LostBy
from core.analysis.similar import log_odds, most_alike
from core.pictures import xrays
from core.results import image_curves, operating
from core.results.agreements import paper_pies
from core.results.pies import definitions
from core.ui.results import cached, groups_of_classes, table
from core.ui.view import View

MOST_GALLERIES = 40  # about a megabyte each at 25,596 images, beside what they share
COMPARING = "Comparing dense and pruned images …"


def is_compared(view: View) -> bool:
    """Whether the runs have been compared with each other at this sparsity: see `definitions`."""
    return definitions.is_there(view.study, view.at)


@cached("sparsity", spinner=COMPARING)
def pies(view: View) -> pd.DataFrame:
    """See `analysis.pie.Pies`; one row per test image."""
    return paper_pies(view.study, view.at)


def images(view: View, by: LostBy) -> gallery.Images:
    """All that the gallery filters by; shared by all sessions, so for reading only."""
    return _images(view, by, is_compared(view))


def of_subgroup(known: gallery.Images, view: View) -> gallery.Images:
    """The images with those of the view's subgroup marked."""
    return known if view.subgroup is None else replace(known, inside=_inside(view))


@cached(shared=True)
def _inside(view: View) -> np.ndarray:
    return view.part.chosen


@cached("sparsity", entries=MOST_GALLERIES, spinner=COMPARING, shared=True)
def _images(view: View, by: LostBy, compared: bool) -> gallery.Images:
    known = definitions.read(view.study, view.at) if compared else None
    found = paper_pies(view.study, view.at) if known is None else known
    return gallery.at_sparsity(_at_every_sparsity(view, by), found)


@cached(entries=4, spinner="Looking for what is lost and raised …", shared=True)
def _at_every_sparsity(view: View, by: LostBy) -> gallery.Images:
    lost, raised = operating.lost_at(view.study, by), operating.raised_at(view.study, by)
    names, groups = view.study.labels.class_names, groups_of_classes(view)
    return gallery.at_every_sparsity(view.study.test.rows, lost, raised, names, groups, by)


def operating_points(view: View) -> dict[str, float]:
    """By class; NaN for none."""
    known = table(view, "operating_points")
    return dict(zip(known["class_name"], known["operating_point"], strict=True))


def has_points(view: View) -> bool:
    """Whether any class has an operating point, so that it can be lost or raised by that."""
    return not all(np.isnan(point) for point in operating_points(view).values())


def limits(view: View, by: LostBy) -> dict[str, float]:
    """By class, from where on it counts as found: its operating point, or the smallest rank."""
    if by == OPERATING_POINT:
        return operating_points(view)
    return dict.fromkeys(view.part.class_names, view.config.operating_point.specificity)


def curves(view: View, row: int) -> pd.DataFrame:
    """`curves_table` of the test image in this row. Lays the predictions out by image where that
    has not been done, with progress on the page."""
    if image_curves.unprepared(view.study):
        bar = st.progress(0.0, text="Laying out the curves by image, once per study …")
        for done, total in image_curves.prepare(view.study):
            text = f"Laying out the curves by image, once per study: {done} of {total} sparsities"
            bar.progress(done / total, text=text)
        bar.empty()
    return _curves(view, row)


@cached(entries=256)
def _curves(view: View, row: int) -> pd.DataFrame:
    runs = {s: len(found) for s, found in view.study.runs_by_sparsity.items()}
    kept = image_curves.read_image(view.study, row)
    summary, rank, changed = np.split(kept, [len(SUMMARY), len(SUMMARY) + 1], axis=-1)
    names = view.study.labels.class_names
    return curves_table(summary, rank[..., 0], changed, list(runs), list(runs.values()), names)


def similar(view: View, row: int, n: int) -> pd.DataFrame:
    """`most_alike` of the test image in this row."""
    return most_alike(_log_odds(view), view.study.test.rows["patient_id"].to_numpy(), row, n)


@cached(entries=4, shared=True)
def _log_odds(view: View) -> np.ndarray:
    return log_odds(view.study.ensemble(0.0))


def compare_runs(view: View) -> None:
    """Work out what compares the runs with each other, with progress on the page; it is kept in the
    study's folder."""
    bar = st.progress(0.0, text="Comparing the runs with each other …")

    def advance(done: int, total: int) -> None:
        bar.progress(
            done / total, text=f"Comparing the runs with each other: {done:,} of {total:,}"
        )

    results.table(view.study, "pies", sparsity=view.at, advance=advance)
    bar.empty()


@cached(entries=4096)
def source_size(view: View, image_id: str) -> tuple[int, int] | None:
    return xrays.source_size(view.folder, view.config, image_id)
