"""What the administration page shows and does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pandas as pd
import streamlit as st

from core.actions.deletion import delete_dataset, delete_study
from core.errors import InputError
from core.people import audit
from core.study.columns import Column, Columns, Unit
from core.ui import OpenStudy, people, plain
from core.upload.datasets import OwnDataset, all_datasets, bytes_of
from core.wording.amounts import size

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
NOBODY = "nobody: from before owners were noted"


def people_in_log() -> list[str]:
    return sorted({line["who"] for line in audit.lines()} - {""})


def newest_lines(person: str | None) -> pd.DataFrame:
    """when, who, what, about: the newest lines of the audit log, of one person or of all."""
    newest = list(audit.lines(person=person))[: -NEWEST_LINES - 1 : -1]
    return _table(newest, in_words)


def whole_log(person: str | None) -> pd.DataFrame:
    """All lines of the log, of one person or of all, newest first; `about` as a JSON object."""
    return _table(list(audit.lines(person=person))[::-1], json.dumps)


def in_words(about: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items())


def _table(lines: Iterable[dict[str, str]], shown: Callable[[dict[str, str]], str]) -> pd.DataFrame:
    rows = []
    for line in lines:
        about = {name: value for name, value in line.items() if name not in ALWAYS}
        rows.append((*(line[name] for name in ALWAYS), shown(about)))
    table = pd.DataFrame(rows, columns=AUDIT_LOG.names)
    return table.assign(when=pd.to_datetime(table["when"], format="ISO8601", utc=True))


def delete_a_study(opened: OpenStudy) -> None:
    """Asks for the study's name, so that nobody deletes one by a slip, and deletes it."""
    typed = st.text_input("Type its name to delete it for good", key="deletion_typed")
    if st.button("Delete", disabled=typed != opened.name):
        delete_study(opened.folder, people.require("admin").email)
        st.rerun()


def own_datasets() -> dict[str, OwnDataset]:
    """Everybody's and nobody's, by their folders, since two may have one name."""
    return {one.folder.name: one for one in all_datasets()}


def datasets_table(found: Iterable[OwnDataset]) -> pd.DataFrame:
    """name, whose, size, folder."""
    rows = [(one.name, one.person or NOBODY, size(bytes_of(one)), one.folder.name) for one in found]
    return pd.DataFrame(rows, columns=["name", "whose", "size", "folder"])


def delete_a_dataset(dataset: OwnDataset) -> None:
    """As `delete_a_study`; says which studies need it where some do."""
    typed = st.text_input("Type its name to delete it for good", key="dataset_typed")
    if st.button("Delete the dataset", disabled=typed != dataset.name):
        try:
            delete_dataset(dataset, people.require("admin"))
        except InputError as error:
            st.error(plain(str(error)), icon=":material/block:")
        else:
            st.rerun()
