"""Uploads through a real server: what may come, what is refused and how, what is left behind."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from core.actions.deletion import delete_upload
from core.checkpoints import preflights
from core.checkpoints.preflight import PreflightOptions
from core.people import access
from core.study.config import StudyConfig
from core.upload import uploads
from core.upload.uploads import Upload
from tests.e2e.oidc import SignedApp, running_app
from tests.waiting import SECONDS, until

RESEARCHER, OTHER, READER = "rolf@clinic.org", "ann@clinic.org", "rita@clinic.org"
LIMIT = 300_000_000
SLOW_DOZEN = (
    "os-system.pt",
    "exec.pt",
    "archive-os-system.pt",
    "legacy-os-system.pt",
    "archive-cut-at-60.pt",
    "zip-bomb.pt",
    "zip-escaping.pt",
    "photo.pt",
    "header-offsets-outside.safetensors",
    "nan.pt",
    "three-classes.pt",
    "torchscript.pt",
    "escaping",
    "300-bytes",
)
QUICK_FEW = ("archive-exec.pt",)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedApp]:
    folder = tmp_path_factory.mktemp("uploads")
    provider = {"clinic": "http://127.0.0.1:9/.well-known/openid-configuration"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        patch.setenv("PRUNESCOPE_UPLOAD_LIMIT", str(LIMIT))
        with running_app(folder, provider) as running:
            yield running


def ticket_address(who: str = RESEARCHER, kind: uploads.Kind = "checkpoint") -> str:
    return uploads.address(kind, who)


def put(
    app: SignedApp,
    content: bytes,
    name: str = "model.pt",
    who: str = RESEARCHER,
    address: str | None = None,
    method: str = "PUT",
    **headers: str,
) -> tuple[int, dict[str, str]]:
    host = app.address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    cookies = "; ".join(f"{key}={value}" for key, value in app.cookie(who).items()) if who else ""
    sent = {"X-File-Name": quote(name), "Cookie": cookies}
    sent |= {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request(method, address or ticket_address(who), content, sent)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, json.loads(said) if said.startswith(b"{") else {}


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


# What arrives


def test_a_file_arrives_whole_under_a_name_of_its_own(app: SignedApp) -> None:
    content = os.urandom(3_000_001)
    status, said = put(app, content, "Röntgen best (2).pt")
    assert status == 201
    kept = uploads.find(said["id"], RESEARCHER)
    assert kept
    assert (kept.name, kept.n_bytes) == ("Röntgen best (2).pt", len(content))
    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert kept.path.read_bytes() == content
    assert kept.path.name == f"upload-{kept.id}"
    assert uploads.find(kept.id, OTHER) is None, "nobody else finds it"
    log = (app.cache / "audit.jsonl").read_text()
    assert '"upload"' in log
    assert kept.id in log


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/absolute.pt", "absolute.pt"),
        ("a\0b\n.pt", "a?b?.pt"),
        ("model\u202etp.pt", "model?tp.pt"),
        ("", "unnamed"),
        ("x" * 300 + ".pt", "x" * 175 + "..." + "x" * 17 + ".pt"),
    ],
)
def test_a_name_is_shown_and_never_a_path(app: SignedApp, name: str, shown: str) -> None:
    before = files_below(app.cache.parent)
    status, said = put(app, b"weights", name)
    assert status == 201
    kept = uploads.find(said["id"], RESEARCHER)
    assert kept
    assert kept.name == shown
    new = files_below(app.cache.parent) - before
    assert {path.parent for path in new} == {kept.folder}
    delete_upload(kept, RESEARCHER)
    assert not kept.folder.exists()


def test_two_people_send_the_same_name_at_once(app: SignedApp) -> None:
    answers: dict[str, tuple[int, dict[str, str]]] = {}

    def send(who: str) -> None:
        answers[who] = put(app, who.encode() * 100_000, "best.pt", who)

    threads = [threading.Thread(target=send, args=(who,)) for who in (RESEARCHER, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for who, (status, said) in answers.items():
        assert status == 201
        kept = uploads.find(said["id"], who)
        assert kept
        assert kept.path.read_bytes() == who.encode() * 100_000
        delete_upload(kept, who)


# What is refused


def test_an_address_is_for_one_upload(app: SignedApp) -> None:
    address = ticket_address()
    assert put(app, b"one", address=address)[0] == 201
    status, said = put(app, b"two", address=address)
    assert status == 422
    assert said["error"] == "This address was used already. Choose the file again."


@pytest.mark.parametrize(
    "case", ["reader", "nobody", "other", "forged", "x-ray", "expired", "site", "fetch"]
)
def test_who_may_not_is_told_nothing_more(app: SignedApp, case: str) -> None:
    options: dict[str, str] = {}
    if case == "reader":
        options = {"who": READER}
    if case == "nobody":
        options = {"who": "", "address": ticket_address()}
    if case == "other":
        options = {"who": OTHER, "address": ticket_address()}
    if case == "forged":
        options = {"address": ticket_address()[:-4] + "AAAA"}
    if case == "x-ray":
        token = access.sign_xray(access.XrayClaim("study", "image", RESEARCHER))
        options = {"address": f"/upload/{token}"}
    if case == "expired":
        with pytest.MonkeyPatch.context() as patch:
            now = time.time() - 60 * uploads.MINUTES_TO_BEGIN - 2
            patch.setattr("itsdangerous.timed.time.time", lambda: now)
            options = {"address": ticket_address()}
    if case == "site":
        options = {"Origin": "http://evil.org"}
    if case == "fetch":
        options = {"Sec_Fetch_Site": "cross-site"}
    before = files_below(uploads.uploads_dir())
    status, said = put(app, b"weights", **options)  # type: ignore[arg-type]
    assert status == 403
    assert said["error"].startswith("Not allowed, or no longer.")
    assert files_below(uploads.uploads_dir()) == before


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_put_is_answered(app: SignedApp, method: str) -> None:
    assert put(app, b"", method=method)[0] == 405


def test_nothing_is_a_clear_sentence(app: SignedApp) -> None:
    assert put(app, b"") == (400, {"error": "The file is empty (0 bytes)."})


def raw(app: SignedApp, head: list[str], body: bytes = b"", wait: bool = True) -> bytes:
    """A request as it goes over the wire, possibly cut short."""
    host, _, port = app.address.removeprefix("http://").rpartition(":")
    cookies = "; ".join(f"{key}={value}" for key, value in app.cookie(RESEARCHER).items())
    lines = [f"PUT {ticket_address()} HTTP/1.1", f"Host: {host}:{port}", f"Cookie: {cookies}"]
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(("\r\n".join([*lines, *head]) + "\r\n\r\n").encode() + body)
        answer = b""
        while wait and (piece := connection.recv(65536)):
            answer += piece
        if not wait:
            time.sleep(0.3)
    return answer


def test_too_large_is_said_before_it_is_sent(app: SignedApp) -> None:
    answer = raw(app, [f"Content-Length: {LIMIT + 1}", "Connection: close"], b"some of it")
    assert b" 413 " in answer.splitlines()[0]
    assert b"The file has 300.0 MB; at most 300.0 MB are taken here." in answer


def test_a_length_has_to_be_said(app: SignedApp) -> None:
    chunked = ["Transfer-Encoding: chunked", "Connection: close"]
    answer = raw(app, chunked, b"3\r\nabc\r\n0\r\n\r\n")
    assert b" 411 " in answer.splitlines()[0]
    assert b"does not say how long the file is" in answer


def test_half_an_upload_goes_at_once(app: SignedApp) -> None:
    before = set(uploads.uploads_dir().iterdir())
    raw(app, ["Content-Length: 5000000"], b"x" * 2_000_000, wait=False)
    until(lambda: set(uploads.uploads_dir().iterdir()) == before)


# Memory


@contextmanager
def most_memory(app: SignedApp) -> Iterator[list[int]]:
    """The largest resident memory of the server meanwhile, in bytes, once it is over."""
    pid = _pid(app)
    found, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            found[0] = max(found[0], pages * os.sysconf("SC_PAGE_SIZE"))
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _pid(app: SignedApp) -> int:
    port = app.address.rpartition(":")[2].encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"app.py" in command and port in command.split(b"\0"):
            return int(folder.name)
    pytest.skip("no /proc")


def send_zeros(app: SignedApp, n_bytes: int) -> str:
    host, _, port = app.address.removeprefix("http://").rpartition(":")
    cookies = "; ".join(f"{key}={value}" for key, value in app.cookie(RESEARCHER).items())
    head = (
        f"PUT {ticket_address()} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookies}\r\n"
        f"Content-Length: {n_bytes}\r\nConnection: close\r\n\r\n"
    )
    piece, answer = bytes(2**20), b""
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall(head.encode())
        for start in range(0, n_bytes, len(piece)):
            connection.sendall(piece[: n_bytes - start])
        while got := connection.recv(65536):
            answer += got
    assert b" 201 " in answer.splitlines()[0], answer
    return json.loads(answer.partition(b"\r\n\r\n")[2])["id"]


def test_memory_stays_flat(app: SignedApp) -> None:
    with most_memory(app) as before:
        send_zeros(app, 1_000_000)
    with most_memory(app) as meanwhile:
        sent = send_zeros(app, 200_000_000)
    delete_upload(_found(sent), RESEARCHER)
    assert meanwhile[0] - before[0] < 60_000_000


@pytest.mark.slow
def test_memory_of_one_and_a_half_gigabytes(tmp_path: Path) -> None:
    provider = {"clinic": "http://127.0.0.1:9/.well-known/openid-configuration"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
        patch.delenv("PRUNESCOPE_UPLOAD_LIMIT", raising=False)
        with running_app(tmp_path, provider) as running, most_memory(running) as most:
            send_zeros(running, 1_500_000_000)
        assert most[0] < 600_000_000, f"{most[0]:,} bytes"


def _found(upload_id: str) -> Upload:
    found = uploads.find(upload_id, RESEARCHER)
    assert found
    return found


# What somebody should not have sent


@pytest.mark.parametrize(
    "name", [*QUICK_FEW, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW_DOZEN)]
)
def test_whatever_comes_gets_a_sentence_and_nothing_runs(
    name: str, app: SignedApp, corpus: dict[str, Path], base: StudyConfig, tmp_path: Path
) -> None:
    canary, content = corpus["canary"], corpus[name].read_bytes()
    outside = files_below(app.cache.parent) - files_below(app.cache)
    status, said = put(app, content, corpus[name].name)
    assert status == 201
    sent = _found(said["id"])
    question = preflights.Question(sent, base, PreflightOptions(image_size=32))
    preflights.ask(question)
    until(lambda: preflights.answer(question).state != "working")
    answer = preflights.answer(question)
    assert answer.state == "finished"
    sentence = answer.refusal or (answer.report and answer.report.refusal)
    assert sentence
    assert "upload-" not in sentence, "its person knows it by another name"
    assert len(sentence.splitlines()) == 1
    assert not canary.exists()
    assert files_below(app.cache.parent) - files_below(app.cache) == outside
    assert put(app, b"x")[0] == 201, "the server is alive"
    delete_upload(sent, RESEARCHER)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from tests.engine.foreign import hostile

    folder = tmp_path_factory.mktemp("hostile")
    canary = tmp_path_factory.mktemp("canary") / "something-ran"
    return hostile.make(folder, canary) | {"canary": canary}


@pytest.fixture(scope="module")
def base() -> StudyConfig:
    raw = {
        "study": {"name": "grey-lungs"},
        "dataset": {"kind": "phantom", "n_patients": 40, "size": 32},
        "model": {"architecture": "resnet_small", "image_size": 32},
    }
    return StudyConfig.model_validate(raw)
