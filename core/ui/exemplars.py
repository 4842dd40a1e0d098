"""What the PIE browser shows: PIEs, their make-up, other definitions of them, and images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core import store, study, tables, xrays
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.study import StudyConfig
from core.ui import OpenStudy, modified
from core.ui.cached import ENTRIES, LARGE_ENTRIES, Source, of_study, source
from core.ui.loaders import labels


def test_rows(opened: OpenStudy) -> pd.DataFrame:
    """The test images' labels and attributes; shared by all sessions, so for reading only."""
    return _test_rows(source(opened))


@st.cache_resource(max_entries=LARGE_ENTRIES, show_spinner=False)
def _test_rows(of: Source) -> pd.DataFrame:
    return labels(of).split("test")


def pies(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """See `analysis.pie.Pies`; one row per test image."""
    return _pies(str(opened.folder), _ensemble_times(opened, sparsity), sparsity)


@st.cache_data(max_entries=ENTRIES, show_spinner="Comparing dense and pruned images …")
def _pies(folder: str, times: tuple[int, ...], sparsity: float) -> pd.DataFrame:
    return tables.paper_pies(Path(folder), sparsity)


def pie_class_ratio(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    return _composition(opened, sparsity)[0]


def pie_finding_count_ratio(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    return _composition(opened, sparsity)[1]


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
    """`tables.pies` of a sparsity where it has been worked out, else None."""
    return tables.kept_pies(opened.folder, sparsity)


def work_out_definitions(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """`tables.pies`, with its progress on the page; kept in the study's folder."""
    bar = st.progress(0.0, text="Comparing halves of the runs …")

    def advance(done: int, total: int) -> None:
        bar.progress(done / total, text=f"Comparing halves of the runs: {done:,} of {total:,}")

    table = tables.pies(opened.folder, sparsity, advance)
    bar.empty()
    return table


def image_probabilities(opened: OpenStudy, image_id: str, sparsity: float) -> pd.DataFrame:
    path = study.ensemble_path(opened.folder, sparsity)
    return _image_probabilities(str(opened.folder), modified(path), image_id, sparsity)


@st.cache_data(max_entries=256, show_spinner=False)
def _image_probabilities(folder: str, time: int, image_id: str, sparsity: float) -> pd.DataFrame:
    return store.image_probabilities(Path(folder), [image_id], sparsity)


def source_size(opened: OpenStudy, image_id: str) -> tuple[int, int] | None:
    path = study.labels_path(opened.folder)
    return _source_size(str(opened.folder), modified(path), opened.config, image_id)


@st.cache_data(max_entries=4096, show_spinner=False)
def _source_size(
    folder: str, time: int, config: StudyConfig, image_id: str
) -> tuple[int, int] | None:
    return xrays.source_size(Path(folder), config, image_id)


def _ensemble_times(opened: OpenStudy, sparsity: float) -> tuple[int, ...]:
    return tuple(modified(study.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
