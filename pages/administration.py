"""What administrators see: the audit log, everybody's own images, and the deletion of these and of
studies."""

import streamlit as st

from core import ui
from core.ui import people
from core.ui.administration import deletion, log

person = people.require("admin")
ui.page_head("Administration")
log.show()
with st.expander("Delete a study"):
    deletion.show_studies(person)
with st.expander("Delete images that somebody brought"):
    deletion.show_datasets(person)
