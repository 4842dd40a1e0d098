"""Requests that may not get an X-ray, sent to a real running server: none gets a byte of one.

Every case is a whole HTTP request as it goes over the wire, so that no client tidies it up first.
The same bytes, sent by the person they are for, do bring the X-ray.
"""

from __future__ import annotations

import hmac
import io
import json
import socket
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from PIL import Image

from core.people import access
from core.people.access import XrayClaim, sign_xray
from core.study import paths
from tests.e2e.oidc import SignedApp, running_app
from tests.toys import write_toy_study

RESEARCHER, READER, ADMIN = "rolf@clinic.org", "rita@clinic.org", "ann@clinic.org"
IMAGE = "image-00012.png"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Server:
    """A running dashboard with one study, and what its image looks like when it is served."""

    app: SignedApp
    study_id: str
    file: bytes
    samples: bytes

    def token(self, person: str = RESEARCHER, image_id: str = IMAGE, of: str = "") -> str:
        return sign_xray(XrayClaim(of or self.study_id, image_id, person))


@dataclass(frozen=True)
class Asked:
    """One request as it goes over the wire."""

    target: str
    cookies: dict[str, str]
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    host: str = ""


@contextmanager
def serving(
    folder: Path, providers: dict[str, str], bound_to: str = "127.0.0.1"
) -> Iterator[Server]:
    """A real server over a study of images that nobody has drawn: not a synthetic one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        made = write_toy_study(n_images=20)
        path = paths.cache_dir() / "toy-images" / IMAGE
        noise = Image.effect_noise((48, 64), 90)  # no two X-rays share a run of bytes
        noise.save(path)
        with running_app(folder, providers, bound_to) as app:
            yield Server(app, made.name, path.read_bytes(), noise.tobytes())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # Nobody asks the provider: the tests make the cookies that Streamlit would make.
    provider = "http://127.0.0.1:9/.well-known/openid-configuration"
    with serving(tmp_path_factory.mktemp("unauthorised"), {"clinic": provider}) as running:
        yield running


def send(server: Server, asked: Asked) -> tuple[int, bytes]:
    """Status and everything that came back, the body of a HEAD or an upgrade included."""
    address, _, port = server.app.address.removeprefix("http://").rpartition(":")
    cookies = "; ".join(f"{name}={value}" for name, value in asked.cookies.items())
    lines = [
        f"{asked.method} {asked.target} HTTP/1.1",
        f"Host: {asked.host or f'{address}:{port}'}",
    ]
    lines += [f"{name}: {value}" for name, value in asked.headers]
    lines += [f"Cookie: {cookies}"] if cookies else []
    if not any(name == "Connection" for name, _ in asked.headers):
        lines.append("Connection: close")
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        connection.settimeout(1.0 if "websocket" in str(asked.headers) else 10.0)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except TimeoutError:
            pass  # an upgraded connection stays open
    return int(answer.split(b" ", 2)[1]), answer


def pixels_in(answer: bytes, server: Server) -> bool:
    """Whether anything of the X-ray is in an answer: as a picture, as samples, or as the file."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"content-encoding: gzip" in head.lower():
        body = zlib.decompressobj(31).decompress(body)
    pieces = {server.file[60:90], server.samples[500:530], server.samples[2000:2030]}
    return b"image/" in head.lower() or b"\x89PNG" in body or any(p in body for p in pieces)


def good(server: Server, query: str = "") -> Asked:
    return Asked(f"/xray/{server.token()}{query}", server.app.cookie(RESEARCHER))


@pytest.mark.parametrize("query", ["", "?size=256", "?pixels=1"])
def test_the_person_it_is_for_gets_the_xray(server: Server, query: str) -> None:
    status, answer = send(server, good(server, query))
    assert status == 200
    body = answer.partition(b"\r\n\r\n")[2]
    if query == "?pixels=1":
        assert server.samples[500:530] in body, "so that looking for these bytes finds them"
    else:
        assert Image.open(io.BytesIO(body)).tobytes() == server.samples
        assert pixels_in(answer, server)


