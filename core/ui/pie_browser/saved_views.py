"""Saved views of the PIE browser: the present filters under a name, found again another day."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.actions import saved_views
from core.actions.saved_views import LONGEST_NAME, SavedView
from core.analysis.lost import OPERATING_POINT
from core.errors import InputError, WorkError
from core.people.access import Person
from core.ui import plain, switches
from core.ui.pie_browser import filters, finding_filter
from core.ui.view import View

# What stands in the address besides the study, the page of the grid and the image in view.
KEYS = (
    *("definition", "sparsity", "lost_by", "sort", "size"),
    *(finding_filter.FATE, finding_filter.UNTIL),
    *(key for keys in filters.WIDGETS.values() for key in keys),
)
SWITCHES = (*switches.BEFORE_IDS, finding_filter.FATE)
SUBGROUP = "subgroup"
DELETED = "deleted_view"  # in the session: the study and the view, until something else is done


def show(shown: View, person: Person) -> None:
    """The person's views of this study to choose from, and the present one to save."""
    if not saved_views.may_save(person):
        return
    study_id = shown.folder.name
    with st.popover("Saved views", icon=":material/bookmark:", key="saved-views"):
        try:
            above = st.container()
            _show_new(study_id, person)
            with above:  # after what has just been saved
                _show_deleted(study_id, person)
                _show_saved(study_id, person)
        except (InputError, WorkError) as error:
            st.error(plain(str(error)))


def _show_new(study_id: str, person: Person) -> None:
    with st.form("save-view", border=False, clear_on_submit=True):
        name = st.text_input("Name for this view", max_chars=LONGEST_NAME, key="view-name")
        if not st.form_submit_button("Save it"):
            return
    try:
        kept = saved_views.save(person, study_id, name, _present())
        st.success(f"Saved: {plain(kept.name)}.")
    except InputError as error:  # the others are still there to choose from
        st.error(plain(str(error)))


def _show_deleted(study_id: str, person: Person) -> None:
    of, view = st.session_state.get(DELETED, ("", None))
    if view is None or of != study_id:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Deleted: {plain(view.name)}.", width="content")
        if st.button("Undo", key="undo-view", icon=":material/undo:"):
            try:
                saved_views.save(person, study_id, view.name, view.settings)
            except InputError as error:  # it can be tried again once there is room for it
                st.error(plain(str(error)))
                return
            del st.session_state[DELETED]
            st.rerun()


def _show_saved(study_id: str, person: Person) -> None:
    views = saved_views.saved(person, study_id)
    if not views:
        st.caption("No view of this study is saved yet. Only you see your views.")
    for number, view in enumerate(views):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            st.button(
                plain(view.name),
                key=f"view-{number}",
                type="tertiary",
                icon=":material/bookmark:",
                on_click=_choose,
                args=(view,),
            )
            deleted = st.button(
                "Delete", key=f"delete-view-{number}", help=f"Delete {plain(view.name)}"
            )
        if deleted:
            saved_views.remove(person, study_id, view.name)
            st.session_state[DELETED] = (study_id, view)
            st.rerun()


def _present() -> dict[str, Any]:
    held = {key: st.session_state[key] for key in KEYS if key in st.session_state}
    return held | {SUBGROUP: switches.asked(SUBGROUP)}


def _choose(view: SavedView) -> None:
    """Every filter as it was; what this study no longer has, its widget leaves out."""
    st.session_state.pop(DELETED, None)
    before = finding_filter.of_before(view.settings)
    settings = {finding_filter.FINDING: []} | view.settings | before
    switches.choose(SUBGROUP, str(settings.get(SUBGROUP, "")))
    switches.choose("lost_by", OPERATING_POINT)  # of views that were saved without it
    for key in KEYS:
        if key in settings:
            value = switches.by_id(key, settings[key])
            if key in SWITCHES:
                switches.choose(key, value)
            else:
                st.session_state[key] = tuple(value) if key == "agreement" else value
    st.session_state["page"] = 1
