"""Charts and tables that need not be made twice. To turn a figure or a table into what a browser is
sent takes longer than all else of most reruns. So it is done once for all sessions: Streamlit plays
the elements of a cached function back as they were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import plotly.io
import streamlit as st
from plotly.basedatatypes import BaseFigure

from core.charts import Chart

MOST = 256  # of either kind, those not shown for longest go; each takes 10 to 100 KB


@st.cache_resource(
    max_entries=MOST, show_spinner=False, hash_funcs={Chart: lambda chart: chart.serial}
)
def _plotly_chart(chart: Chart, key: str) -> None:
    st.plotly_chart(chart.figure, **_options(chart, key))


def plotly_chart(chart: Chart, key: str, **clicks: Any) -> Any:
    """A chart without Plotly's own buttons. clicks: what `st.plotly_chart` takes of selections."""
    if clicks:  # what was clicked is the session's own, so no replay; but the JSON is kept
        return st.plotly_chart(_Written(_json(chart)), **_options(chart, key), **clicks)
    return _plotly_chart(chart, key)


@st.cache_resource(
    max_entries=MOST, show_spinner=False, hash_funcs={Chart: lambda chart: chart.serial}
)
def _json(chart: Chart) -> str:
    return plotly.io.to_json(chart.figure, validate=False)


class _Written(BaseFigure):
    """A figure as its JSON, for `st.plotly_chart`, which asks a figure for its parts and these, as
    Plotly's own encoder does, for what is to be written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def to_dict(self) -> dict[str, Any]:
        return _Parts(self._text)


class _Parts(dict[str, Any]):
    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def to_plotly_json(self) -> orjson.Fragment:
        return orjson.Fragment(self._text)


def _options(chart: Chart, key: str) -> dict[str, Any]:
    return {
        "key": key,
        "alt": chart.title,
        "config": {"displayModeBar": False},
        "height": int(chart.figure.layout.height),  # kept free while the chart is not drawn yet
    }


@st.cache_resource(max_entries=MOST, show_spinner=False)
def element(key: str, _draw: Callable[[], Any]) -> None:
    """What `_draw` draws, which is nobody's own. key: changes with all that it is drawn from."""
    _draw()