Change = Callable[[Server, Asked], Asked]
CASES: dict[str, Change] = {}


def case(name: str) -> Callable[[Change], Change]:
    def add(change: Change) -> Change:
        CASES[name] = change
        return change

    return add


def cookie_case(name: str, change: Callable[[Server], dict[str, str]]) -> None:
    CASES[name] = lambda server, asked: replace(asked, cookies=change(server))


def token_case(name: str, change: Callable[[Server], str]) -> None:
    CASES[name] = lambda server, asked: replace(asked, target=f"/xray/{change(server)}")


def target_case(name: str, target: str) -> None:
    """A path; {study}, {path} and {token} stand for the toy's own. The cookie is a good one."""

    def change(server: Server, asked: Asked) -> Asked:
        path = quote(str(server.app.cache / "toy-images" / IMAGE))
        filled = target.format(study=server.study_id, path=path, token=server.token())
        return replace(asked, target=filled)

    CASES[name] = change


# Who asks

cookie_case("no cookie", lambda s: {})
cookie_case("an empty cookie", lambda s: {"_streamlit_user": ""})
cookie_case("a cookie of nonsense", lambda s: {"_streamlit_user": "x.y.z"})
cookie_case("a cookie signed with another key", lambda s: s.app.cookie(RESEARCHER, "k" * 40))
cookie_case("a cookie signed with an empty key", lambda s: s.app.cookie(RESEARCHER, ""))
cookie_case("claims without a signature", lambda s: {"_streamlit_user": unsigned(s)})
cookie_case("a signed cookie under another name", lambda s: renamed(s.app.cookie(RESEARCHER)))
cookie_case("a cookie with one letter changed", lambda s: tampered(s.app.cookie(RESEARCHER)))
cookie_case("another researcher's cookie", lambda s: s.app.cookie(ADMIN))
cookie_case("a reader's cookie", lambda s: s.app.cookie(READER))
cookie_case("somebody without a role", lambda s: s.app.cookie("nobody@clinic.org"))
cookie_case("an expired session", lambda s: s.app.cookie(RESEARCHER, exp=int(time.time()) - 1))
cookie_case("a session without an end", lambda s: s.app.cookie(RESEARCHER, exp=None))
cookie_case("a session that ends in words", lambda s: s.app.cookie(RESEARCHER, exp="9999999999"))
cookie_case("not verified", lambda s: s.app.cookie(RESEARCHER, email_verified=False))
cookie_case("not logged in", lambda s: s.app.cookie(RESEARCHER, is_logged_in=False))
cookie_case(
    "a cookie of another site", lambda s: s.app.cookie(RESEARCHER, origin="http://evil.org")
)
cookie_case("no e-mail address", lambda s: s.app.cookie(RESEARCHER, email=None))
cookie_case("the person called local", lambda s: s.app.cookie("local"))

# What they ask for

token_case("a token for another person", lambda s: s.token(ADMIN))
token_case("a token for the person called local", lambda s: s.token("local"))
token_case("a token for nobody", lambda s: s.token(""))
token_case("a token of another study", lambda s: s.token(of="other-12345678"))
token_case("a token of an unknown image", lambda s: s.token(image_id="image-99999.png"))
token_case("a token that leads up", lambda s: s.token(image_id=f"../toy-images/{IMAGE}"))
token_case("a study that leads up", lambda s: s.token(of=f"../studies/{s.study_id}"))
token_case("a study with a zero byte", lambda s: s.token(of=f"{s.study_id}\0"))
token_case("an expired token", lambda s: old_token(s))
token_case("a token of the future", lambda s: old_token(s, -7200))
token_case("a token with another image put in", lambda s: swapped(s, 1, "image-00013.png"))
token_case("a token with another study put in", lambda s: swapped(s, 0, "other-12345678"))
token_case("a token with another person put in", lambda s: swapped(s, 2, ADMIN))
token_case("a token without its end", lambda s: s.token()[:-22])
token_case("a token with one letter more", lambda s: s.token() + "A")
token_case("a token signed with another key", lambda s: foreign_token(s, b"k" * 32))
token_case("a token made for another purpose", lambda s: foreign_token(s, access.secret()))
token_case("no token", lambda s: "")
token_case("a very long token", lambda s: "A" * 30_000)
token_case("a token and a zero byte", lambda s: s.token() + "%00")
token_case("a token and a path", lambda s: s.token() + f"/../{IMAGE}")

