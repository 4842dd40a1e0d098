"""Tables of a reader study for its researchers, kept until another answer comes in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.reader_study import database, design, results
from core.reader_study.database import ReaderStudy
from core.study import paths
from core.ui.view import View, modified


def candidates(opened: View, sparsity: float) -> design.Candidates:
    """How many PIEs, non-PIEs and matched pairs a study can give at a sparsity."""
    times = tuple(modified(paths.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
    return _candidates(str(opened.folder), times, sparsity)


@st.cache_data(max_entries=64, show_spinner=False)
def _candidates(folder: str, times: tuple[int, ...], sparsity: float) -> design.Candidates:
    return design.count_candidates(design.candidates(Path(folder), sparsity))


def statistics(of: ReaderStudy, given: pd.DataFrame) -> pd.DataFrame:
    """See `results.results`; given: `results.answer_table`."""
    removed = tuple(one.number for one in database.invited(of) if one.removed)
    newest = str(given["given_at"].max()) if len(given) else ""
    return _statistics((of.id, of.created_at, len(given), newest, *removed), given)


@st.cache_data(max_entries=32, show_spinner="Fitting the mixed models …")
def _statistics(key: tuple, _given: pd.DataFrame) -> pd.DataFrame:
    return results.results(_given)
