"""Uploads without a server: patience, room, quota, and what a crash leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.people import access
from core.people.access import GUEST, Person, Visitor
from core.people.gate import Site
from core.upload import upload_route, uploads
from core.upload.uploads import Ticket, Upload

RESEARCHER, READER = "rolf@clinic.org", "rita@clinic.org"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keep(content: bytes = b"weights", who: str = "local", name: str = "model.pt") -> Upload:
    ticket = uploads.read_ticket(uploads.address("checkpoint", who).rpartition("/")[2])
    assert ticket
    with uploads.receiving(ticket, name, len(content)) as place:
        place.write(content)
        return place.finish()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: the browser's tests keep a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def drip(pieces: list[bytes], pause: float, n_bytes: int) -> tuple[int, dict[str, str]]:
    """A request whose pieces come `pause` seconds apart, and never end."""
    visitor = Visitor(access.LOCAL)
    (route,) = upload_route.upload_routes(lambda _: visitor, lambda: Site("127.0.0.1", False))
    left, sent = iter(pieces), []

    async def receive():
        await asyncio.sleep(pause)
        body = next(left, None)
        if body is None:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message):
        sent.append(message)

    path = uploads.address("checkpoint", "local")
    headers = [(b"host", b"127.0.0.1"), (b"content-length", str(n_bytes).encode())]
    scope = {"type": "http", "method": "PUT", "path": path, "headers": headers}
    scope |= {"path_params": {"token": path.rpartition("/")[2]}, "query_string": b""}
    await route.app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


def test_who_sends_nothing_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_route, "SECONDS_BETWEEN_PIECES", 0.2)
    monkeypatch.setattr(upload_route, "DRAINED_SECONDS", 0.1)
    status, said = run(drip([b"x" * 10], 0.01, 1000))
    assert status == 408
    assert said["error"].startswith("Nothing came for")
    assert not list(uploads.uploads_dir().iterdir())


def test_who_sends_a_byte_now_and_then_is_given_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_route, "SECONDS_BEFORE_RATE_COUNTS", 0.2)
    monkeypatch.setattr(upload_route, "DRAINED_SECONDS", 0.1)
    status, said = run(drip([b"x"] * 1000, 0.02, 1000))
    assert (status, said["error"]) == (408, "The file came too slowly; the upload was given up.")
    assert not list(uploads.uploads_dir().iterdir())


def test_more_than_was_announced_is_refused(cache: Path) -> None:
    ticket = Ticket("0" * 32, "checkpoint", "local")
    with (
        pytest.raises(InputError, match="More bytes came"),
        uploads.receiving(ticket, "m.pt", 3) as place,
    ):
        place.write(b"four")
    assert not uploads.upload_dir(ticket.id).exists()


def test_a_person_keeps_only_so_much(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(uploads.LIMIT_VARIABLE, "10")
    for _ in range(5):
        keep(b"0123456789")
    with pytest.raises(InputError, match=r"50\.0 .*are the most|0\.1 kB are the most"):
        keep(b"0")
    keep(b"0", who="another")
    monkeypatch.setattr(uploads, "QUOTA_IN_FILES", 5)
    with pytest.raises(InputError, match="You keep 5 uploads here"):
        keep(b"0")


def test_a_disk_without_room_is_said_before(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SPARE_DISK", 2**60)
    with pytest.raises(InputError, match=r"the server's disk has room for 0\.0 kB"):
        keep()


def test_what_a_crash_left_is_swept_away_and_nothing_else(cache: Path) -> None:
    whole = keep()
    left = uploads.upload_dir("a" * 32)
    left.mkdir()
    (left / f"upload-{'a' * 32}").write_bytes(b"half")
    stranger = uploads.uploads_dir() / "not ours"
    stranger.mkdir()
    with uploads.receiving(Ticket("b" * 32, "checkpoint", "local"), "m.pt", 10) as place:
        uploads.sweep()
        assert uploads.stored_path("b" * 32).exists(), "somebody writes to it"
        place.write(b"0123456789")
        place.finish()
    assert not left.exists()
    assert stranger.exists()
    assert {one.id for one in uploads.uploads_of("local")} == {whole.id, "b" * 32}


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("", 2 * 10**9), ("500M", 5 * 10**8), ("4 GB", 4 * 10**9), ("12", 12)]
)
def test_the_limit_is_a_setting(text: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(uploads.LIMIT_VARIABLE, text)
    assert uploads.limit() == n_bytes


@pytest.mark.parametrize("text", ["much", "-1", "0", "1e9", "9" * 40])
def test_a_limit_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(uploads.LIMIT_VARIABLE, text)
    with pytest.raises(InputError, match="allowed are bytes, or such as 500M"):
        uploads.limit()


def test_guests_and_readers_may_not() -> None:
    assert not uploads.may_upload(None)
    assert not uploads.may_upload(Visitor(GUEST, synthetic_only=True))
    assert not uploads.may_upload(Visitor(Person(READER, "reader")))
    assert uploads.may_upload(Visitor(Person(RESEARCHER, "researcher")))
    assert "people who sign in" in uploads.why_not(Visitor(GUEST, synthetic_only=True))
