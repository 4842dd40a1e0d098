"""The HTML document that every page begins with: Streamlit's own, with our stylesheets in its head.

A style that comes with a page's elements comes when the browser has drawn some of them: the page
moves under the reader's eyes. Measured at 1400 x 1000 on the finished demo, the layout shift (CLS)
was 0.27 to 0.83, by page, and is below 0.1. What nearly every page needs is fetched from the start
as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

_STATIC = Path(streamlit.__file__).parent / "static"
_EARLY = ("Html.*.js", "purify.es.*.js", "StreamlitMarkdown.*.js", "PlotlyChart.*.js")
_END_OF_HEAD = "</head>"
WITHOUT_SIDEBAR = "reader_study"  # opens with it folded
STYLE, SIDEBAR = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("style.css", "sidebar.css")
)


def document_routes(pages: Iterable[str]) -> list[Route]:
    """Home and the addresses of `pages`, such as "class_ap"; other addresses stay Streamlit's."""
    return [Route(f"/{page}", _document, methods=["GET"]) for page in ("", *pages)]


@cache
def document(page: str) -> str:
    """Streamlit's document with our additions; as it is where it has no head to add them to."""
    found = (path for pattern in _EARLY for path in sorted((_STATIC / "static/js").glob(pattern)))
    links = (f'<link rel="modulepreload" crossorigin href="./static/js/{p.name}">' for p in found)
    style = STYLE if page == WITHOUT_SIDEBAR else STYLE + SIDEBAR
    with_more = "\n".join([*links, f"<style>\n{style}</style>", _END_OF_HEAD])
    return (_STATIC / "index.html").read_text("utf-8").replace(_END_OF_HEAD, with_more, 1)


def _document(request: Request) -> HTMLResponse:
    page = request.url.path.rpartition("/")[2]
    return HTMLResponse(document(page), headers={"Cache-Control": "no-cache"})
