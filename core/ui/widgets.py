"""The widgets that more than one page uses. What is chosen stands in the address."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import charts
from core.results import export
from core.study import paths
from core.study.settings import GroupSettings
from core.ui import (
    figure_files,
    file_stem,
    markup,
    nowrap,
    people,
    plain,
    replayed,
    results,
    set_address,
)
from core.ui.view import View
from core.wording import columns, terms, words

LONGEST_CAPTION = 130  # letters that are shown at once


def draw(
    chart: charts.Chart,
    key: str,
    legend: GroupSettings | None = None,
    level: int = 2,
    shared_legend: GroupSettings | None = None,
    of: View | None = None,
    about: Sequence[str] = (),
    also: Callable[[], None] | None = None,
    help: str | None = None,
    signs: dict[str, str] | None = None,
    **options: Any,
) -> Any:
    """A chart below its finding, with its caption, and the figure as SVG and PNG.

    legend: says what its colours mean; `shared_legend`: the page says so for several, the files
    for each. signs: what its signs mean, for `markup.signs`. level: of the heading; below 2 a chart
    shares its row.
    of, about: the study, and what of the settings it shows, for the names of the files.
    also: draws more beside the files, such as the downloads of its table. help: what a word of the
    finding means, on hover.
    """
    st.markdown(f"{'#' * level} {nowrap(chart.title)}", help=plain(help) if help else None)
    said = legend or shared_legend
    split = results.split_of_groups(of) if said and of else "train"
    if legend:
        with st.container(key=f"legend-{key}"):
            st.html(markup.group_legend(legend, split, chart.groups))
    if signs:
        with st.container(key=f"signs-{key}"):
            st.html(markup.signs(signs))
    event = replayed.plotly_chart(chart, key, **options)
    caption(chart.caption)
    name = figure_files.file_name(key, of, about)
    colours = markup.group_meanings(said, split, chart.groups) if said else ()
    with files():
        figure_files.figure_files(chart, key, name, of, colours, wide=level <= 2)
        if also:
            also()
    return event


def fold(label: str, key: str, show: Callable[[], None], expanded: bool = False) -> None:
    """A section that is made when somebody opens it. Whether it is open stands in the address."""
    with st.expander(label, expanded, on_change="rerun", key=key, bind="query-params") as section:
        if section.open:
            show()


def controls() -> Any:
    """The row of what a page is asked for, above its answer."""
    return st.container(key="controls", horizontal=True, vertical_alignment="center")


def settings() -> Any:
    """What few people change, folded; what differs from the default stands beside it as a badge."""
    return st.popover("Settings", icon=":material/tune:")


def differs(*said: str) -> None:
    """A badge for each setting that is not the default."""
    for one in filter(None, said):
        st.badge(plain(one), color="orange")


def files() -> Any:
    """The row in which what can be taken along stands."""
    return st.container(horizontal=True, vertical_alignment="center", gap="small")


def caption(text: str) -> None:
    """The sentences of a caption that fit in two lines of a column; the others on hover."""
    sentences = re.split(r"(?<=\.) ", text)
    shown = 1
    while len(" ".join(sentences[: shown + 1])) <= LONGEST_CAPTION and shown < len(sentences):
        shown += 1
    rest = " ".join(sentences[shown:])
    st.caption(nowrap(" ".join(sentences[:shown])), help=nowrap(rest) if rest else None)


def sparsity_slider(sparsities: list[float], preferred: float = 0.9, quiet: bool = False) -> float:
    """A grid point, in the address as whole percent; no slider where there is one point only.

    quiet: without a label above it.
    """
    if len(sparsities) == 1:
        st.markdown(f"Sparsity **{words.percent(sparsities[0])}**, the only one there is.")
        return sparsities[0]
    options = [paths.percent(sparsity) for sparsity in sparsities]
    near = min(options, key=lambda option: abs(option - paths.percent(preferred)))
    drop_stale("sparsity", options)
    chosen = st.select_slider(
        "Sparsity (%)",
        options,
        value=near,
        key="sparsity",
        bind="query-params",
        help=terms.TERMS["sparsity"],
        label_visibility="collapsed" if quiet else "visible",
    )
    return sparsities[options.index(chosen)]


def addressed(key: str, options: list[str], begin: str) -> str:
    """The value of the selectbox `key`, which may be drawn later; it always stands in the address,
    also the one it begins with.

    A bound widget leaves its default out, and may not be set by a click elsewhere as well.
    """
    if st.session_state.get(key) not in options:
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in options else begin
    set_address(key, st.session_state[key])
    return st.session_state[key]


def drop_stale(key: str, options: list) -> None:
    """Forget a widget's value that another study's page left and that is no option here."""
    held = st.session_state.get(key)
    values = held if isinstance(held, list) else [held]
    if held is not None and any(value not in options for value in values):
        kept = [value for value in values if value in options]
        if isinstance(held, list):
            st.session_state[key] = kept
        else:
            del st.session_state[key]


def class_picker(label: str, names: list[str], quiet: bool = False) -> list[str]:
    """Classes picked by typing; in the address as `classes`. quiet: its label stands in it."""
    drop_stale("classes", names)
    return st.multiselect(
        label,
        names,
        key="classes",
        bind="query-params",
        placeholder=label if quiet else None,
        label_visibility="collapsed" if quiet else "visible",
    )


def downloads(
    view: View | None, table: str, make: Callable[[], pd.DataFrame] | None = None, tag: str = ""
) -> None:
    """CSV and Parquet of an export table of the view, or of what `make` gives. It is made when
    somebody clicks, outside the page, once it is logged; a person whose role has changed meanwhile
    gets nothing.

    The file's name says which study, table and subgroup; `tag` what else is not the default.
    Without a view it is a table of no study.
    """
    subgroup = columns.subgroup(view.subgroup) if view and view.subgroup else ""
    study_name = view.name if view else ""
    if view and make is None:
        make = partial(results.table, view, table)
    assert make
    name = file_stem(study_name, table, tag, subgroup)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.caption(plain(table), width="content")
        for label, suffix in (("CSV", ".csv"), ("Parquet", ".parquet")):
            st.download_button(
                label,
                data=people.logged_export(study_name, table, partial(_encoded, make, suffix)),
                file_name=f"{name}{suffix}",
                key=f"download_{table}_{tag}_{label}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
                help=f"The table {table} as {label}",
            )


def _encoded(make: Callable[[], pd.DataFrame], suffix: str) -> bytes:
    return export.FORMATS[suffix](make())
