"""What the page "Safe sparsity" reads and asks for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.analysis.safe_operation import OperatingAnswer, operating_answers
from core.analysis.safe_sparsity import ALL, SafeAnswer, SafeSparsity, safe_answers
from core.charts import Chart
from core.charts.safety import safety_chart
from core.errors import InputError
from core.results.moments import moments
from core.results.operating import operating_characteristics
from core.results.safe import safe_operation, safe_sparsity
from core.study.labels import FEW_PATIENTS
from core.ui import OpenStudy, loaders, widgets
from core.ui.cached import Source, source
from core.wording import terms

CONFIDENCE = (
    "How sure the bound must be: at 95 %, one in twenty classes whose true loss is just the margin "
    "is called safe."
)
CONFIDENCES = (80.0, 90.0, 95.0, 97.5, 99.0)


def ask_settings() -> SafeSparsity:
    """Metric, margin, confidence and least number of patients, all in the address."""
    with st.container(key="controls", horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        metric = _metric_switch()
        margin = st.number_input(
            "Margin (% of dense that may be lost)",
            1.0, 50.0, 10.0, step=1.0, format="%g", key="margin", bind="query-params", width=250,
            help=terms.TERMS["margin"],
        )  # fmt: skip
        widgets.drop_stale("confidence", list(CONFIDENCES))
        confidence = st.selectbox(
            "Confidence (%), one-sided",
            CONFIDENCES,
            index=CONFIDENCES.index(95.0),
            format_func=lambda value: f"{value:g}",
            key="confidence",
            bind="query-params",
            width=185,
            help=CONFIDENCE,
        )
        least = st.number_input(
            "At least this many test patients",
            1, 10_000, FEW_PATIENTS, key="min_patients", bind="query-params", width=225,
            help=terms.TERMS["test patients"],
        )  # fmt: skip
    return SafeSparsity(metric, round(margin / 100, 6), confidence / 100, int(least))


METRICS = {
    "Somers' D": "somers_d", "AP": "ap", "Calibrated AP": "calibrated_ap", "AUROC": "auroc",
}  # fmt: skip


def _metric_switch() -> str:
    """As `widgets.metric_switch`, with Somers' D, which claims rest on, first."""
    widgets.drop_stale("metric", list(METRICS))
    chosen = st.segmented_control(
        "Metric",
        list(METRICS),
        default=next(iter(METRICS)),
        required=True,
        key="metric",
        bind="query-params",
        help=terms.METRICS,
    )
    return METRICS[chosen]


def follow_old_address() -> None:
    """`positives`, the least number of images, became `min_patients`."""
    old = st.query_params.get("positives")
    if old is None:
        return
    del st.query_params["positives"]
    if old.isdecimal() and "min_patients" not in st.query_params and 0 < int(old) <= 10_000:
        st.session_state["min_patients"] = int(old)


def note_subgroup() -> None:
    """This page is about all test images, whatever subgroup other pages show."""
    if st.session_state.get("subgroup"):
        st.caption("Of all test images: the subgroup chosen on other pages is not applied here.")


@dataclass(frozen=True)
class Verdicts:
    """The table `safe_sparsity`, the answers per scope and per threshold, and the chart."""

    table: pd.DataFrame
    answers: dict[str, SafeAnswer]
    by_decisions: dict[str, OperatingAnswer]
    chart: Chart


def verdicts(opened: OpenStudy, settings: SafeSparsity) -> Verdicts | None:
    """What is safe; the first time every prediction is read, and the page shows how far it is.

    None where no class has the metric in both a dense and a pruned model; explains and ends the
    page where there is nothing to compare at all.
    """
    _compare(opened)
    key = operating_characteristics.key(opened.study)
    return _verdicts(source(opened), key, settings)


def _compare(opened: OpenStudy) -> None:
    place = st.empty()

    def advance(done: int, total: int) -> None:
        place.progress(done / total, text=f"Comparing with dense: {done:,} of {total:,} cells")

    if not moments.is_there(opened.study):
        try:
            moments(opened.study, advance=advance)
        except InputError:
            st.info("This needs a finished run with the dense model and one sparsity above 0.")
            st.stop()
    place.empty()
    if not operating_characteristics.is_there(opened.study):
        with st.spinner("Working out sensitivity and specificity at every sparsity \u2026"):
            operating_characteristics(opened.study)


@st.cache_resource(max_entries=64, show_spinner=False)
def _verdicts(of: Source, key: str, settings: SafeSparsity) -> Verdicts | None:
    table = safe_sparsity(of.study, settings)
    answers = safe_answers(table)
    if not answers:
        return None
    n_images = loaders.split_sizes(of)["test"]
    chart = safety_chart(table, answers[ALL], settings, n_images, n_test_patients(of))
    decided = operating_answers(safe_operation(of.study, settings))
    return Verdicts(table, answers, decided, chart)


def n_test_patients(of: OpenStudy | Source) -> int:
    return int(loaders.labels(of).split("test")["patient_id"].nunique())


def tag(settings: SafeSparsity) -> str:
    """What of the settings is not the default, for the name of a file."""
    changed = {
        name: value
        for name, value in vars(settings).items()
        if value != getattr(SafeSparsity(), name)
    }
    return "_".join(f"{name}-{value}" for name, value in changed.items())
