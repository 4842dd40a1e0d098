"""The report of a study, to download."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.reporting import report
from core.reporting.report_pies import xrays_of
from core.study import paths
from core.ui import people
from core.ui.view import View


def offer(view: View) -> None:
    """A button; the report is made when somebody clicks. It has X-rays where the study is
    synthetic, or where the person asks for them."""
    with_xrays = view.config.synthetic
    if not with_xrays and paths.images_dir(view.config.dataset) is not None:
        with_xrays = st.checkbox(
            "Report with X-rays of PIEs",
            key="report_xrays",
            help="They leave this server with the file. Each is noted in the audit log.",
        )
    page = partial(_page, view, people.person().email if with_xrays else None)
    st.download_button(
        "Report",
        data=people.logged_export(view.name, "report", page),
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


def _page(view: View, who: str | None) -> bytes:
    """who: takes X-rays along; None for none."""
    xrays = xrays_of(view.study, who) if who is not None else None
    return report.report_html(view.study, xrays=xrays).encode()
