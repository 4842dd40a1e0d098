"""What a person asks of Safe sparsity: metric, margin, confidence, and how many patients."""

from __future__ import annotations

import streamlit as st

from core.analysis.safe_sparsity import SafeSparsity
from core.study.labels import FEW_PATIENTS
from core.ui import switches, widgets
from core.ui.switches import switch
from core.wording import terms, words

# Somers' D, which claims rest on, first.
METRICS = {name: switches.METRICS[name] for name in ("somers_d", "ap", "calibrated_ap", "auroc")}
HOW_SURE = (
    "How sure the bound must be: at 95 %, one in twenty classes whose true loss is just the margin "
    "is called safe."
)
MARGIN, CONFIDENCE = 10.0, 95.0
CONFIDENCES = (80.0, 90.0, 95.0, 97.5, 99.0)


def ask() -> SafeSparsity:
    """Metric, margin, confidence and least number of patients, all in the address."""
    with widgets.controls():
        metric = switch("metric", "Metric", METRICS, **switches.QUIET)
        with widgets.settings():
            margin = st.number_input(
                "Margin (% of dense that may be lost)",
                1.0, 50.0, MARGIN, step=1.0, format="%g", key="margin", bind="query-params",
                help=terms.TERMS["margin"],
            )  # fmt: skip
            widgets.drop_stale("confidence", list(CONFIDENCES))
            confidence = st.selectbox(
                "Confidence (%), one-sided",
                CONFIDENCES,
                index=CONFIDENCES.index(CONFIDENCE),
                format_func=lambda value: f"{value:g}",
                key="confidence",
                bind="query-params",
                help=HOW_SURE,
            )
            least = st.number_input(
                "At least this many test patients",
                1, 10_000, FEW_PATIENTS, key="min_patients", bind="query-params",
                help=terms.TERMS["test patients"],
            )  # fmt: skip
        widgets.differs(
            f"margin {margin:g} %" if margin != MARGIN else "",
            f"{confidence:g} % confidence" if confidence != CONFIDENCE else "",
            f"at least {words.count(int(least), 'patient')}" if least != FEW_PATIENTS else "",
        )
    return SafeSparsity(metric, round(margin / 100, 6), confidence / 100, int(least))


def follow_old_address() -> None:
    """`positives`, the least number of images, became `min_patients`."""
    old = st.query_params.get("positives")
    if old is None:
        return
    del st.query_params["positives"]
    if old.isdecimal() and "min_patients" not in st.query_params and 0 < int(old) <= 10_000:
        st.session_state["min_patients"] = int(old)


def tag(settings: SafeSparsity) -> str:
    """What of the settings is not the default, for the name of a file."""
    changed = {
        name: value
        for name, value in vars(settings).items()
        if value != getattr(SafeSparsity(), name)
    }
    return "_".join(f"{name}-{value}" for name, value in changed.items())
