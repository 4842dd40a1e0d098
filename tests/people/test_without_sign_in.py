"""Where nobody signs in: this machine sees everything, all others synthetic studies alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.people.access import GUEST, LOCAL
from tests.people.test_unauthorised import REFUSED, UPGRADE, Asked, Server, pixels_in, send, serving

FORBIDDEN = 403


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("local"), {}) as server:
        yield server


def asked_on(server: Server, person: str = LOCAL.email) -> Asked:
    return Asked(f"/xray/{server.token(person)}", {})


def test_this_machine_sees_the_xray(local: Server) -> None:
    status, answer = send(local, asked_on(local))
    assert status == 200
    assert pixels_in(answer, local)


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "x-forwarded-host"]
)
def test_behind_a_proxy_on_this_machine_it_is_refused(local: Server, header: str) -> None:
    for person in (LOCAL.email, GUEST.email):
        asked = replace(asked_on(local, person), headers=((header, "203.0.113.7"),))
        status, answer = send(local, asked)
        assert (status, answer.partition(b"\r\n\r\n")[2]) == REFUSED


@pytest.mark.parametrize("host", ["evil.org", "evil.org:8501", "127.0.0.1.nip.io", " "])
def test_under_another_name_it_is_refused(local: Server, host: str) -> None:
    status, answer = send(local, replace(asked_on(local), host=host))
    assert status in (FORBIDDEN, 400)
    assert not pixels_in(answer, local)


def test_a_page_of_another_site_opens_no_websocket(local: Server) -> None:
    stream = Asked("/_stcore/stream", {}, headers=tuple(UPGRADE.items()))
    foreign = replace(stream, headers=(*stream.headers, ("Origin", "http://evil.org")))
    assert send(local, stream)[0] == 101
    assert send(local, foreign)[0] == FORBIDDEN


def test_on_a_public_address_it_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("public"), {}, bound_to="0.0.0.0") as server:
        for person in (LOCAL.email, GUEST.email):
            status, answer = send(server, asked_on(server, person))
            assert (status, answer.partition(b"\r\n\r\n")[2]) == REFUSED
