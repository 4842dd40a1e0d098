"""What administrators see: the audit log, everybody's own images, and the deletion of these and of
studies."""

import streamlit as st

from core.ui import people
from core.ui.administration import deletion, log

person = people.require("admin")
st.title("Administration")
log.show()
deletion.show_studies(person)
deletion.show_datasets(person)
