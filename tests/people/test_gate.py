"""The gate: requests for another name, from another site, or from another machine."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.people.access import Person, Visitor
from core.people.gate import Gate, Site

LOCAL = Site("127.0.0.1", sign_in=False)
PUBLIC = Site("0.0.0.0", sign_in=False)
SIGNED = Site("0.0.0.0", sign_in=True, origin="https://scope.clinic.org")
ROLF = Visitor(Person("rolf@clinic.org", "researcher"))


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")


def client(
    site: Site, visitor: Visitor | None = None, peer: str = "127.0.0.1", left: list | None = None
) -> TestClient:
    """Two routes behind the gate, asked from `peer`."""
    leave = (left if left is not None else []).append
    app = Starlette(
        routes=[
            Route("/{path:path}", lambda request: PlainTextResponse("inside")),
            WebSocketRoute("/_stcore/stream", talk),
        ],
        middleware=[Middleware(Gate, lambda: site, lambda request: visitor, leave)],
    )
    return TestClient(app, base_url="http://127.0.0.1:8501", client=(peer, 50000))


def inside(client: TestClient, path: str = "/", **headers: str) -> bool:
    answer = client.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})
    assert answer.status_code in (200, 403)
    assert (answer.status_code == 200) == (answer.text == "inside")
    return answer.status_code == 200


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "[::1]:8501", "LOCALHOST"])
def test_this_machine_is_known_by_its_own_names(host):
    assert inside(client(LOCAL), host=host)


@pytest.mark.parametrize(
    "host", ["evil.org", "evil.org:8501", "localhost.evil.org", "127.0.0.1.nip.io", "", "["]
)
def test_a_name_that_points_at_this_machine_is_refused(host):
    assert not inside(client(LOCAL), host=host)


def test_with_sign_in_the_origin_and_allowed_names_count():
    assert inside(client(SIGNED), host="scope.clinic.org")
    assert not inside(client(SIGNED), host="evil.org")
    allowing = Site("0.0.0.0", True, "https://scope.clinic.org", ("*.lan", "probe"))
    assert inside(client(allowing), host="pc.lan")
    assert inside(client(allowing), host="probe:8501")
    assert not inside(client(allowing), host="lan")


def test_without_sign_in_a_public_server_answers_under_every_name():
    assert inside(client(PUBLIC, peer="10.0.0.7"), host="whatever.org")


def test_health_is_told_to_every_probe():
    assert inside(client(SIGNED), "/_stcore/health", host="10.1.2.3:8501")


def test_a_server_that_says_it_is_local_answers_no_other_machine():
    assert not inside(client(LOCAL, peer="10.0.0.7"))
    assert inside(client(LOCAL, peer="10.0.0.7"), x_forwarded_for="10.0.0.7"), "synthetic alone"
    assert inside(client(LOCAL, peer="::1"))


@pytest.mark.parametrize("site", [SIGNED, LOCAL])
def test_nobody_fills_the_memory_through_streamlits_own_uploads(site):
    assert not inside(client(site, ROLF), "/_stcore/upload_file/x/y")
    assert not inside(client(site), "/base/_stcore/upload_file/x/y")


@pytest.mark.parametrize("path", ["/media/a.png", "/base/media/a.csv", "/_stcore/agent/mcp"])
def test_with_sign_in_files_are_for_people(path):
    assert not inside(client(SIGNED), path)
    assert inside(client(SIGNED, ROLF), path)
    assert inside(client(LOCAL), path)


def test_who_signs_out_is_told():
    left: list = []
    assert inside(client(SIGNED, ROLF, left=left), "/auth/logout")
    assert len(left) == 1


def greeted(client: TestClient, **headers: str) -> bool:
    try:
        with client.websocket_connect("/_stcore/stream", headers=headers) as websocket:
            return websocket.receive_text() == "hello"
    except WebSocketDisconnect:
        return False


def test_a_page_of_another_site_holds_no_page_of_ours_in_a_frame():
    for path in ("/", "/_stcore/health"):
        said = client(LOCAL).get(path).headers["content-security-policy"]
        assert said == "frame-ancestors 'self'"


def test_a_page_of_another_site_opens_no_websocket():
    here = {"host": "127.0.0.1:8501"}
    assert greeted(client(LOCAL), **here, origin="http://127.0.0.1:8501")
    assert greeted(client(LOCAL), **here), "a program that is no browser"
    for origin in ("http://evil.org", "http://127.0.0.1:9999", "http://localhost:8501", "null"):
        assert not greeted(client(LOCAL), **here, origin=origin)
    assert not greeted(client(LOCAL), host="evil.org", origin="http://evil.org")
    assert not greeted(client(LOCAL, peer="10.0.0.7"), **here)


def test_behind_a_proxy_that_renames_the_host_the_origin_is_that_of_sign_in():
    here = {"host": "127.0.0.1:8501"}
    assert greeted(client(SIGNED), **here, origin="https://scope.clinic.org")
    assert not greeted(client(SIGNED), **here, origin="http://scope.clinic.org")
    assert not greeted(client(LOCAL), **here, origin="https://scope.clinic.org")
