"""A place to drop a file, which the browser sends to our own route, with progress and cancel.

The file never passes through the page: once one is chosen the browser asks Python for an address
(so that none is old by then), sends the file there as it is, and tells Python the upload's id.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.ui import people
from core.ui.addresses import below_base
from core.upload import uploads
from core.upload.uploads import Kind
from core.wording.amounts import size

_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "prunescope_upload",
    html=(_HERE / "upload.html").read_text("utf-8"),
    css=(_HERE / "upload.css").read_text("utf-8"),
    js=(_HERE / "upload.js").read_text("utf-8"),
)


def upload(kind: Kind, key: str, what: str, suffixes: tuple[str, ...]) -> str | None:
    """A drop zone; returns the id of an upload that has just arrived whole, once.

    what: what is wanted, such as "a checkpoint". suffixes: what the file dialogue offers; the file
    itself is judged by its content, later.
    """
    held = f"{key}-address"

    def asked() -> None:
        who = people.require("researcher", "admin").email
        number = (st.session_state.get(key) or {}).get("want")
        address = below_base(uploads.address(kind, who))
        st.session_state[held] = {"number": number, "address": address}

    result = _component(
        key=key,
        data={
            "what": what,
            "accept": ",".join(suffixes),
            "limit": uploads.limit(),
            "limit_in_words": size(uploads.limit()),
            "given": st.session_state.get(held),
        },
        on_want_change=asked,
        on_done_change=_nothing,
    )
    return result.done if uploads.is_id(result.done) else None


def _nothing() -> None:
    """Streamlit names a trigger by its callback; what happened is read from the result."""
