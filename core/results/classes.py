"""A study's tables about classes and pairs of classes, of all test images or a slice of them."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd

from core.analysis.class_pairs import ClassPairs
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations
from core.analysis.dense_values import DenseValues
from core.analysis.forgettability import Forgettability
from core.analysis.interaction import Interaction
from core.analysis.overall import Overall
from core.errors import InputError
from core.results.evidence import class_onsets, different_pairs
from core.results.kept import Advance
from core.results.moments import mean_moments, moments
from core.results.slices import Slice


def forgettability(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`Forgettability`, over runs and, where they are known, patients."""
    return Forgettability(metric)(
        part.class_metrics, moments(part.study) if part.has_moments else None
    )


def class_summary(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`ClassSummary` of the metric, with the onsets of Somers' D where a pruned model is there."""
    onsets = class_onsets(part.study) if part.has_moments else None
    return ClassSummary(metric)(part.class_metrics, part.frequencies, onsets)


def class_pairs(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`ClassPairs` of the metric, with the evidence of Somers' D."""
    different = different_pairs(part.study) if part.whole else None
    return ClassPairs(metric)(part.class_metrics, part.truth, part.class_names, different)


def correlations(part: Slice) -> pd.DataFrame:
    """`Correlations`."""
    return Correlations()(part.class_metrics, part.frequencies, part.truth, part.class_names)


def interaction(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`Interaction`."""
    return Interaction(metric)(part.class_metrics, part.truth, part.class_names)


def overall(part: Slice, metric: str = "ap", advance: Advance | None = None) -> pd.DataFrame:
    """`Overall`, over runs and patients where a run has both dense and pruned predictions;
    `advance(done, total)` hears of the cells read, if any are."""
    over_patients = None
    if part.whole:
        with suppress(InputError):  # no run has both yet
            over_patients = mean_moments(part.study, advance=advance)
    return Overall(metric)(part.class_metrics, over_patients)


def dense_values(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`DenseValues`, over the runs whose dense model is evaluated."""
    study, chosen = part.study, part.chosen
    patients = study.test.rows["patient_id"][chosen]
    dense = (study.predictions(run, 0.0)[chosen] for run in study.runs(0.0))
    return DenseValues(metric)(part.truth, part.class_names, patients, dense)
