"""What every request passes before the dashboard: is it meant for this server, by this site, and
does it come from a person where that is asked for.

A page of another site can make a browser ask us, under a name it points at this machine (DNS
rebinding) or through a WebSocket. The name in Host, and the site in Origin, give both away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.people.access import FORWARDED, Visitor, is_loopback

HEALTH = "/_stcore/health"  # asked by probes, under whatever name
SIGN_OUT = "/auth/logout"
# Streamlit serves what stands behind these to anyone with the address.
FOR_PEOPLE = {"media", "agent"}
# Its own uploads lie in memory, as many as are sent. No page of ours has a widget for them.
FOR_NOBODY = "upload_file"


@dataclass(frozen=True)
class Site:
    """How this server is reached: what it is bound to, whether people sign in, the origin in
    their address bar then, and the patterns of further host names that were allowed."""

    address: str | None
    sign_in: bool
    origin: str | None = None
    hosts: tuple[str, ...] = ()

    def knows(self, host: str | None) -> bool:
        """Whether requests for this host name (without a port) are meant for us."""
        if self.open_to_all and not self.hosts:
            return True
        if host is None:
            return False
        own = urlsplit(self.origin or "").hostname
        return host == own or is_loopback(host) or any(fnmatch(host, name) for name in self.hosts)

    @property
    def open_to_all(self) -> bool:
        """Without sign-in on a public address: it shows nothing but what is drawn by code."""
        return not self.sign_in and not is_loopback(self.address)


class Gate:
    """ASGI middleware; `site` and `visitor` are asked again for every request, and `leave` is
    called for one that signs out."""

    def __init__(
        self,
        app: ASGIApp,
        site: Callable[[], Site],
        visitor: Callable[[HTTPConnection], Visitor | None],
        leave: Callable[[HTTPConnection], None],
    ) -> None:
        self.app, self.site, self.visitor, self.leave = app, site, visitor, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            request = HTTPConnection(scope)
            refusal = self._refusal(request)
            if refusal and scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008, "reason": ""})
            if refusal:
                return await PlainTextResponse(refusal, 403)(scope, receive, send)
            if scope["path"].endswith(SIGN_OUT):
                self.leave(request)
        return await self.app(scope, receive, _unframed(send))

    def _refusal(self, request: HTTPConnection) -> str | None:
        path = request.scope["path"]
        if path.endswith(HEALTH):
            return None
        site, host = self.site(), request.headers.get("host")
        if not site.knows(_name(host)):
            return "This server does not answer under this name. See server.allowedHosts."
        if not site.sign_in and is_loopback(site.address) and _from_elsewhere(request):
            return "Without sign-in, this server answers only its own machine."
        if request.scope["type"] == "websocket" and not same_site(request, site):
            return "Not from this site."
        if FOR_NOBODY in path.split("/"):
            return "Only the page Analyse a checkpoint takes files."
        if site.sign_in and FOR_PEOPLE & set(path.split("/")) and self.visitor(request) is None:
            return "Not allowed, or no longer."
        return None


def _unframed(send: Send) -> Send:
    """No page of another site may hold ours in a frame, where people would click on it unseen."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append(
                "Content-Security-Policy", "frame-ancestors 'self'"
            )
        await send(message)

    return send_on


def _from_elsewhere(request: HTTPConnection) -> bool:
    """Bound otherwise than the setting says. What a proxy forwards gets in, for synthetic
    studies only: see `access.without_sign_in`."""
    forwarded = FORWARDED.intersection(request.headers.keys())
    return not forwarded and not (request.client and is_loopback(request.client.host))


def same_site(request: HTTPConnection, site: Site) -> bool:
    """Browsers always name the site that opens a WebSocket; other programs do not."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    return origin == site.origin or urlsplit(origin).netloc == request.headers.get("host")


def _name(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None
