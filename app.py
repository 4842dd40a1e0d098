"""What `streamlit run app.py` starts: the pages, the routes of X-rays, uploads and Plotly, and
the gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware

from core import ui
from core.charts.library import library_routes
from core.people.gate import Gate, Site
from core.pictures.xrays import xray_routes
from core.reader_study.database import is_assigned
from core.ui import provider
from core.ui.document import document_routes
from core.upload.upload_route import upload_routes


def site() -> Site:
    hosts = tuple(st.get_option("server.allowedHosts") or ())
    sign_in = provider.configured()
    return Site(st.get_option("server.address"), sign_in, provider.origin(), hosts)


def import_what_pages_need() -> None:
    for module in walk_packages([str(Path(ui.__file__).parent)], "core.ui."):
        import_module(module.name)
    for name in ("scipy.stats", "jinja2"):  # put off by scipy itself, and by markup and pandas
        import_module(name)


@asynccontextmanager
async def warm(_: st.App) -> AsyncIterator[None]:
    """What pages import takes seconds; it is on its way before anybody asks for the first one."""
    Thread(target=import_what_pages_need, daemon=True).start()
    yield


app = st.App(
    "pages/shell.py",
    lifespan=warm,
    routes=[
        *xray_routes(provider.visitor_of, is_assigned),
        *upload_routes(provider.visitor_of, site),
        *library_routes(),
        *document_routes(path.stem for path in Path(__file__).with_name("pages").glob("*.py")),
    ],
    middleware=[Middleware(Gate, site, provider.visitor_of, provider.leave)],
)
