"""What may be claimed of a study, known before a page speaks of it."""

from __future__ import annotations

import streamlit as st

from core.errors import InputError
from core.results import evidence
from core.ui import is_finished
from core.ui.view import View

MAKING = "Working out what may be claimed, once for this study …"
NOT_KEPT = (
    "What may be claimed cannot be kept: the study's folder cannot be written. Intervals are over "
    "runs only, and no claim is tested."
)


def is_known(view: View) -> bool:
    """Whether the intervals over patients and the claims are there. A finished study that lacks
    them, because an older version made it, gets them now, behind a note."""
    if view.subgroup or not is_finished(view):
        return False
    if evidence.is_ready(view.study):
        return True
    try:
        with st.spinner(MAKING):
            evidence.make_ready(view.study)
    except InputError:  # no run has both dense and pruned predictions
        return False
    kept = evidence.is_ready(view.study)
    if not kept:
        st.warning(NOT_KEPT)
    return kept
