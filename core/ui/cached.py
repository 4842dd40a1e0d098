"""How a table of a study is cached: on the study's folder, the times of the files it is made of,
and the slice of test images it is about; never on a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from core.analysis.subgroup import Subgroup
from core.study import paths
from core.study.settings import GroupSettings
from core.study.study import Study
from core.ui import OpenStudy, modified

ENTRIES = 64  # tables kept per loader; those of a study are small
LARGE_ENTRIES = 4  # tables with a row per image
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """What the tables of a study are made of."""

    folder: str
    labels_time: int
    metrics_time: int
    groups: GroupSettings
    subgroup: Subgroup | None
    ranks_time: int = 0  # of the cells that a subgroup is computed from
    evidence_time: int = 0  # of what is known over patients, made when a study is finished

    @cached_property
    def study(self) -> Study:
        return Study(Path(self.folder))


# Streamlit would pickle it, part by part, at every look into a cache.
BY_SOURCE: dict[str | type[Any], Callable[[Any], Any]] = {Source: repr}


def source(opened: OpenStudy) -> Source:
    times = (
        modified(paths.labels_path(opened.folder)),
        modified(paths.class_metrics_path(opened.folder)),
    )
    ranks = 0
    if opened.subgroup:  # they are made a cell at a time, and a folder's time moves with each
        ranks = max(map(modified, opened.folder.glob("ranks/run=*")), default=0)
    evidence = 0 if opened.subgroup else modified(paths.paired_moments_path(opened.folder))
    return Source(
        str(opened.folder), *times, opened.config.groups, opened.subgroup, ranks, evidence
    )


def of_study(
    entries: int = ENTRIES, spinner: str | bool = False, shared: bool = False
) -> Callable[
    [Callable[Concatenate[Source, P], T]], Callable[Concatenate[OpenStudy | Source, P], T]
]:
    """Cache a function of a Source; the result takes an open study as well.

    `shared`: what it returns is one for all sessions, for reading only, and costs no copy.
    """
    cache = st.cache_resource if shared else st.cache_data

    def wrap(
        function: Callable[Concatenate[Source, P], T],
    ) -> Callable[Concatenate[OpenStudy | Source, P], T]:
        kept = cache(max_entries=entries, show_spinner=spinner, hash_funcs=BY_SOURCE)(function)

        @wraps(function)
        def load(of: OpenStudy | Source, *args: P.args, **kwargs: P.kwargs) -> T:
            return kept(of if isinstance(of, Source) else source(of), *args, **kwargs)

        return load

    return wrap
