"""The report of a study, to download."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.reporting import report
from core.ui import people
from core.ui.view import View


def offer(view: View) -> None:
    """A button; the report is made when somebody clicks."""
    st.download_button(
        "Report",
        data=people.logged_export(view.name, "report", partial(_page, view)),
        file_name=f"{view.name}_report.html",
        mime="text/html",
        key="download_report",
        on_click="ignore",
        icon=":material/download:",
        help=(
            "One HTML file with results, methods and provenance, to send and to print. The first "
            "one of a large study takes minutes: every prediction is read."
        ),
    )


def _page(view: View) -> bytes:
    return report.report_html(view.study).encode()
