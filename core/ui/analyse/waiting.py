"""What a child process finds out: it is asked and watched, and its refusal shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from core.processes.children import Answer
from core.ui import plain
from core.wording.amounts import size

SECONDS_BETWEEN_LOOKS = 1
Report = TypeVar("Report")


def asked(look: Callable[[], Answer[Report]], ask: Callable[[], None]) -> Answer[Report]:
    """How a question stands, which is asked by itself if nobody has."""
    answer = look()
    if answer.state != "absent":
        return answer
    ask()
    return look()


def watch(look: Callable[[], Answer[Report]], cancel: Callable[[], None] | None = None) -> None:
    """How far a child is; the page begins again when it has ended."""
    st.fragment(_watch, run_every=SECONDS_BETWEEN_LOOKS)(look, cancel)


def refuse(why: str) -> None:
    st.error(f"**Refused.** {plain(why)}", icon=":material/block:")


def _watch(look: Callable[[], Answer[Report]], cancel: Callable[[], None] | None) -> None:
    answer = look()
    if answer.state != "working":
        st.rerun()
    st.progress(answer.fraction, text=plain(_stage(answer)))
    if cancel and st.button("Cancel", key="cancel_preflight"):
        cancel()


def _stage(answer: Answer[Report]) -> str:
    if answer.total <= 1:
        return answer.stage
    told = size if answer.stage == "Reading the file" else "{:,}".format
    return f"{answer.stage}: {told(answer.done)} of {told(answer.total)}"
