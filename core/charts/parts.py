"""What the charts are made of: colours, axes, lines with bands, names at their ends.

Colours are those of Okabe and Ito, chosen to be told apart by colour-blind people. A colour
always means the same: a class has that of its group, head, medium or tail, and nothing else has it.
Class names come from strangers: they are escaped, stand on numbered axes, and never enter a
template.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.study.labels import UNKNOWN_GROUP
from core.wording import words

GROUP_COLOURS = {"head": "#0072B2", "medium": "#009E73", "tail": "#D55E00"}
GROUP_COLOURS[UNKNOWN_GROUP] = "#7a828c"  # a class of a network trained nobody knows on what
# Of what is no class: PIEs, the mean over classes, a pair that was picked.
OTHER = "#8c6bb1"
TEXT = 12  # pixels of the smallest letters; their colour is the page's
GREY = "rgba(128, 134, 142, 0.45)"
RULE = "rgba(128, 134, 142, 0.9)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star")
# More lines than this cannot be told apart.
MOST_HIGHLIGHTED = 6
SPARSITY_TITLE = "Sparsity (% of weights at zero)"  # short enough for a narrow window
ROOM_FOR_NAMES = 132  # pixels right of the lines that `labels.name_ends` names
LONGEST_NAME = 28  # letters: every class of NIH-CXR-LT and MIMIC-CXR-LT, in full
ROW_HEIGHT = 24
# What an axis of percents shows, at its ticks and under the pointer, with Plotly's own minus.
PERCENT = {"ticksuffix": " %", "hoverformat": ".0f"}
SHARES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)  # percent: ticks of a logarithmic axis


@dataclass(frozen=True)
class Chart:
    """A figure with its finding as title, and with n and interval as caption."""

    title: str
    figure: go.Figure
    caption: str
    # Of its making in this process: what is made of a chart is kept by it.
    serial: int = field(init=False, default_factory=count().__next__, compare=False, repr=False)

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups of classes whose colour is in it: what its legend has to say."""
        return frozenset(
            g for g, colour in GROUP_COLOURS.items() if colour in _colours(self.figure)
        )


def _colours(figure: go.Figure) -> set[str]:
    found: set[str] = set()
    for trace in figure.data:
        for part in (getattr(trace, "marker", None), getattr(trace, "line", None)):
            colour = getattr(part, "color", None)
            if colour is not None:
                found |= {colour} if isinstance(colour, str) else set(map(str, colour))
    return found


def escape(name: str) -> str:
    """A name as Plotly shows it to the letter. It knows tags and &lt; but not &quot;."""
    return html.escape(name, quote=False)


def empty_figure(height: int) -> go.Figure:
    # Text and grid follow the page's theme, the ground is see-through.
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 16, "t": 12, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "hovermode": "closest",
            "font": {"size": TEXT},
        }
    )


def sparsity_axis(figure: go.Figure) -> None:
    """The horizontal axis of sparsities in percent."""
    drawn = [x for trace in figure.data for x in trace.x if x is not None]
    # Left to itself the axis makes room for the names at the lines' ends, far beyond 100 %.
    figure.update_xaxes(
        title=SPARSITY_TITLE,
        ticksuffix=" %",
        zeroline=False,
        dtick=20 if max(drawn) - min(drawn) > 45 else None,
        range=[min(drawn) - 2, max(drawn) + 2],
    )


def class_axis(figure: go.Figure, names: Any) -> None:
    # Numbered, so that names that look like numbers or occur twice when shortened keep apart.
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[escape(short(name)) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        automargin=True,
        ticklabelstandoff=4,
    )
    figure.update_layout(bargap=0.25)


def change_axis(figure: go.Figure, metric: str, **more: Any) -> None:
    """The horizontal axis of changes of a metric in percent."""
    title = f"Change of {words.METRICS[metric]} against dense"
    figure.update_xaxes(title=title, zeroline=True, **PERCENT, **more)


def share_axis(figure: go.Figure, title: str, low: float, high: float) -> None:
    """The horizontal axis of frequencies in percent, logarithmic; low, high: logarithms of its
    ends."""
    ticks = [value for value in SHARES if low <= np.log10(value) <= high]
    figure.update_xaxes(
        title=title,
        type="log",
        range=[low, high],
        tickvals=ticks,
        ticktext=[f"{value:g} %" for value in ticks],
        zeroline=False,
    )


def legend_above(figure: go.Figure, y: float = 1.0, **more: Any) -> None:
    """Above the plot: names at the lines' ends would take half of a narrow page."""
    legend = {"orientation": "h", "y": y, "yanchor": "bottom", "x": 0}
    figure.update_layout(showlegend=True, legend=legend | more)


def no_difference(figure: go.Figure, x: float) -> None:
    """The upright line where nothing differs."""
    figure.add_vline(x=x, line={"color": RULE, "width": 1.5, "dash": "dot"})


def hover(says: str, **columns: Any) -> dict[str, Any]:
    """What a trace says under the pointer: {name} stands for a point's value in that column, and
    %{x} and the like are Plotly's own."""
    places = {name: at for at, name in enumerate(columns)}
    template = re.sub(r"(?<!%)\{(\w+)", lambda m: f"%{{customdata[{places[m[1]]}]", says)
    data = np.column_stack(list(columns.values()))
    return {"customdata": data, "hovertemplate": f"{template}<extra></extra>"}


def add_band(figure: go.Figure, x: Any, lower: Any, upper: Any, colour: str) -> None:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    for values, fill in ((lower, None), (upper, "tonexty")):
        figure.add_scatter(
            x=x, y=list(values), mode="lines", line={"width": 0}, fill=fill,
            fillcolor=f"rgba({red},{green},{blue},0.18)", hoverinfo="skip", showlegend=False,
        )  # fmt: skip


def with_more(
    chart: Chart, traces: Sequence[dict[str, Any]] = (), shapes: Sequence[dict[str, Any]] = ()
) -> Chart:
    """A copy of a finished chart with more on top of it, in a tenth of the time of a new one."""
    plain = chart.figure.to_dict()
    plain["data"] = [*plain["data"], *traces]
    plain["layout"]["shapes"] = [*plain["layout"].get("shapes", ()), *shapes]
    # What is in it was checked when it was drawn.
    return replace(chart, figure=go.Figure(plain, _validate=False))


def over_runs(table: pd.DataFrame, band: str = "band") -> str:
    """What a point and its band or whiskers are: the median and quartiles over runs, or where the
    table says what its interval is over (interval_over, corrected), the mean and that interval."""
    runs = int(table["n_runs"].max()) if len(table) else 0
    over = table["interval_over"].iloc[0] if "interval_over" in table and len(table) else ""
    if runs < 2 and over == "patients":
        return f"One run; {band}: 95 % interval over patients, for this training only."
    if runs < 2:
        return "One run, so no interval."
    if over:
        return f"Mean over {words.count(runs, 'run')}; {band}: 95 % interval over {over}."
    return f"Median over {words.count(runs, 'run')}, {band}: quartiles."


def percents(sparsities: pd.Series | pd.Index) -> list[float]:
    return (sparsities.to_numpy(float) * 100).round(6).tolist()


def escaped(names: Iterable[str]) -> list[str]:
    return [escape(name) for name in names]


def short(name: str, length: int = LONGEST_NAME) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def starred(names: Iterable[str], marked: Iterable[bool]) -> list[str]:
    """Names with a star behind those that are marked."""
    both = zip(names, marked, strict=True)
    return [f"{short(name, LONGEST_NAME - 2)} *" if mark else name for name, mark in both]