# Other ways to a file

target_case("traversal below the route", "/xray/../../toy-images/" + IMAGE)
target_case("encoded traversal", "/xray/%2e%2e%2f%2e%2e%2ftoy-images%2f" + IMAGE)
target_case("doubly encoded traversal", "/xray/%252e%252e%252ftoy-images%252f" + IMAGE)
target_case("backslashes", "/xray/..\\..\\toy-images\\" + IMAGE)
target_case("an absolute path", "/xray/{path}")
target_case("a path as the target", "{path}")
target_case("two slashes", "//xray//{token}")
target_case("another case", "/XRAY/{token}")
target_case("the cache folder", "/cache/toy-images/" + IMAGE)
target_case("static serving", "/app/static/../../cache/toy-images/" + IMAGE)
target_case("the frontend's files", "/static/..%2f..%2f..%2f..%2f..%2f..%2f..%2f{path}")
target_case("a component's files", "/component/x/..%2f..%2f{path}")
target_case("a media address", "/media/0123456789abcdef0123456789abcdef.png")
target_case("the agent API", "/_stcore/agent/interact")


@case("a media address without a cookie")
def _media(server: Server, asked: Asked) -> Asked:
    return replace(asked, target="/media/0123456789abcdef.png", cookies={})


@case("HEAD without a cookie")
def _head(server: Server, asked: Asked) -> Asked:
    return replace(asked, method="HEAD", cookies={})


@case("a range without a cookie")
def _range(server: Server, asked: Asked) -> Asked:
    return replace(asked, headers=(("Range", "bytes=0-99"),), cookies={})


@case("a conditional request without a cookie")
def _conditional(server: Server, asked: Asked) -> Asked:
    return replace(asked, headers=(("If-None-Match", "*"),), cookies={})


@case("samples without a cookie")
def _samples(server: Server, asked: Asked) -> Asked:
    return replace(asked, target=asked.target + "?pixels=1", cookies={})


@case("a thumbnail without a cookie")
def _thumbnail(server: Server, asked: Asked) -> Asked:
    return replace(asked, target=asked.target + "?size=128", cookies={})


@case("another host, as after DNS rebinding")
def _host(server: Server, asked: Asked) -> Asked:
    return replace(asked, host="evil.org")


@case("no host")
def _no_host(server: Server, asked: Asked) -> Asked:
    return replace(asked, host=" ")


@case("an identity in headers")
def _headers(server: Server, asked: Asked) -> Asked:
    names = ("X-Forwarded-User", "X-Forwarded-Email", "Remote-User", "X-Auth-Request-Email")
    return replace(asked, headers=tuple((name, RESEARCHER) for name in names), cookies={})


@case("a bearer token")
def _bearer(server: Server, asked: Asked) -> Asked:
    return replace(asked, headers=(("Authorization", f"Bearer {server.token()}"),), cookies={})


@case("the cookie in the address")
def _cookie_in_address(server: Server, asked: Asked) -> Asked:
    (name, value), *_ = server.app.cookie(RESEARCHER).items()
    return replace(asked, target=f"{asked.target}?{name}={value}", cookies={})


@case("a WebSocket without a cookie")
def _websocket(server: Server, asked: Asked) -> Asked:
    return Asked("/_stcore/stream", {}, headers=tuple(UPGRADE.items()))


@case("a WebSocket to the route")
def _websocket_to_route(server: Server, asked: Asked) -> Asked:
    return replace(asked, headers=tuple(UPGRADE.items()))


@case("a WebSocket from another site")
def _foreign_websocket(server: Server, asked: Asked) -> Asked:
    headers = (*UPGRADE.items(), ("Origin", "http://evil.org"))
    return replace(asked, target="/_stcore/stream", headers=headers)


