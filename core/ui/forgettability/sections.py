"""What Forgettability shows, section by section; a click in a chart chooses two classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from core.analysis import decay, pairs
from core.analysis.class_pairs import pair_row
from core.analysis.interaction import INTERACTION, with_plain_terms
from core.analysis.pair_evidence import most_apart
from core.charts import Chart
from core.charts.pairs import outlined
from core.charts.scatter import ringed
from core.ui import nowrap, plain, results, tables, widgets
from core.ui.curves import MOST
from core.ui.forgettability import figures
from core.ui.results import cached, table
from core.ui.view import View
from core.wording import pair_sentences, terms, words
from core.wording.published import COOCCURRENCE, FREQUENCY, Figures, published

MAPS = {"fcd": "Forgettability", "iou": "Co-occurrence", "frequency": "Frequency"}
HEATMAPS = {"fcd": figures.fcd, "iou": figures.cooccurrence, "frequency": figures.frequency}
ABOUT_MAPS = {
    "fcd": f"FCD: {terms.TERMS['FCD']} Told apart: {terms.TERMS['told apart']}",
    "iou": f"Co-occurrence IoU: {terms.TERMS['co-occurrence IoU']}",
    "frequency": "How many times as frequent one of two classes is, as a logarithm.",
}
ABOUT_CURVES = f"Curve: {terms.TERMS['forgettability curve']}"
SCATTERS = {
    "frequency": (FREQUENCY, figures.pairs_against_frequency),
    "iou": (COOCCURRENCE, figures.pairs_against_cooccurrence),
}
PAIR = {"first": "First class", "second": "Second class"}


@dataclass(frozen=True)
class Pair:
    """Two classes, which may be one and the same. by_frequency: all there are, the most frequent
    first."""

    names: tuple[str, str]
    by_frequency: list[str]

    @property
    def is_one(self) -> bool:
        return self.names[0] == self.names[1]

    def pick(self) -> None:
        for place, (key, label) in zip(st.columns(2), PAIR.items(), strict=True):
            place.selectbox(label, self.by_frequency, key=key)


def chosen_pair(view: View, by_frequency: list[str], tested: bool) -> Pair:
    """In the address as `first` and `second`; the most different to begin with."""
    found = most_apart(table(view, "class_pairs")) if tested else None
    distances, _ = figures.distances(view)
    begin = found or pairs.most_different(distances, results.unstable_classes(view))
    first = widgets.addressed("first", by_frequency, begin[0])
    second = widgets.addressed("second", by_frequency, begin[1])
    return Pair((first, second), by_frequency)


def _take_click(key: str) -> None:
    """A clicked square or point chooses its two classes."""
    points = st.session_state[key]["selection"]["points"]
    if points and points[0].get("customdata"):
        st.session_state["first"], st.session_state["second"] = points[0]["customdata"][:2]


def _draw_clickable(view: View, chart: Chart, key: str, **more: Any) -> None:
    click: dict[str, Any] = {"on_select": lambda: _take_click(key), "selection_mode": "points"}
    widgets.draw(chart, key=key, level=3, of=view, about=view.about, **click, **more)


def show_map(view: View, which: str, order: list[str], pair: Pair, tested: bool) -> None:
    """One of MAPS, with both squares of the pair outlined."""
    chart = _outlined(view, which, tuple(order), pair.names)
    _draw_clickable(
        view,
        chart,
        f"{which}_heatmap",
        also=partial(widgets.downloads, view, "class_pairs", tag=view.tag),
        help=ABOUT_MAPS[which],
        signs=pair_sentences.signs(which, table(view, "class_pairs") if tested else None),
    )


@cached("metric", "corrected", entries=MOST, shared=True)
def _outlined(view: View, which: str, order: tuple[str, ...], pair: tuple[str, str]) -> Chart:
    return outlined(HEATMAPS[which](view, order), list(order), pair)


def show_pair(view: View, pair: Pair, tested: bool) -> None:
    if pair.is_one:
        st.info("Choose two different classes.")
        return
    chart = figures.two_curves(view, pair.names)
    groups, about = view.config.groups, (*view.about, *pair.names)
    widgets.draw(
        chart, key="pair_chart", legend=groups, level=3, of=view, about=about, help=ABOUT_CURVES
    )
    if tested:
        row = pair_row(table(view, "class_pairs"), pair.names)
        n_runs = decay.n_runs(results.class_metrics(view))
        st.markdown(nowrap(pair_sentences.pair_apart(row, n_runs)))
    facts = _facts(view, pair.names)
    first, second = pair.names
    st.caption(
        f"Together on {words.count(facts.n_both, 'test image')}, co-occurrence IoU "
        f"{words.number(facts.iou)}.",
        help=f"{plain(first)}: {words.count(facts.n_first, 'test image')}, {plain(second)}: "
        f"{facts.n_second:,}. {plain(terms.TERMS['co-occurrence IoU'])}",
    )


@cached("metric", entries=512)
def _facts(view: View, pair: tuple[str, str]) -> pairs.PairFacts:
    distances, _ = figures.distances(view)
    return pairs.pair_facts(distances, view.part.truth, view.part.class_names, pair)


def fold_scatters(view: View, pair: Pair) -> None:
    title = "What goes with being forgotten differently?"
    widgets.fold(title, "goes_with", lambda: _show_scatters(view, pair))


def fold_interaction(view: View) -> None:
    title = "Do frequency and co-occurrence act together?"
    widgets.fold(title, "interaction", lambda: _show_interaction(view))


def _show_scatters(view: View, pair: Pair) -> None:
    beside = {} if view.subgroup or view.metric != "ap" else published(view.config)
    cells = st.grid(2, min_column_width=300, gap="medium")
    for key, (correlation, _) in SCATTERS.items():
        chart = _ringed(view, key, beside.get(correlation), pair.names)
        with cells.cell():
            _draw_clickable(view, chart, f"scatter_{key}")
    if view.corrected:
        widgets.downloads(view, "claims")
        st.caption(pair_sentences.NO_INTERACTION)
    else:
        widgets.downloads(view, "correlations")


@cached("metric", "corrected", entries=MOST, shared=True)
def _ringed(view: View, key: str, beside: Figures | None, pair: tuple[str, str]) -> Chart:
    _, draw = SCATTERS[key]
    return ringed(draw(view, beside), pair)


def _show_interaction(view: View) -> None:
    rows = with_plain_terms(table(view, "interaction"))
    st.markdown(plain(pair_sentences.interaction(rows)))
    tables.show(
        rows.assign(term=rows["plain_term"].map(pair_sentences.TERMS)),
        INTERACTION,
        ("term", "coefficient", "t", "ols_p", "n"),
        height="content",
        alt="Terms of the interaction model with their coefficients and p-values",
    )
    st.caption(
        "Ordinary least squares of FCD on the difference of log frequency, IoU^(1/4) and their "
        "product."
    )
    widgets.downloads(view, "interaction", tag=view.tag)
