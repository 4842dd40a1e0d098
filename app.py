"""What `streamlit run app.py` starts: the pages, the route that serves X-rays, and the gate."""

import streamlit as st
from starlette.middleware import Middleware

from core.gate import Gate, Site
from core.ui import provider
from core.xrays import xray_routes


def site() -> Site:
    hosts = tuple(st.get_option("server.allowedHosts") or ())
    sign_in = provider.configured()
    return Site(st.get_option("server.address"), sign_in, provider.origin(), hosts)


app = st.App(
    "pages/shell.py",
    routes=xray_routes(provider.visitor_of),
    middleware=[Middleware(Gate, site, provider.visitor_of, provider.leave)],
)
