"""What a file is understood to be, before anything is run on it: a label table, an X-ray, a
checkpoint, a file of predictions or a study file."""

import streamlit as st

from core import ui
from core.people.access import SEES_STUDIES
from core.ui import look, people
from core.upload import uploads

person = people.require(*SEES_STUDIES)
ui.page_head("Look at a file")
visitor = people.visitor()
if not uploads.may_upload(visitor):
    st.info(uploads.why_not(visitor), icon=":material/lock:")
    st.stop()
st.markdown(
    "Bring a label table, an X-ray, a checkpoint, a file of predictions or a study file, and see "
    "what PruneScope understands of it, what it guesses and what it leaves out. Nothing in the "
    "file is run."
)
look.show(person.email)
