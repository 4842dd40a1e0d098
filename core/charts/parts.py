"""What the charts are made of: colours, axes, lines with bands, names at their ends.

Colours are those of Okabe and Ito, chosen to be told apart by colour-blind people. A colour
always means the same: head, medium or tail. Class names come from strangers: they are escaped,
stand on numbered axes, and never enter a template.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.wording import words

GROUP_COLOURS = {"head": "#0072B2", "medium": "#009E73", "tail": "#D55E00"}
GREY = "rgba(128, 134, 142, 0.45)"
RULE = "rgba(128, 134, 142, 0.9)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star")
# More lines than this cannot be told apart.
MOST_HIGHLIGHTED = 6
SPARSITY_TITLE = "Sparsity (% of weights at zero)"  # short enough for a narrow window
ROOM_FOR_NAMES = 132  # pixels right of the lines that `_label_ends` names
LONGEST_NAME = 28  # letters: every class of NIH-CXR-LT and MIMIC-CXR-LT, in full
LONGEST_LINE = 17  # letters of a name at a line's end, before it goes on below
ROW_HEIGHT = 24


@dataclass(frozen=True)
class Chart:
    """A figure with its finding as title, and with n and interval as caption."""

    title: str
    figure: go.Figure
    caption: str
    # Of its making in this process: what is made of a chart is kept by it.
    serial: int = field(init=False, default_factory=count().__next__, compare=False, repr=False)


def escape(name: str) -> str:
    """A name as Plotly shows it to the letter. It knows tags and &lt; but not &quot;."""
    return html.escape(name, quote=False)


def empty_figure(height: int) -> go.Figure:
    # Drawn by Streamlit's theme: text and grid follow dark and light, the ground is see-through.
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 8, "r": 16, "t": 12, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "hovermode": "closest",
        }
    )


def sparsity_axis(figure: go.Figure) -> None:
    drawn = [x for trace in figure.data for x in trace.x if x is not None]
    # Left to itself the axis makes room for the names at the lines' ends, far beyond 100 %.
    figure.update_xaxes(
        title=SPARSITY_TITLE,
        ticksuffix=" %",
        zeroline=False,
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


def add_named_curves(
    figure: go.Figure,
    curves: pd.DataFrame,
    groups: Mapping[str, str],
    scale: int,
    floors: pd.Series | None = None,
) -> None:
    """The curves of the classes in `groups`, each with its band, its name at its right end and, in
    `floors`, its chance level. curves: class_name, sparsity, median, lower, upper; scale: 100 for
    changes in percent, 1 for metrics."""
    figure.update_layout(margin_r=ROOM_FOR_NAMES)
    ends = []
    for index, (name, group) in enumerate(groups.items()):
        curve, colour = curves[curves["class_name"] == name], GROUP_COLOURS[group]
        x = percents(curve["sparsity"])
        add_band(figure, x, curve["lower"] * scale, curve["upper"] * scale, colour)
        figure.add_scatter(
            x=x,
            y=(curve["median"] * scale).tolist(),
            mode="lines+markers",
            line={"color": colour, "width": 3, "dash": DASHES[index]},
            marker={"symbol": SYMBOLS[index], "size": 7},
            text=[escape(name)] * len(curve),
            hovertemplate=_curve_hover(scale),
            showlegend=False,
        )
        floor = np.nan if floors is None else floors.get(name, np.nan)
        if np.isfinite(floor):
            _add_floor(figure, x, floor * scale, colour, name)
        known = curve["median"].dropna()
        if len(known):
            ends.append((name, float(known.iloc[-1]) * scale))
    _label_ends(figure, ends, float(curves["sparsity"].max() * 100))


def add_grey_curves(figure: go.Figure, curves: pd.DataFrame, scale: int) -> None:
    """The curves nobody asked for, as one trace: twenty traces take the browser far longer."""
    if curves.empty:
        return
    wide = curves.pivot(index="class_name", columns="sparsity", values="median")
    x, y, text = [], [], []
    for name, values in zip(wide.index, wide.to_numpy(float) * scale, strict=True):
        x += [*percents(wide.columns), None]  # the gap parts one class from the next
        y += [*values.tolist(), None]
        text += [escape(name)] * (len(values) + 1)
    figure.add_scatter(
        x=x,
        y=y,
        text=text,
        mode="lines" if len(wide.columns) > 1 else "markers",
        line={"color": GREY, "width": 1.2},
        marker_color=GREY,
        hovertemplate=_curve_hover(scale),
    )


def _curve_hover(scale: int) -> str:
    value = "%{y:.0f} %" if scale == 100 else "%{y:.3f}"
    return f"%{{text}}<br>%{{x}} %: {value}<extra></extra>"


def whiskers(lower: pd.Series, upper: pd.Series, value: pd.Series) -> dict[str, object]:
    """Plotly's error bars from lower to upper around values of the same unit."""
    return {
        "type": "data",
        "symmetric": False,
        "array": upper - value,
        "arrayminus": value - lower,
        "color": RULE,
        "thickness": 1.5,
        "width": 3,
    }


def change_axis(figure: go.Figure, metric: str, **more: Any) -> None:
    """The horizontal axis of changes of a metric in percent."""
    title = f"Change of {words.METRICS[metric]} against dense (%)"
    figure.update_xaxes(title=title, ticksuffix=" %", zeroline=True, **more)


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


def _add_floor(figure: go.Figure, x: Any, level: float, colour: str, name: str) -> None:
    figure.add_scatter(
        x=[min(x), max(x)],
        y=[level, level],
        mode="lines",
        line={"color": colour, "width": 1.2, "dash": "dot"},
        text=[f"chance level of {escape(name)}"] * 2,
        hovertemplate="%{text}: %{y:.3g}<extra></extra>",
        showlegend=False,
    )


def _label_ends(figure: go.Figure, ends: list[tuple[str, float]], x: float) -> None:
    """Name lines at their right end, apart enough to be read; long names in two lines."""
    if not ends:
        return
    ends = sorted(ends, key=lambda end: end[1], reverse=True)
    # The labels are moved apart in pixels: the scale of the axis is the browser's business.
    drawn = [v for trace in figure.data for v in trace.y if v is not None and v == v]
    span = max(max(drawn) - min(drawn), 1e-9)
    pixels = (figure.layout.height - 90) / span
    lowest = -np.inf
    for name, y in ends:
        lines = _in_lines(name)
        wanted, half = -y * pixels, 8 * len(lines)
        placed = max(wanted, lowest + half)
        lowest = placed + half
        text = "<br>".join(escape(line) for line in lines)
        figure.add_annotation(
            x=x, y=y, text=f"<b>{text}</b>", showarrow=False, align="left",
            xanchor="left", xshift=8, yshift=wanted - placed, font_size=12,
        )  # fmt: skip


def _in_lines(name: str) -> list[str]:
    """A name in one line or two, divided where these are most alike."""
    if len(name) <= LONGEST_LINE or " " not in name:
        return [short(name, LONGEST_LINE)]
    gaps = [at for at, letter in enumerate(name) if letter == " "]
    middle = min(gaps, key=lambda at: abs(2 * at - len(name)))
    return [short(name[:middle], LONGEST_LINE), short(name[middle + 1 :], LONGEST_LINE)]


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
