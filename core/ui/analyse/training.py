"""How frequent classes were in what a checkpoint was trained on: only its owner can say."""

from __future__ import annotations

import streamlit as st

from core.checkpoints.frequencies import read_frequencies
from core.checkpoints.preflight import Outputs
from core.errors import InputError
from core.ui import plain
from core.wording.words import count, frequency

TABLE = "As in a table of mine"
KNOWN = {
    "Not known": "unknown",
    "As in the dataset\u2019s train split, on which it was trained": "train",
    TABLE: "",
}


def frequencies(outputs: Outputs | None) -> str | dict[str, float] | None:
    """`class_frequencies` of `CheckpointSettings`; None while a table is asked for and lacks."""
    chosen = st.selectbox(
        "Class frequencies in its training",
        list(KNOWN),
        key="training",
        width=480,
        help="They decide which classes are called head, medium and tail. If they are not known, "
        "no class is called so, and nothing is said about rare classes.",
    )
    if chosen != TABLE or outputs is None:
        return KNOWN[chosen] or None
    text = st.text_area(
        "Frequency of each class",
        key="table_of_frequencies",
        placeholder="class,frequency\nHernia,0.002\nMass,0.051",
        help="CSV: `class` and `frequency` (a share from 0 to 1), or `class`, `positives` and "
        "`images` (how many training images there were).",
    )
    if not text.strip():
        return None
    try:
        found = read_frequencies(text, outputs.classes)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/block:")
        return None
    rarest, most = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
    st.caption(
        plain(
            f"{count(len(found), 'class')}, from {rarest} ({frequency(found[rarest])}) to {most} "
            f"({frequency(found[most])})."
        )
    )
    return found
