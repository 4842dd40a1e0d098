"""What `streamlit run app.py` starts: the pages, and the one route that serves X-rays."""

import streamlit as st

from core.xrays import xray_routes

app = st.App("pages/shell.py", routes=xray_routes(lambda: st.get_option("server.address")))
