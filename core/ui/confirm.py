"""A second yes, before something goes for good."""

from __future__ import annotations

import streamlit as st

from core.actions.deletion import delete_dataset
from core.errors import InputError
from core.people.access import Person
from core.ui import plain
from core.upload.datasets import OwnDataset


def confirmed(
    question: str,
    yes: str,
    key: str,
    label: str = "Delete",
    icon: str = ":material/delete:",
    final: bool = True,
) -> bool:
    """Whether a person has just opened `label`, read the question and pressed `yes`."""
    with st.popover(label, icon=icon):
        st.markdown(question)
        return st.button(yes, type="primary" if final else "secondary", key=key)


def named(name: str, label: str, key: str) -> bool:
    """The same with a button that waits for a name to be typed."""
    typed = st.text_input("Type its name to delete it for good", key=key)
    return st.button(label, disabled=typed != name)


def delete_own(dataset: OwnDataset, person: Person) -> bool:
    """Whether a dataset is deleted; says which studies need it where some do."""
    try:
        delete_dataset(dataset, person)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/block:")
        return False
    return True
