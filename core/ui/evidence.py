"""What may be claimed of a study, known before a page speaks of it."""

from __future__ import annotations

import streamlit as st

from core.errors import InputError
from core.results import evidence
from core.ui import OpenStudy, is_finished

MAKING = "Working out what may be claimed, once for this study …"
NOT_KEPT = (
    "What may be claimed cannot be kept: the study's folder cannot be written. Intervals are over "
    "runs only, and no claim is tested."
)


def is_known(opened: OpenStudy) -> bool:
    """Whether the intervals over patients and the claims are there. A finished study that lacks
    them, because an older version made it, gets them now, behind a note."""
    if opened.subgroup or not is_finished(opened):
        return False
    if evidence.is_ready(opened.study):
        return True
    try:
        with st.spinner(MAKING):
            evidence.make_ready(opened.study)
    except InputError:  # no run has both dense and pruned predictions
        return False
    kept = evidence.is_ready(opened.study)
    if not kept:
        st.warning(NOT_KEPT)
    return kept
