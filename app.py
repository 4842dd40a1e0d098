"""What `streamlit run app.py` starts: the pages, the routes of X-rays, uploads and Plotly, and
the gate."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from threading import Event

import streamlit as st
from starlette.middleware import Middleware

from core.charts.library import library_routes
from core.people.gate import Gate, Site
from core.pictures.xrays import xray_routes
from core.reader_study.readings import to_read
from core.ui import provider
from core.ui.addresses import routes_below_base
from core.ui.ahead import ahead
from core.ui.document import document_routes
from core.ui.sockets import send_at_once
from core.upload.upload_route import upload_routes

SECONDS_TO_WARM = 10  # at most, before the first visitor is let in


def site() -> Site:
    hosts = tuple(st.get_option("server.allowedHosts") or ())
    sign_in = provider.configured()
    return Site(st.get_option("server.address"), sign_in, provider.origin(), hosts)


@asynccontextmanager
async def warm(_: st.App) -> AsyncIterator[None]:
    send_at_once()
    ready = Event()
    ahead.prepare(
        lambda: import_module("core.ui.warm").warm(),  # its own imports take long too
        ready.set,
        lambda: import_module("dbos"),  # of the page Jobs
    )
    await to_thread(ready.wait, SECONDS_TO_WARM)
    yield


app = st.App(
    "pages/shell.py",
    lifespan=warm,
    routes=routes_below_base(
        [
            *xray_routes(provider.visitor_of, to_read),
            *upload_routes(provider.visitor_of, site),
            *library_routes(),
            *document_routes(path.stem for path in Path(__file__).with_name("pages").glob("*.py")),
        ]
    ),
    middleware=[Middleware(Gate, site, provider.visitor_of, provider.leave)],
)
