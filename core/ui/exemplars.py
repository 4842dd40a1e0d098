"""What the PIE browser shows: PIEs, their make-up, other definitions of them, and images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core import results
from core.analysis import gallery, pie_carried
from core.analysis.claims import Claim
from core.analysis.image_curves import SUMMARY, curves_table
from core.analysis.lost import OPERATING_POINT, LostBy
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.pictures import xrays
from core.results import image_curves, operating
from core.results import pies as pie_results
from core.results.agreements import paper_pies
from core.results.pies import definitions, with_excess
from core.study import paths
from core.study.config import StudyConfig
from core.study.study import Study
from core.ui import OpenStudy, modified
from core.ui.cached import BY_SOURCE, ENTRIES, LARGE_ENTRIES, Source, of_study, source
from core.ui.loaders import groups_of_classes, labels

MOST_GALLERIES = 40  # about a megabyte each at 25,596 images, beside what they share


def test_rows(opened: OpenStudy) -> pd.DataFrame:
    """The test images' labels and attributes; shared by all sessions, so for reading only."""
    return _test_rows(source(opened))


@st.cache_resource(max_entries=LARGE_ENTRIES, show_spinner=False, hash_funcs=BY_SOURCE)
def _test_rows(of: Source) -> pd.DataFrame:
    return labels(of).split("test")


def pies(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """See `analysis.pie.Pies`; one row per test image."""
    return _pies(str(opened.folder), _ensemble_times(opened, sparsity), sparsity)


@st.cache_data(max_entries=ENTRIES, show_spinner="Comparing dense and pruned images …")
def _pies(folder: str, times: tuple[int, ...], sparsity: float) -> pd.DataFrame:
    return paper_pies(Study(Path(folder)), sparsity)


def images(opened: OpenStudy, sparsity: float, by: LostBy) -> gallery.Images:
    """All that the gallery filters by; shared by all sessions, so for reading only."""
    times = (*_ensemble_times(opened, sparsity), *_lost_times(opened))
    path = paths.pie_definitions_path(opened.folder, sparsity)
    return _images(source(opened), times, modified(path), _specificity(opened), sparsity, by)


@st.cache_resource(
    max_entries=MOST_GALLERIES,
    show_spinner="Comparing dense and pruned images …",
    hash_funcs=BY_SOURCE,
)
def _images(
    of: Source,
    times: tuple[int, ...],
    kept: int,
    specificity: float,
    sparsity: float,
    by: LostBy,
) -> gallery.Images:
    known = definitions.read(of.study, sparsity) if kept else None
    found = paper_pies(of.study, sparsity) if known is None else known
    return gallery.at_sparsity(_at_every_sparsity(of, times[2:], specificity, by), found)


@st.cache_resource(
    max_entries=LARGE_ENTRIES,
    show_spinner="Looking for what is lost and raised …",
    hash_funcs=BY_SOURCE,
)
def _at_every_sparsity(
    of: Source, times: tuple[int, ...], specificity: float, by: LostBy
) -> gallery.Images:
    lost, raised = operating.lost_at(of.study, by), operating.raised_at(of.study, by)
    names, groups = labels(of).class_names, groups_of_classes(of)
    return gallery.at_every_sparsity(_test_rows(of), lost, raised, names, groups, by)


def _specificity(opened: OpenStudy) -> float:
    """Also the smallest rank that counts as found."""
    return opened.config.operating_point.specificity


def _lost_times(opened: OpenStudy) -> tuple[int, ...]:
    """What tells that operating points, or an ensemble, have changed."""
    folder = opened.folder
    files = [*(folder / "ensemble").glob("*.parquet"), *(folder / "validation").glob("*.parquet")]
    return tuple(modified(path) for path in sorted(files))


def operating_points(opened: OpenStudy) -> dict[str, float]:
    """By class; NaN for none."""
    return _operating_points(source(opened), _lost_times(opened), _specificity(opened))


@st.cache_data(max_entries=ENTRIES, show_spinner=False, hash_funcs=BY_SOURCE)
def _operating_points(of: Source, times: tuple[int, ...], specificity: float) -> dict[str, float]:
    table = results.table(of.study, "operating_points")
    return dict(zip(table["class_name"], table["operating_point"], strict=True))


def has_points(opened: OpenStudy) -> bool:
    """Whether any class has an operating point, so that it can be lost or raised by that."""
    return not all(np.isnan(point) for point in operating_points(opened).values())


def limits(opened: OpenStudy, by: LostBy) -> dict[str, float]:
    """By class, from where on it counts as found: its operating point, or the smallest rank."""
    if by == OPERATING_POINT:
        return operating_points(opened)
    return dict.fromkeys(labels(source(opened)).class_names, _specificity(opened))


def prepare_curves(opened: OpenStudy) -> None:
    """Lay the predictions out by image where that has not been done, with progress on the page."""
    if not image_curves.unprepared(opened.study):
        return
    bar = st.progress(0.0, text="Laying out the curves by image, once per study …")
    for done, total in image_curves.prepare(opened.study):
        text = f"Laying out the curves by image, once per study: {done} of {total} sparsities"
        bar.progress(done / total, text=text)
    bar.empty()


def curves(opened: OpenStudy, row: int) -> pd.DataFrame:
    """`curves_table` of the test image in this row; `prepare_curves` comes first."""
    return _curves(source(opened), image_curves.key(opened.study), row)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_SOURCE)
