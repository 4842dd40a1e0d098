"""The answer that Overview and Class AP give first: which classes are forgotten first, how sure
that is, and what was left out."""

from __future__ import annotations

import streamlit as st

from core.ui import OpenStudy, is_finished, plain, statistics
from core.wording import findings


def show_forgotten_first(opened: OpenStudy, metric: str, corrected: bool) -> None:
    """A headline, a line per class with its test positives and its interval, what was not judged,
    and how far it all carries."""
    found = statistics.first_forgotten(opened, metric, corrected)
    which = metric, corrected, opened.subgroup is not None
    st.markdown(f"## {_said(findings.forgotten_first(found, *which))}")
    if told := findings.first_in_detail(found, metric):
        st.markdown("\n".join(f"- {_said(line)}" for line in told))
    if left_out := findings.left_out(found):
        st.markdown(_said(left_out))
    finished = is_finished(opened)
    said = findings.evidence(found, metric, finished), findings.another_first(*which)
    st.caption(_said(" ".join(part for part in said if part)))


def _said(text: str) -> str:
    """No line begins with a percent sign."""
    return plain(text).replace(" %", "\u00a0%")
