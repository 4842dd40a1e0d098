"""The report's page: its templates, and a chart as HTML that needs nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.charts import Chart

TEMPLATES = Path(__file__).parent / "templates"
TITLE_ROOM = {"automargin": True, "title": {"standoff": 12}, "gridcolor": "rgba(120,128,138,.25)"}
# The page's script paints letters in the ink of the page, which may be dark, light or paper.
FIGURE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "color": "#0f1318"},
        "xaxis": TITLE_ROOM | {"zerolinecolor": "rgba(120,128,138,.6)"},
        "yaxis": TITLE_ROOM | {"zerolinecolor": "rgba(120,128,138,.6)"},
    }
)


@dataclass(frozen=True)
class ShownChart:
    title: str
    caption: str
    html: Markup
    legend: str


def shown_chart(chart: Chart, number: int, legend: str) -> ShownChart:
    """number: its place on the page, from 0; the first brings Plotly's code."""
    chart.figure.update_layout(template=FIGURE)
    html = chart.figure.to_html(
        full_html=False,
        include_plotlyjs=number == 0,
        div_id=f"chart-{number}",
        default_height=f"{chart.figure.layout.height}px",
        config={"displaylogo": False, "responsive": True, "displayModeBar": False},
    )
    return ShownChart(chart.title, chart.caption, Markup(html), legend)


@cache
def environment() -> Environment:
    """Of the templates here; values are escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
