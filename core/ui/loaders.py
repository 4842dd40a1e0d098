"""Tables of a study for the pages: labels, metrics, curves. All of the subgroup in view, if any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from core import results
from core.analysis import chance, decay, losses
from core.analysis.metrics import with_somers_d
from core.analysis.subgroup import PATIENTS, SliceFacts, groupings, slice_facts, values
from core.study.labels import SPLITS, Labels, class_frequencies, known_split, label_matrix
from core.ui import OpenStudy, show_progress
from core.ui.cached import BY_SOURCE, LARGE_ENTRIES, Source, of_study, source
from core.wording import words


def labels(opened: OpenStudy | Source) -> Labels:
    """Shared by all sessions, so for reading only; of a subgroup, other test rows are left out."""
    of = opened if isinstance(opened, Source) else source(opened)
    # Labels do not change when another cell is finished.
    return _labels(replace(of, metrics_time=0))


def whole_labels(opened: OpenStudy | Source) -> Labels:
    of = opened if isinstance(opened, Source) else source(opened)
    return labels(replace(of, subgroup=None))


@st.cache_resource(max_entries=LARGE_ENTRIES, show_spinner=False, hash_funcs=BY_SOURCE)
def _labels(of: Source) -> Labels:
    if of.subgroup is None:
        return of.study.labels
    whole = whole_labels(of)
    kept = np.ones(len(whole.table), bool)
    kept[np.flatnonzero(whole.table["split"] == "test")] = of.subgroup(whole)
    return Labels(whole.table[kept], whole.class_names)


@of_study()
def test_matrix(of: Source) -> np.ndarray:
    """The label matrix of the test images, classes in the labels' order."""
    known = labels(of)
    return label_matrix(known.split("test"), known.class_names)


@of_study()
def subgroup_choices(of: Source) -> dict[str, dict[str, int]]:
    """What the test images can be divided by, and for each its values with their images."""
    whole = whole_labels(of)
    return {by: {} if by == PATIENTS else values(whole, by) for by in groupings(whole)}


@of_study()
def facts_of_slice(of: Source) -> SliceFacts:
    whole = whole_labels(of)
    everything = np.ones((whole.table["split"] == "test").sum(), bool)
    return slice_facts(whole, of.subgroup(whole) if of.subgroup else everything)


@of_study()
def whole_test_size(of: Source) -> int:
    return int((whole_labels(of).table["split"] == "test").sum())


@of_study()
def frequencies(of: Source) -> pd.DataFrame:
    return class_frequencies(labels(of), of.groups)


@of_study()
def groups_of_classes(of: Source) -> dict[str, str]:
    """class_name to head, medium or tail."""
    table = frequencies(of)
    return dict(zip(table["class_name"], table["group"], strict=True))


@of_study()
def split_sizes(of: Source) -> dict[str, int]:
    """Images per split."""
    sizes = labels(of).table["split"].value_counts()
    return {split: int(sizes.get(split, 0)) for split in SPLITS}


@of_study()
def split_of_groups(of: Source) -> str:
    """train, or test where no training image is known: what the groups of classes go by."""
    return known_split(frequencies(of))


@of_study()
def patients_caveat(of: Source) -> str:
    """`words.unknown_patients` of the whole test set."""
    return words.unknown_patients(whole_labels(of).split("test"))


@of_study()
def chance_levels(of: Source, metric: str) -> pd.Series:
    return chance.chance_levels(labels(of), metric)


@of_study(spinner="Recomputing every metric for this subgroup …")
def class_metrics(of: Source) -> pd.DataFrame:
    """The class metrics; of a subgroup those of its images, over the cells made ready for it."""
    if of.study.class_metrics.empty:
        return with_somers_d(of.study.class_metrics)
    return results.table(of.study, "class_metrics", of.subgroup)


def finished_metrics(opened: OpenStudy) -> pd.DataFrame:
    """Class metrics; shows progress and ends the page while no cell is finished."""
    show_progress(opened)
    metrics = class_metrics(opened)
    if metrics.empty:
        st.info("No (run, sparsity) of this study is finished yet, so there is nothing to chart.")
        st.stop()
    return metrics


@of_study()
def mean_ap_band(of: Source) -> pd.DataFrame:
    """mAP per sparsity: median and quartiles over runs."""
    means = decay.mean_over_classes(class_metrics(of))
    return decay.band_over_runs(means, "mean_ap", ["sparsity"])


@of_study()
def curves(of: Source, metric: str) -> pd.DataFrame:
    return decay.ForgettabilityCurves(metric)(class_metrics(of))


@of_study()
def class_curves(of: Source, metric: str, relative: bool) -> pd.DataFrame:
    """Each class's curve with quartiles over runs; see `analysis.losses.class_curves`."""
    return losses.class_curves(class_metrics(of), metric, relative)


@of_study(entries=256)
def class_losses(of: Source, metric: str, sparsity: float) -> pd.DataFrame:
    """See `analysis.losses.Losses`."""
    return losses.Losses(metric, sparsity)(
        curves(of, metric), class_metrics(of), frequencies(of), chance_levels(of, metric)
    )
