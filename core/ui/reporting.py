"""The report of a study, to download."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.reporting import report
from core.ui import OpenStudy, people


def download(opened: OpenStudy) -> None:
    """A button; the report is made when somebody clicks."""
    st.download_button(
        "Report",
        data=people.logged_export(opened.name, "report", partial(_page, opened)),
        file_name=f"{opened.name}_report.html",
        mime="text/html",
        key="download_report",
        on_click="ignore",
        icon=":material/download:",
        help=(
            "One HTML file with results, methods and provenance, to send and to print. The first "
            "one of a large study takes minutes: every prediction is read."
        ),
    )


def _page(opened: OpenStudy) -> bytes:
    return report.report_html(opened.study).encode()
