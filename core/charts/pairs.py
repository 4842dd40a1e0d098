"""Class by class: how differently two classes are forgotten, how often they meet, how frequent
they are. One ordering serves all three."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.analysis.pair_evidence import SIGNIFICANT, most_apart, told_apart
from core.charts import parts
from core.study.labels import FEW_PATIENTS
from core.wording import pair_sentences, words

Pair = tuple[str, str]


def fcd_heatmap(
    fcd: pd.DataFrame,
    order: list[str],
    n_runs: int,
    n_grid: int,
    untested: bool = False,
    unstable: frozenset[str] = frozenset(),
) -> parts.Chart:
    """Class by class FCD as the paper has it; `untested`: as a root mean square, where no pair is
    tested, so that the title names none."""
    distance = "Root mean square" if untested else "Euclidean"
    caption = (
        f"FCD: {distance} distance of two median curves over {words.count(n_grid, 'sparsity')} "
        f"above 0, {words.count(n_runs, 'run')}. "
        "0: forgotten alike."
    )
    label = "FCD, RMS" if untested else "FCD"
    what = "are forgotten most differently"
    chart = _titled_heatmap(fcd, order, label, ".2f", unstable, what, caption)
    if untested:
        return replace(chart, title="FCD as measured, noise included; no pair is tested")
    return chart


def evidence_heatmap(
    table: pd.DataFrame, order: list[str], n_runs: int, n_grid: int
) -> parts.Chart:
    """Class by class FCD without noise, from the table of `ClassPairs`: pairs that are not told
    apart carry a dot, those that are not judged stay blank."""
    fcd = matrix_of(table, "fcd_corrected", order)
    judged = fcd.notna().any()
    names = zip(table["class_a"], table["class_b"], strict=True)
    said = map(pair_sentences.pair_in_short, table.to_dict(orient="records"))
    texts = {
        pair: text for (a, b), text in zip(names, said, strict=True) for pair in ((a, b), (b, a))
    }
    not_judged = frozenset(judged.index[~judged])
    figure, _ = _heatmap(fcd, order, "FCD", ".2f", not_judged, texts)
    q = matrix_of(table, "q_value", order).to_numpy(float)
    rows, columns = np.nonzero(q >= SIGNIFICANT)
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"size": 6, "color": "#ffffff", "line": {"color": "#000000", "width": 1}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        hoverinfo="skip",
        showlegend=False,
    )
    # The squares that take clicks lie above the dots.
    figure.data = (figure.data[0], figure.data[2], figure.data[1])
    n_judged = int(table["fcd_corrected"].notna().sum())
    apart = told_apart(table)
    title = pair_sentences.pairs_apart(len(apart), n_judged, most_apart(table))
    caption = pair_sentences.pairs_caption(apart, n_judged, len(table), n_grid, n_runs)
    return parts.Chart(title, figure, caption)


def iou_heatmap(
    iou: pd.DataFrame,
    order: list[str],
    n_images: int,
    corrected: bool,
    unstable: frozenset[str] = frozenset(),
) -> parts.Chart:
    """How often two classes occur together, as intersection over union."""
    counts = "" if corrected else ", class counts as column sums (paper)"
    caption = f"Co-occurrence IoU over {n_images:,} test images{counts}. 0: never together."
    return _titled_heatmap(iou, order, "IoU", ".3f", unstable, "occur together most", caption)


def frequency_heatmap(
    difference: pd.DataFrame,
    order: list[str],
    n_images: int,
    corrected: bool,
    unstable: frozenset[str] = frozenset(),
) -> parts.Chart:
    """How differently frequent two classes are, in natural logarithms."""
    counts = "positives" if corrected else "column sums (paper)"
    caption = f"Difference of log {counts} over {n_images:,} test images. 1: 2.7 times as frequent."
    label, what = "|\u0394 ln n|", "differ most in frequency"
    return _titled_heatmap(difference, order, label, ".2f", unstable, what, caption)


def _titled_heatmap(
    frame: pd.DataFrame,
    order: list[str],
    label: str,
    digits: str,
    unstable: frozenset[str],
    what: str,
    caption: str,
) -> parts.Chart:
    """Titled by the pair of the largest value, of which `what` is said."""
    figure, off_diagonal = _heatmap(frame, order, label, digits, unstable)
    # What a star behind a name means, where one is.
    star = f"* {words.FEW}, unstable. " if unstable & set(order) else ""
    return parts.Chart(_most(off_diagonal, order, unstable, what), figure, star + caption)


def outlined(chart: parts.Chart, order: list[str], pair: Pair) -> parts.Chart:
    """A heatmap with both squares of a pair outlined, white on black, to be seen on any colour."""
    row, column = (order.index(name) for name in pair)
    squares = [
        {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5, "line": line}
        for line in ({"color": "#000000", "width": 6}, {"color": "#ffffff", "width": 2.5})
        for y, x in ((row, column), (column, row))
    ]
    return parts.with_more(chart, shapes=squares)


def matrix_of(pair_table: pd.DataFrame, column: str, class_names: list[str]) -> pd.DataFrame:
    """A column of the pairs table as a symmetric matrix, NaN on its diagonal."""
    names = pd.Index(class_names)
    rows, columns = (names.get_indexer(pair_table[side]) for side in ("class_a", "class_b"))
    there = (rows >= 0) & (columns >= 0)
    rows, columns = rows[there], columns[there]
    values = np.full((len(names), len(names)), np.nan)
    values[rows, columns] = values[columns, rows] = pair_table[column].to_numpy(float)[there]
    return pd.DataFrame(values, index=names, columns=names)


def _heatmap(
    frame: pd.DataFrame,
    order: list[str],
    label: str,
    digits: str,
    unstable: frozenset[str],
    texts: dict[Pair, str] | None = None,
) -> tuple[go.Figure, np.ndarray]:
    """The figure, and its values without the diagonal. The squares that take clicks carry both
    class names as customdata."""
    values = frame.loc[order, order].to_numpy(float)
    off_diagonal = np.where(np.eye(len(order), dtype=bool), np.nan, values)
    longest = max(
        (len(parts.short(name)) for name in order), default=0
    )  # names stand below as well
    figure = parts.empty_figure(max(300, 17 * len(order) + 130 + 6 * longest))
    figure.add_heatmap(
        z=off_diagonal,
        colorscale="Cividis",
        colorbar={
            "title": {"text": label, "side": "right"},
            "orientation": "h",
            "thickness": 10,
            "y": 1,
            "yanchor": "bottom",
        },
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )
    # Clicks on a heatmap do not reach Streamlit; those on a scatter do.
    there = np.isfinite(off_diagonal) if texts is None else ~np.eye(len(order), dtype=bool)
    rows, columns = np.nonzero(there)
    shown = [parts.escape(name) for name in order]

    def value(row: np.integer, column: np.integer) -> str:
        if texts is None:
            return f"{values[row, column]:{digits}}"
        return texts[order[row], order[column]]

    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"symbol": "square", "size": 15, "opacity": 0, "color": "#000000"},
        customdata=[[order[row], order[column]] for row, column in zip(rows, columns, strict=True)],
        text=[
            f"{shown[row]} and {shown[column]}: {value(row, column)}"
            for row, column in zip(rows, columns, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    ticks = [parts.escape(parts.short(name)) + " *" * (name in unstable) for name in order]
    parts.class_axis(figure, order)
    figure.update_yaxes(ticktext=ticks)
    figure.update_xaxes(
        tickvals=list(range(len(order))),
        ticktext=ticks,
        tickangle=-60,
        showgrid=False,
        range=[-0.5, len(order) - 0.5],
        automargin=True,
    )
    figure.update_layout(clickmode="event+select", hoverdistance=60, dragmode=False)
    return figure, off_diagonal


def _most(off_diagonal: np.ndarray, order: list[str], unstable: frozenset[str], what: str) -> str:
    """The pair of the largest value; of classes of enough patients, where two of these are, which
    is said where another pair has a larger one."""
    stable = np.array([name not in unstable for name in order])
    judged = np.where(stable[:, None] & stable, off_diagonal, np.nan)
    if not np.isfinite(judged).any():
        judged = off_diagonal
    if not np.isfinite(judged).any():
        return "No two classes have what it takes to compare them"
    row, column = np.unravel_index(np.nanargmax(judged), judged.shape)
    text = f"{order[row]} and {order[column]} {what}"
    if judged[row, column] == np.nanmax(off_diagonal):
        return text
    return f"Of the classes with at least {FEW_PATIENTS} patients in the test set, {text}"
