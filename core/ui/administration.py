"""What the administration page shows and does."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.people import audit
from core.people.deletion import delete_study
from core.ui import OpenStudy, people

NEWEST_LINES = 1000
ALWAYS = ("when", "who", "what")


def people_in_log() -> list[str]:
    return sorted({line["who"] for line in audit.lines()} - {""})


def log_table(person: str | None) -> pd.DataFrame:
    """when, who, what, about: the newest lines of the audit log, of one person or of all."""
    newest = list(audit.lines(person=person))[: -NEWEST_LINES - 1 : -1]
    rows = [(line["when"], line["who"], line["what"], about(line)) for line in newest]
    table = pd.DataFrame(rows, columns=[*ALWAYS, "about"])
    return table.assign(when=pd.to_datetime(table["when"], format="ISO8601", utc=True))


def about(line: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.items() if name not in ALWAYS)


def deletion(opened: OpenStudy) -> None:
    """Asks for the study's name, so that nobody deletes one by a slip, and deletes it."""
    typed = st.text_input("Type its name to delete it for good", key="deletion_typed")
    if st.button("Delete", disabled=typed != opened.name):
        delete_study(opened.folder, people.require("admin").email)
        st.rerun()
