"""A study's results for the pages, kept in memory until what they are made of changes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pandas as pd
import streamlit as st

from core import results
from core.analysis import chance, decay
from core.analysis.groupings import groupings, values
from core.analysis.metrics import with_somers_d
from core.analysis.subgroup import Attribute, SliceFacts, attributes, slice_facts
from core.study.labels import FEW_PATIENTS, SPLITS, known_split
from core.ui import show_progress
from core.ui.view import View
from core.wording import data_sentences, words

ENTRIES = 64  # results kept of each kind; those of a study are small
RESAMPLING = "Resampling runs for the intervals …"
PERMUTING = "Permuting classes for the p-values …"
SPINNERS = {
    "class_metrics": "Recomputing every metric for this subgroup …",
    "forgettability": RESAMPLING,
    "class_pairs": RESAMPLING,
    "correlations": PERMUTING,
    "interaction": PERMUTING,
    "operating_characteristics": "Computing sensitivity and specificity …",
}
P = ParamSpec("P")
T = TypeVar("T")


def cached(
    *choices: str, entries: int = ENTRIES, spinner: str | bool = False, shared: bool = False
) -> Callable[[Callable[Concatenate[View, P], T]], Callable[Concatenate[View, P], T]]:
    """Keep what a function makes of a view, under the view's key and these of its choices; the
    function sees no other ones.

    shared: what it returns is one for all sessions, for reading only. Else it is the caller's own;
    pandas copies of a frame what its new owner writes to, so that costs nothing.
    """

    def wrap(
        function: Callable[Concatenate[View, P], T],
    ) -> Callable[Concatenate[View, P], T]:
        # Streamlit would pickle a view, part by part, at every look into a cache.
        by_key: dict[str | type[Any], Callable[[Any], Any]] = {
            View: lambda view: f"{view.key} {view.chosen}"
        }
        cache = st.cache_resource(max_entries=entries, show_spinner=spinner, hash_funcs=by_key)
        kept = cache(function)

        @wraps(function)
        def load(view: View, *args: P.args, **kwargs: P.kwargs) -> T:
            found: T = kept(view.only(*choices), *args, **kwargs)
            return found if shared else _own(found)

        return load

    return wrap


def _own(found: T) -> T:
    return found.copy(deep=False) if isinstance(found, pd.DataFrame) else deepcopy(found)


def table(view: View, name: str, **choices: Any) -> pd.DataFrame:
    """`results.table` of a view, at its metric and sparsity, or at `choices`, where the table takes
    them."""
    return _LOADERS[name](replace(view, **choices))


def _loader(name: str) -> Callable[[View], pd.DataFrame]:
    takes = {results.METRIC, results.SPARSITY} & set(results.TABLES[name].options)

    def load(view: View) -> pd.DataFrame:
        options = {option: getattr(view, option) or None for option in takes}
        return results.table(
            view.study, name, view.subgroup, over_patients=view.over_patients, **options
        )

    load.__qualname__ = f"{name} of {load.__qualname__}"  # a cache of its own
    return cached(*takes, spinner=SPINNERS.get(name, False))(load)


_LOADERS = {name: _loader(name) for name in results.TABLES}


def class_metrics(view: View) -> pd.DataFrame:
    """The table `class_metrics`; empty, with its columns, while no cell is finished."""
    stored = view.study.class_metrics
    return with_somers_d(stored) if stored.empty else table(view, "class_metrics")


def finished_metrics(view: View) -> pd.DataFrame:
    """Class metrics; shows progress and ends the page while no cell is finished."""
    show_progress(view)
    metrics = class_metrics(view)
    if metrics.empty:
        st.info("No (run, sparsity) of this study is finished yet, so there is nothing to chart.")
        st.stop()
    return metrics


@cached()
def mean_ap_band(view: View) -> pd.DataFrame:
    """mAP per sparsity: median and quartiles over runs."""
    means = decay.mean_over_classes(class_metrics(view))
    return decay.band_over_runs(means, "mean_ap", ["sparsity"])


@cached("metric")
def chance_levels(view: View) -> pd.Series:
    return chance.chance_levels(view.part.labels, view.metric)


def groups_of_classes(view: View) -> dict[str, str]:
    """class_name to head, medium or tail."""
    known = table(view, "class_frequencies")
    return dict(zip(known["class_name"], known["group"], strict=True))


def split_of_groups(view: View) -> str:
    """train, or test where no training image is known: what the groups of classes go by."""
    return known_split(table(view, "class_frequencies"))


@cached()
def split_sizes(view: View) -> dict[str, int]:
    """Images per split."""
    sizes = view.part.labels.table["split"].value_counts()
    return {split: int(sizes.get(split, 0)) for split in SPLITS}


@cached()
def facts_of_slice(view: View) -> SliceFacts:
    return slice_facts(view.study.labels, view.part.chosen)


def unstable_classes(view: View) -> frozenset[str]:
    """The classes that too few patients of the test set have to be judged."""
    patients = facts_of_slice(view).n_positive_patients
    return frozenset(name for name, n in patients.items() if n < FEW_PATIENTS)


@cached(shared=True)
def attributes_of_test_images(view: View) -> dict[str, Attribute]:
    """What a subgroup can be chosen by."""
    return attributes(view.study.labels)


@cached()
def columns_of_labels(view: View) -> dict[str, dict[str, int]]:
    """The attributes that divide the test images, and for each its values with their images."""
    labels = view.study.labels
    return {by: values(labels, by) for by in groupings(labels)}


@cached()
def data_caveats(view: View) -> list[str]:
    """`data_sentences.caveats` of the whole test set."""
    test = view.study.test
    return data_sentences.caveats(test.rows, test.class_names)


@cached()
def patients_caveat(view: View) -> str:
    """`words.unknown_patients` of the whole test set."""
    return words.unknown_patients(view.study.test.rows)
