"""Our own routes below the sub-path that the server answers at, Streamlit's server.baseUrlPath.

A proxy passes on only what is below it, and the cookie of sign-in is sent only there.
"""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from starlette.routing import Route


def below_base(path: str) -> str:
    """The address of one of our routes, as a browser has to ask for it: "/scope/xray/..."."""
    base = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}{path}" if base else path


def routes_below_base(routes: Iterable[Route]) -> list[Route]:
    """The routes of an app at "/", moved to where the server answers."""
    return [Route(below_base(one.path), one.endpoint, methods=one.methods) for one in routes]
