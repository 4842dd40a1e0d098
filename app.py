"""What `streamlit run app.py` starts: the pages, the routes of X-rays and uploads, and the gate."""

import streamlit as st
from starlette.middleware import Middleware

from core.people.gate import Gate, Site
from core.pictures.xrays import xray_routes
from core.ui import provider
from core.upload.upload_route import upload_routes


def site() -> Site:
    hosts = tuple(st.get_option("server.allowedHosts") or ())
    sign_in = provider.configured()
    return Site(st.get_option("server.address"), sign_in, provider.origin(), hosts)


app = st.App(
    "pages/shell.py",
    routes=[*xray_routes(provider.visitor_of), *upload_routes(provider.visitor_of, site)],
    middleware=[Middleware(Gate, site, provider.visitor_of, provider.leave)],
)
