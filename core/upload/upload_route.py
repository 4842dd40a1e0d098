"""The route that takes files: `PUT /upload/{token}`, the bytes as they are, streamed to disk.

The name stands in the header `X-File-Name`, percent-encoded. Answers are JSON: `{"id": ...}` or
`{"error": "a sentence"}`. A file is never held in memory: while the disk is slow, or its writer is
busy, no more is read from the network.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import InputError, WorkError
from core.people import audit
from core.people.access import Visitor
from core.people.gate import Site, same_site
from core.upload import uploads
from core.upload.uploads import Receiving, Ticket

SECONDS_BETWEEN_PIECES = 20.0
SECONDS_BEFORE_RATE_COUNTS = 30.0
LEAST_RATE = 4 * 2**10  # bytes a second, so that nobody holds a place for days
WRITTEN_AT_ONCE = 2**20
# Read and thrown away before a refusal, since browsers show no answer to a request cut short.
DRAINED_BYTES, DRAINED_SECONDS = 8 * 2**20, 3.0
LARGEST_LENGTH_DIGITS = 15
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Connection": "close"}


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def upload_routes(
    visitor_of: Callable[[Request], Visitor | None], site: Callable[[], Site]
) -> list[Route]:
    """The route to hang into the app; `visitor_of` says who asks, `site` which origin is ours."""

    async def put(request: Request) -> Response:
        visitor = visitor_of(request)
        try:
            ticket = _ticket(request, visitor, site())
            done = await _received(request, ticket, _announced(request))
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        except (_Refused, InputError, WorkError) as refused:
            with suppress(Exception):
                await _drain(request)
            status = refused.status if isinstance(refused, _Refused) else 422
            status = 507 if isinstance(refused, WorkError) else status
            return JSONResponse({"error": str(refused)}, status, headers=HEADERS)
        return JSONResponse({"id": done}, 201, headers=HEADERS)

    return [Route("/upload/{token}", put, methods=["PUT"])]


def _ticket(request: Request, visitor: Visitor | None, site: Site) -> Ticket:
    """What the request may do. One answer for all that it may not, so that nothing is learnt."""
    ticket = uploads.read_ticket(request.path_params["token"])
    ours = same_site(request, site) and request.headers.get("sec-fetch-site", "none") in (
        "same-origin",
        "none",
    )
    who = visitor.person.email if visitor else ""
    if ours and ticket and uploads.may_upload(visitor) and ticket.person == who:
        return ticket
    audit.refused(who, {"upload": ticket.id if ticket else "unsigned or expired"})
    raise _Refused(403, "Not allowed, or no longer. Reload the page and choose the file again.")


def _announced(request: Request) -> int:
    text = request.headers.get("content-length")
    if text is None:
        raise _Refused(411, "The request does not say how long the file is (Content-Length).")
    if not (text.isascii() and text.isdigit() and len(text) <= LARGEST_LENGTH_DIGITS):
        raise _Refused(400, "The length of the file is not a number of bytes.")
    n_bytes = int(text)
    try:
        uploads.refuse_size(n_bytes)
    except InputError as error:
        raise _Refused(413 if n_bytes else 400, str(error)) from error
    return n_bytes


async def _received(request: Request, ticket: Ticket, n_bytes: int) -> str:
    name = unquote(request.headers.get("x-file-name", ""), errors="replace")
    async with _place(ticket, name, n_bytes) as place:
        held = bytearray()
        async for piece in _pieces(request):
            held += piece
            if len(held) >= WRITTEN_AT_ONCE:
                await asyncio.to_thread(place.write, bytes(held))
                held.clear()
        if held:
            await asyncio.to_thread(place.write, bytes(held))
        return (await asyncio.to_thread(place.finish)).id


@asynccontextmanager
async def _place(ticket: Ticket, name: str, n_bytes: int) -> AsyncIterator[Receiving]:
    """`uploads.receiving`, whose looks at the disk stay off the event loop."""
    manager = uploads.receiving(ticket, name, n_bytes)
    place = await asyncio.to_thread(manager.__enter__)
    try:
        yield place
    finally:
        # Cheap, and it must happen even where this task was cancelled.
        manager.__exit__(None, None, None)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; ends it where too little does."""
    began, received = time.monotonic(), 0
    async with aclosing(request.stream()) as stream:  # type: ignore[type-var]
        while True:
            try:
                piece = await asyncio.wait_for(anext(stream), SECONDS_BETWEEN_PIECES)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _Refused(
                    408,
                    f"Nothing came for {SECONDS_BETWEEN_PIECES:.0f} s; the upload was given up.",
                ) from None
            received += len(piece)
            seconds = time.monotonic() - began
            if seconds > SECONDS_BEFORE_RATE_COUNTS and received < LEAST_RATE * seconds:
                raise _Refused(408, "The file came too slowly; the upload was given up.")
            yield piece


async def _drain(request: Request) -> None:
    if request._stream_consumed:
        return
    received = 0
    async with asyncio.timeout(DRAINED_SECONDS):
        async for piece in request.stream():
            received += len(piece)
            if received > DRAINED_BYTES:
                return
