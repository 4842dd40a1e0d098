"""Plotly's JavaScript, as the installed package holds it, on a route of our own.

The browser asks for it when somebody first takes a figure along: Streamlit keeps its own copy to
itself. It is the same for everybody and says nothing of any study.
"""

from __future__ import annotations

from pathlib import Path

import plotly
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

ADDRESS = f"/plotly/{plotly.__version__}.js"
_FILE = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# The version is in the address, so what a browser has it need not ask for again.
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}


def library_routes() -> list[Route]:
    return [Route(ADDRESS, _library, methods=["GET"])]


def _library(request: Request) -> FileResponse:
    return FileResponse(_FILE, media_type="text/javascript", headers=_KEPT)
