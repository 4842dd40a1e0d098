"""Switches between a few choices. A choice has an id, which stands in the address, in saved views
and in code; its label is only for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.ui import set_address, went_back

# What addresses and saved views held before choices had ids: the labels of that time.
BEFORE_IDS: dict[str, dict[str, str]] = {
    "metric": {
        "AP": "ap", "Calibrated AP": "calibrated_ap", "AUROC": "auroc", "Somers' D": "somers_d",
    },
    "reading": {"Corrected": "corrected", "Paper": "paper"},
    "scale": {"Relative to dense": "relative", "As measured": "measured"},
    "order": {"Frequency": "frequency", "Clustered": "clustered"},
    "definition": {
        "Paper": "paper", "Modal disagreement": "modal", "z-score": "z_score",
        "Every test image": "every",
    },
    "lost_by": {"Rank": "rank", "Operating point": "operating_point"},
    "sort": {
        "Findings": "findings", "Lowest agreement": "agreement", "Tail first": "tail",
        "Earliest lost": "lost", "Most raised": "raised", "Most findings": "most_findings",
        "Patient": "patient", "Test-set order": "test_order",
    },
    "size": {"Small": "small", "Medium": "medium", "Large": "large"},
}  # fmt: skip
METRICS = {
    "ap": "AP", "calibrated_ap": "Calibrated AP", "auroc": "AUROC", "somers_d": "Somers' D",
}  # fmt: skip

# How a control is drawn whose choices need no label above them.
QUIET: dict[str, Any] = {"label_visibility": "collapsed"}


def by_id(key: str, value: Any) -> Any:
    """A value of an address or a saved view as it is now."""
    return BEFORE_IDS.get(key, {}).get(value, value) if isinstance(value, str) else value


def switch(
    key: str,
    label: str,
    options: Mapping[str, str],
    default: str = "",
    help: str | None = None,
    folded: bool = False,
    **drawn: Any,
) -> str:
    """One of `options`, id to label; in the address as `key` unless it is the default. It goes with
    the person from page to page. folded: shows the other choices on a click only. drawn: what else
    the control takes, such as its width.

    Not bound: a bound widget writes its label there.
    """
    default = default or next(iter(options))
    value = _chosen(key, options) or default
    write(key, "" if value == default else value)
    return _control(key, label, options, value, help, folded, **drawn)


def metric_switch(default: str = "ap") -> str:
    """One of METRICS; in the address as `metric` once somebody has chosen. Until then it is
    `default`, which may change with the reading."""
    chosen = _chosen("metric", METRICS)
    write("metric", chosen)
    return _control("metric", "Metric", METRICS, chosen or default, **QUIET)


def reading_switch(editions: Mapping[bool, str]) -> bool:
    """True for the corrected reading, False for the paper's; in the address as `reading`.
    editions: what each of them is on this page."""
    options = {"corrected": "Corrected", "paper": "Paper"}
    help = " ".join(editions.values())
    return switch("reading", "Reading", options, help=help) == "corrected"


def choose(key: str, value: str) -> None:
    """For callbacks. The choice reaches the address with the next run that is not cut short, so
    until then the address it had is known to be behind."""
    st.session_state[f"chosen_{key}"] = value, st.query_params.get(key)


def asked(key: str) -> str:
    """The choice in the address, or the last one if the address names none; empty for none."""
    address = st.query_params.get(key)
    last, behind = st.session_state.get(f"chosen_{key}", ("", None))
    return (last if address in (None, behind) and not went_back() else address) or ""


def keep(key: str, value: str) -> None:
    """Remember a choice that is drawn, for an address that names none."""
    _, behind = st.session_state.get(f"chosen_{key}", ("", None))
    st.session_state[f"chosen_{key}"] = (
        value,
        behind if st.query_params.get(key) == behind else None,
    )


def _chosen(key: str, options: Mapping[str, str]) -> str:
    """What is asked for, where it is one of the options."""
    value = by_id(key, asked(key))
    value = value if value in options else ""
    keep(key, value)
    return value


def write(key: str, value: str) -> None:
    """Put a choice into the address; empty takes it out."""
    if value:
        set_address(key, value)
    else:
        st.query_params.pop(key, None)


def _control(
    key: str,
    label: str,
    options: Mapping[str, str],
    value: str,
    help: str | None = None,
    folded: bool = False,
    **drawn: Any,
) -> str:
    st.session_state[key] = value  # also after a page before
    drawn |= {
        "format_func": options.__getitem__,
        "key": key,
        "on_change": lambda: choose(key, st.session_state[key]),
        "help": help,
    }
    if folded:
        return str(st.selectbox(label, list(options), **drawn))
    return str(st.segmented_control(label, list(options), required=True, **drawn))
