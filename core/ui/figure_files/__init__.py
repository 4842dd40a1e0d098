"""A chart as a file: SVG to work on, PNG to paste, both as they should look on paper, as large as
the person says, with title and caption or without.

The browser draws them, with Plotly's own code from `library_routes`, so nothing is sent here and
nothing is installed on the server. Plotly's mode bar offers one format, in the page's dark ink.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from core.charts import Chart
from core.charts.library import ADDRESS
from core.ui import file_stem
from core.ui.addresses import below_base
from core.ui.view import View
from core.wording import columns

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "prunescope_figure_files",
    html=(_HERE / "figure_files.html").read_text("utf-8"),
    css=(_HERE / "figure_files.css").read_text("utf-8"),
    js=(_HERE / "figure_files.js").read_text("utf-8"),
)
HEIGHT = 24  # of the buttons on the page, in CSS pixels
WIDE, NARROW = 900, 620  # of a file's drawing, in CSS pixels; a PNG has three pixels for each


def figure_files(
    chart: Chart,
    key: str,
    name: str,
    of: View | None,
    colours: Sequence[tuple[str, str]] = (),
    wide: bool = True,
) -> None:
    """Buttons for the chart drawn under `key` on this page; `name` without a suffix.

    of: the study, told below the caption. colours: what the colours mean.
    """
    width = WIDE if wide else NARROW
    _component(
        key=f"{key}_files",
        height=HEIGHT,
        width="content",
        data={
            "key": key,
            "name": name,
            "title": chart.title,
            "caption": chart.caption,
            "source": source(of) if of else "",
            "colours": [list(pair) for pair in colours],
            "width": width,
            "height": chart.figure.layout.height,
            "library": below_base(ADDRESS),
        },
    )


def source(of: View) -> str:
    """Where a figure's numbers are from: study, data, subgroup."""
    subgroup = f", {columns.subgroup(of.subgroup)}" if of.subgroup else ""
    return f"Study {of.name}: {of.config.dataset.title}{subgroup}. PruneScope, research only."


def file_name(key: str, of: View | None, about: Sequence[str]) -> str:
    """demo_class_ap_curves_ap_sparsity-85: study, page, chart, settings, subgroup."""
    path = urlsplit(st.context.url or "").path.removeprefix(below_base(""))
    page = path.rpartition("/")[2] or "overview"
    study = of.name if of else st.session_state.get("study", "")
    subgroup = columns.subgroup(of.subgroup) if of and of.subgroup else ""
    return file_stem(study, page, key.removesuffix("_chart"), *about, subgroup)