for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"):
    CASES[method] = lambda server, asked, method=method: replace(asked, method=method)


@pytest.mark.parametrize("name", CASES)
def test_nobody_else_gets_a_byte(server: Server, name: str) -> None:
    status, answer = send(server, CASES[name](server, good(server)))
    assert not pixels_in(answer, server), (name, status)
    assert status != 206


ALIKE = [name for name in CASES if name.startswith(("a token", "an expired token", "a study"))]


@pytest.mark.parametrize("name", [n for n in ALIKE if "and a" not in n])
def test_not_there_and_not_yours_look_alike(server: Server, name: str) -> None:
    assert refusal(server, CASES[name](server, good(server))) == REFUSED


def test_whoever_asks_is_told_the_same(server: Server) -> None:
    for cookies in ({}, server.app.cookie(READER), server.app.cookie(ADMIN)):
        assert refusal(server, replace(good(server), cookies=cookies)) == REFUSED


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30


def test_a_removed_role_counts_at_once(server: Server) -> None:
    before = server.app.roles.read_text()
    try:
        server.app.roles.write_text(before.replace(RESEARCHER, "someone@else.org"))
        assert refusal(server, good(server)) == REFUSED
        server.app.roles.write_text("[roles\nthis is no TOML")
        assert refusal(server, good(server)) == REFUSED
    finally:
        server.app.roles.write_text(before)
    assert send(server, good(server))[0] == 200


def test_signing_out_ends_a_copy_of_the_cookie_too(server: Server) -> None:
    asked = replace(good(server), cookies=server.app.cookie(RESEARCHER, nonce="stolen"))
    assert send(server, asked)[0] == 200
    send(server, replace(asked, target="/auth/logout"))
    assert refusal(server, asked) == REFUSED
    assert send(server, good(server))[0] == 200, "another session of the same person goes on"


def test_nothing_secret_is_in_the_servers_logs(server: Server) -> None:
    asked = good(server)
    send(server, asked)
    send(server, replace(asked, cookies={}))
    logs = server.app.log.read_text() + (server.app.cache / "audit.jsonl").read_text()
    secrets = [asked.target.removeprefix("/xray/"), *asked.cookies.values(), "only-for-tests"]
    assert not any(secret in logs for secret in secrets)
    assert RESEARCHER in logs


REFUSED = (403, b"Not allowed, or no longer.")


def refusal(server: Server, asked: Asked) -> tuple[int, bytes]:
    status, answer = send(server, asked)
    assert not pixels_in(answer, server)
    response = answer.partition(b"\r\n\r\n")
    return status, response[2]


def unsigned(server: Server) -> str:
    claims = {"email": RESEARCHER, "exp": 9_999_999_999, "is_logged_in": True}
    said = json.dumps(json.dumps(claims | {"origin": server.app.address})).encode()
    return urlsafe_b64encode(said).decode().rstrip("=")


def renamed(cookies: dict[str, str]) -> dict[str, str]:
    return {"_streamlit_user_tokens": next(iter(cookies.values()))}


def tampered(cookies: dict[str, str]) -> dict[str, str]:
    (name, value), *_ = cookies.items()
    return {name: value[:20] + ("A" if value[20] != "A" else "B") + value[21:]}


def old_token(server: Server, seconds: int = access.LIFETIME_SECONDS + 1) -> str:
    now = access.time.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access.time, "time", lambda: now - seconds)
        return server.token()


def swapped(server: Server, position: int, value: str) -> str:
    """Other words in the clear, as addresses had them once, before a good token."""
    words = [server.study_id, IMAGE, RESEARCHER]
    words[position] = value
    body = urlsafe_b64encode(json.dumps(words, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"{body}.{server.token()}"


def foreign_token(server: Server, key: bytes) -> str:
    """Sealed as ours are, with another key or one that is derived for something else."""
    said = json.dumps([access._step(), 0, server.study_id, IMAGE, RESEARCHER]).encode()
    cipher = AESSIV(hmac.digest(key, b"something else", "sha512"))
    return urlsafe_b64encode(cipher.encrypt(said, None)).decode().rstrip("=")
