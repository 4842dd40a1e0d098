"""Serving: a real dashboard and worker, restarted when killed, and gone when their parent is."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import jobs
from core.errors import InputError
from core.serve import (
    BASE_PATH,
    DEFAULT_PORT,
    address,
    answers,
    base_path,
    choose_port,
    who_may_see,
)
from tests.ports import free_port
from tests.waiting import SECONDS, children_of, lives, until

ROOT = Path(__file__).parents[1]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`serve` with a one-line dashboard below a sub-path, in a process of its own."""
    app = tmp_path / "an app" / "app.py"
    app.parent.mkdir()
    app.write_text("import streamlit as st\nst.title('here')\n")
    code = "import sys; from pathlib import Path; from core.serve import serve; "
    code += "serve(port=int(sys.argv[1]), app=Path(sys.argv[2]))"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, str(port), str(app)],
        cwd=ROOT,
        env=os.environ | {BASE_PATH: "scope"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    children: set[int] = set()
    try:
        until(lambda: answers("127.0.0.1", port, "/scope"))
        until(jobs.worker_running)
        children = set(children_of(process.pid))
        yield process
    finally:
        children |= set(children_of(process.pid))
        process.kill()
        process.wait()
        for child in filter(lives, children):
            os.kill(child, signal.SIGKILL)


def worker_of(server: subprocess.Popen[str]) -> int | None:
    for child in children_of(server.pid):
        with contextlib.suppress(ProcessLookupError):  # gone between the two looks
            if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return child
    return None


@linux_only
def test_a_killed_worker_is_started_again_and_sigterm_ends_everything(
    server: subprocess.Popen[str], port: int
) -> None:
    first = worker_of(server)
    assert first
    assert os.getpriority(os.PRIO_PROCESS, first) > os.getpriority(os.PRIO_PROCESS, server.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: worker_of(server) not in (None, first))
    until(jobs.worker_running)
    children = children_of(server.pid)
    assert len(children) == 2
    server.terminate()
    assert server.wait(SECONDS) == 0
    assert not any(map(lives, children))
    assert not answers("127.0.0.1", port, "/scope")
    assert server.stdout is not None
    said = server.stdout.read()
    assert f"PruneScope is at http://127.0.0.1:{port}/scope (" in said
    assert "Nobody signs in, so it answers only this machine." in said
    assert "The worker ended (status -9); a new one starts in 1 s." in said
    assert "Unfinished jobs go on" in said


@linux_only
def test_children_end_when_their_parent_is_killed(server: subprocess.Popen[str]) -> None:
    children = children_of(server.pid)
    assert len(children) == 2
    server.kill()
    until(lambda: not any(map(lives, children)))


@linux_only
def test_a_dashboard_that_ends_by_itself_ends_the_rest(server: subprocess.Popen[str]) -> None:
    worker = worker_of(server)
    (dashboard,) = set(children_of(server.pid)) - {worker}
    os.kill(dashboard, signal.SIGKILL)
    assert server.wait(SECONDS) == 1
    assert worker
    assert not lives(worker)
    assert server.stderr is not None
    assert "The dashboard ended by itself with exit status -9" in server.stderr.read()


def test_a_cache_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = os.environ | {"PRUNESCOPE_CACHE": str(tmp_path / "file" / "cache")}
    command = [sys.executable, "-m", "core.cli", "serve"]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90
    )
    assert result.returncode == 2
    assert "cannot be written: Not a directory. PRUNESCOPE_CACHE names another" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("secrets", "host", "words"),
    [
        ("", "127.0.0.1", "Nobody signs in, so it answers only this machine."),
        ("", "0.0.0.0", "Nobody signs in, so on 0.0.0.0 it shows only synthetic studies."),
        ("[other]\n", "::", "only synthetic studies"),
        ("[auth]\n", "0.0.0.0", "nobody has a role yet"),
        ("this is no TOML", "0.0.0.0", "nobody has a role yet"),
    ],
)
def test_the_start_says_who_may_see_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: str, host: str, words: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PRUNESCOPE_ROLES", raising=False)
    monkeypatch.delenv("PRUNESCOPE_ROLE_CLAIM", raising=False)
    (tmp_path / ".streamlit").mkdir()
    if secrets:
        (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets)
    assert words in who_may_see(host, tmp_path)


def test_a_taken_port_is_refused_in_a_sentence_with_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        command = [sys.executable, "-m", "core.cli", "serve", "--port", taken]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert result.returncode == 2
    assert result.stderr.startswith(f"Port {taken} of 127.0.0.1 is taken by another program.")
    assert len(result.stderr.strip().splitlines()) == 1


def test_without_a_port_the_next_free_one_is_taken_and_named() -> None:
    said: list[str] = []
    chosen = choose_port("127.0.0.1", None, said.append)
    with socket.create_server(("127.0.0.1", chosen)):
        following = choose_port("127.0.0.1", None, said.append)
    assert following > chosen >= DEFAULT_PORT
    assert said[-1] == f"Port {DEFAULT_PORT} is taken; using {following}."


def test_a_host_that_is_not_this_machine_is_refused() -> None:
    with pytest.raises(InputError, match=r"Cannot listen on 192\.0\.2\.1 port 8501"):
        choose_port("192.0.2.1", 8501)


def test_the_address_shown_is_one_a_browser_can_open() -> None:
    assert address("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert address("::", 80) == "http://[::1]:80"
    assert address("localhost", 80) == "http://localhost:80"
    assert address("localhost", 80, "/scope") == "http://localhost:80/scope"


def test_the_sub_path_is_where_streamlit_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(BASE_PATH, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder, home = tmp_path / "app" / ".streamlit", tmp_path / "home" / ".streamlit"
    assert base_path(folder.parent) == ""
    for place, said in ((home, "at-home"), (folder, "/lab/scope/")):  # the later counts more
        place.mkdir(parents=True)
        (place / "config.toml").write_text(f'[server]\nbaseUrlPath = "{said}"\n')
        assert base_path(folder.parent) == f"/{said.strip('/')}"
    monkeypatch.setenv(BASE_PATH, "scope")
    assert base_path(folder.parent) == "/scope"
    (folder / "config.toml").write_text("this is no TOML")
    assert base_path(folder.parent) == "/scope"
