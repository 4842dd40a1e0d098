"""Background jobs: what waits, runs, is done or failed; one of them at its own address."""

import streamlit as st

from core import ui
from core.people.access import SEES_STUDIES
from core.ui import people
from core.ui.jobs import job, listing

people.require(*SEES_STUDIES)
asked = st.query_params.get("job")
# A link from this page to itself changes what is asked, and leaves the browser's address to us.
st.query_params.from_dict(st.query_params.to_dict())
if asked:
    job.show_job(asked)
else:
    ui.page_head("Jobs")
    listing.show_list()
