"""The frame of every page: the list of pages, the study picker, and errors in words."""

import streamlit as st

from core import markup, ui
from core.errors import InputError, WorkError

st.set_page_config(page_title="PruneScope", page_icon=markup.FAVICON, layout="wide")
ui.style()
page = st.navigation(
    [
        st.Page("overview.py", title="Overview", icon=":material/dashboard:", default=True),
        st.Page("class_ap.py", title="Class AP", icon=":material/show_chart:"),
        st.Page("forgettability.py", title="Forgettability", icon=":material/grid_on:"),
        st.Page("safe_sparsity.py", title="Safe sparsity", icon=":material/verified_user:"),
        st.Page("pie_browser.py", title="PIE browser", icon=":material/radiology:"),
    ]
)
with st.sidebar:
    ui.pick_study()
    st.caption("For research only. Not a medical device, not for diagnosis.")
try:
    page.run()
except (InputError, WorkError) as error:
    st.error(ui.plain(str(error)), icon=":material/error:")