def _curves(of: Source, made_from: str, row: int) -> pd.DataFrame:
    runs = {s: len(found) for s, found in of.study.runs_by_sparsity.items()}
    kept = image_curves.read_image(of.study, row)
    summary, rank, changed = np.split(kept, [len(SUMMARY), len(SUMMARY) + 1], axis=-1)
    n_runs = list(runs.values())
    return curves_table(summary, rank[..., 0], changed, list(runs), n_runs, labels(of).class_names)


def pie_class_ratio(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """The export table `pie_class_ratio`; without what dense models give until that is kept."""
    table = _composition(opened, sparsity)[0]
    return _held(opened, sparsity, table, pie_carried.CLASS, "class_name")


def pie_finding_count_ratio(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    table = _composition(opened, sparsity)[1]
    return _held(opened, sparsity, table, pie_carried.FINDING_COUNT, "finding_count")


def pie_label_noise(opened: OpenStudy, sparsity: float, table: pd.DataFrame) -> pd.DataFrame:
    """`PieLabelNoise`'s table, beside it what dense models give where that is kept."""
    return _held(opened, sparsity, table, pie_carried.LABEL_NOISE, "images")


def noise_claim(opened: OpenStudy, sparsity: float) -> Claim | None:
    """`pies.noise_claim` where dense models have been compared with each other, else None."""
    if not definitions.is_there(opened.study, sparsity):
        return None
    kept = modified(paths.pie_excess_path(opened.folder, sparsity))
    return _noise_claim(source(opened), kept, sparsity)


@of_study()
def _noise_claim(of: Source, kept: int, sparsity: float) -> Claim:
    return pie_results.noise_claim(of.study, sparsity)


def kept_excess(opened: OpenStudy, sparsity: float) -> pd.DataFrame | None:
    """`pies.pie_excess` where it has been worked out, else None."""
    if not definitions.is_there(opened.study, sparsity):
        return None
    return pie_results.pie_excess(opened.study, sparsity)


def _held(
    opened: OpenStudy, sparsity: float, table: pd.DataFrame, kind: str, by: str
) -> pd.DataFrame:
    excess = kept_excess(opened, sparsity)
    return table if excess is None else with_excess(table, excess, kind, by)


def _composition(opened: OpenStudy, sparsity: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    return _ratios(source(opened), _ensemble_times(opened, sparsity), sparsity)


@of_study(spinner="Resampling patients for the intervals …")
def _ratios(
    of: Source, times: tuple[int, ...], sparsity: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    found, names = _pies(of.folder, times, sparsity), labels(of).class_names
    rows = _test_rows(of)
    return PieClassRatio()(found, rows, names), PieFindingCountRatio()(found, rows, names)


def kept_definitions(opened: OpenStudy, sparsity: float) -> pd.DataFrame | None:
    """The definitions of a sparsity where they have been worked out."""
    return definitions.read(opened.study, sparsity)


def pies_table(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """The export table `pies`, for a download."""
    return results.table(opened.study, "pies", sparsity=sparsity)


def work_out_definitions(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """`pies.pies`, with its progress on the page; kept in the study's folder."""
    bar = st.progress(0.0, text="Comparing the runs with each other …")

    def advance(done: int, total: int) -> None:
        bar.progress(
            done / total, text=f"Comparing the runs with each other: {done:,} of {total:,}"
        )

    table = results.table(opened.study, "pies", sparsity=sparsity, advance=advance)
    bar.empty()
    return table


def source_size(opened: OpenStudy, image_id: str) -> tuple[int, int] | None:
    path = paths.labels_path(opened.folder)
    return _source_size(str(opened.folder), modified(path), image_id, opened.config)


@st.cache_data(max_entries=4096, show_spinner=False)
def _source_size(
    folder: str, time: int, image_id: str, _config: StudyConfig
) -> tuple[int, int] | None:
    return xrays.source_size(Path(folder), _config, image_id)


def _ensemble_times(opened: OpenStudy, sparsity: float) -> tuple[int, ...]:
    return tuple(modified(paths.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
