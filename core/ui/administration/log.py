"""The audit log: its newest lines to look at, all of them to take along."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial

import pandas as pd
import streamlit as st

from core.people import audit
from core.study.columns import Column, Columns, Unit
from core.ui import tables, widgets
from core.wording import words

NEWEST_LINES = 1000
AUDIT_LOG = Columns(
    Column("when", "In UTC.", Unit.TIME, "When (UTC)"),
    Column("who", "E-mail address; empty where nobody was signed in.", label="Who"),
    Column("what", "Such as `sign-in`, `x-ray opened`, `export` or `deletion`.", label="What"),
    Column("about", "Which study, image, table and so on; in files a JSON object.", label="About"),
    what="On Administration: the whole audit log, newest first; its own export is in it.",
    row="what somebody did",
)
ALWAYS = AUDIT_LOG.but("about").names


def show() -> None:
    st.subheader(
        "Audit log",
        help="Who did what, newest first. It is kept in cache/audit.jsonl; nothing is removed.",
    )
    everybody = sorted({line["who"] for line in audit.lines()} - {""})
    who = st.selectbox("Person", everybody, index=None, placeholder="Everybody")
    newest = list(audit.lines(person=who))[: -NEWEST_LINES - 1 : -1]
    alt = "The audit log, newest first"
    tables.show(_table(newest, _in_words), AUDIT_LOG, height=400, alt=alt)
    st.caption(
        f"{words.count(len(newest), 'line')}, the newest. The command prunescope audit prints all; "
        "the files hold all."
    )
    widgets.downloads(None, "audit_log", partial(whole_log, who), who or "")


def whole_log(person: str | None) -> pd.DataFrame:
    """All lines of the log, of one person or of all, newest first; `about` as a JSON object."""
    return _table(list(audit.lines(person=person))[::-1], json.dumps)


def _in_words(about: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items())


def _table(lines: Iterable[dict[str, str]], shown: Callable[[dict[str, str]], str]) -> pd.DataFrame:
    rows = []
    for line in lines:
        about = {name: value for name, value in line.items() if name not in ALWAYS}
        rows.append((*(line[name] for name in ALWAYS), shown(about)))
    table = pd.DataFrame(rows, columns=AUDIT_LOG.names)
    return table.assign(when=pd.to_datetime(table["when"], format="ISO8601", utc=True))
