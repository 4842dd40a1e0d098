"""What a file is understood to be: it is brought, looked at, shown, and deleted again."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.actions import looks
from core.actions.deletion import delete_upload
from core.actions.looking import TABLED, Look, in_words
from core.actions.looks import Answer
from core.study.preset_names import PRESETS
from core.ui import markup, plain
from core.ui.analyse import waiting
from core.ui.analyse.report import table
from core.ui.upload import upload as upload_zone
from core.upload import uploads
from core.upload.uploads import Upload

HELD = "look_at_a_file"  # name and answer, in the session alone
PRESET = "look_at_a_table_of"


def show(who: str) -> None:
    """The whole way from a file to what was understood; what is shown lives in the session."""
    coming = next(iter(uploads.uploads_of(who, "look")), None)
    if coming is not None:
        _wait_for(coming, who)
        return
    _preset()
    if upload_zone("look", "look_upload", "a file", ()):
        st.rerun()
    st.caption(
        "The file is deleted from this server once it has been looked at. What was found, an "
        "X-ray's picture included, stays in this tab until the next file."
    )
    if held := st.session_state.get(HELD):
        _answer(*held)


def _preset() -> None:
    options = [None, *PRESETS]
    chosen = st.selectbox(
        "Published data set, of a label table",
        options,
        index=options.index(st.session_state.get(PRESET)),
        format_func=lambda name: PRESETS[name].partition(":")[0] if name else "None of these",
        key="look_preset",
        help="Choose it before you bring the table. Its columns and values are then read as its "
        "authors mean them, as with `dataset.preset` in a study file.",
    )
    st.session_state[PRESET] = chosen  # a widget's own value goes while it is not drawn
    if chosen:
        st.caption(PRESETS[chosen])


def _wait_for(coming: Upload, who: str) -> None:
    look = partial(looks.answer, coming)
    answer = waiting.asked(look, partial(looks.ask, coming, st.session_state.get(PRESET)))
    st.markdown(f"**{plain(coming.name)}**")
    if answer.state in ("absent", "working"):
        waiting.watch(look, partial(delete_upload, coming, who))
        return
    st.session_state[HELD] = coming.name, answer
    delete_upload(coming, who)
    st.rerun()


def _answer(name: str, answer: Answer) -> None:
    st.header(plain(name))
    if answer.refusal:
        waiting.refuse(answer.refusal)
    elif answer.report is None:
        st.error(
            "The look ended without an answer, perhaps because memory ran out.",
            icon=":material/error:",
        )
    else:
        _report(name, answer.report)


def _report(name: str, found: Look) -> None:
    for warning in found.warnings:
        st.warning(plain(warning), icon=":material/warning:")
    said = {"This is": found.what, **in_words(found)}
    st.html(markup.facts({f"{term[:1].upper()}{term[1:]}": text for term, text in said.items()}))
    if found.picture:
        st.html(markup.previews([(name, found.picture)]))
    for fact in TABLED:
        rows = found.facts.get(fact, {})
        if rows:
            columns = ["Name", *(column.capitalize() for column in next(iter(rows.values())))]
            table([(row, *cells.values()) for row, cells in rows.items()], columns, fact)
