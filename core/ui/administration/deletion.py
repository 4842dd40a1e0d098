"""What an administrator can delete for good: a study, or images that somebody brought."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.actions.deletion import delete_study
from core.people.access import Person
from core.ui import confirm, visible_studies
from core.upload.datasets import all_datasets, bytes_of
from core.wording.amounts import size

NOBODY = "nobody: from before owners were noted"
HEADS = {"name": "Dataset", "whose": "Whose", "size": "Size", "folder": "Folder"}


def show_studies(person: Person) -> None:
    studies = visible_studies()
    if not studies:
        st.info("There is no study.", icon=":material/info:")
        return
    name = st.selectbox("Study to delete", list(studies), index=None)
    if name:
        st.caption(
            "This deletes its models, predictions and tables for good. Images and study files stay."
        )
        if confirm.named(name, "Delete", "deletion_typed"):
            delete_study(studies[name].folder, person.email)
            st.rerun()


def show_datasets(person: Person) -> None:
    """Everybody's and nobody's, by their folders, since two may have one name."""
    found = {one.folder.name: one for one in all_datasets()}
    if not found:
        st.info("Nobody has uploaded images.", icon=":material/info:")
        return
    rows = [
        (one.name, one.person or NOBODY, size(bytes_of(one)), folder)
        for folder, one in found.items()
    ]
    table, alt = pd.DataFrame(rows, columns=list(HEADS)), "Datasets of people's own"
    st.dataframe(table, hide_index=True, column_config=HEADS, alt=alt)
    chosen = st.selectbox("Dataset to delete", list(found), index=None)
    if chosen:
        st.caption("This deletes its images, its table and everything made from them for good.")
        named = confirm.named(found[chosen].name, "Delete the dataset", "dataset_typed")
        if named and confirm.delete_own(found[chosen], person):
            st.rerun()
