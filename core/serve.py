"""The dashboard and one background worker as children of one process that ends with both."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError, WorkError
from core.people.access import is_loopback
from core.people.sign_in import configured_in, role_claim, roles_path
from core.study.paths import cache_dir
from core.study.shipped import unpack
from core.study.trash import empty_deleted

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app.py"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8501
PORTS_TO_TRY = 50
BASE_PATH = "STREAMLIT_SERVER_BASE_URL_PATH"  # overrides server.baseUrlPath
WORKER_NICENESS = 10  # a page that is asked for goes before a training step
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a worker that died is started again
SECONDS_OF_A_HEALTHY_WORKER = 60.0
SECONDS_TO_END = 8.0  # Docker kills 10 s after SIGTERM
SECONDS_BETWEEN_LOOKS = 0.2
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def serve(
    host: str = DEFAULT_HOST,
    port: int | None = None,
    open_worker: bool = True,
    app: Path = APP,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the dashboard until SIGINT or SIGTERM, and keep a worker alive beside it.

    Without a port, 8501 or the next free one. `say` gets the address once the dashboard answers.
    Raises InputError where the port or host cannot be used, WorkError where the dashboard ends.
    """
    if not app.is_file():
        raise InputError(f"There is no dashboard at {app}; run from a checkout of PruneScope.")
    prepare_cache()
    unpack(say)
    port = choose_port(host, port, say)
    with contextlib.suppress(WorkError):  # of a deletion that was cut short
        empty_deleted()
    stop: list[int] = []  # not an Event, whose lock a handler may find held by its own thread
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: stop.append(received))
    base = base_path(app.parent)
    dashboard = _start(_dashboard_command(host, port, app, base), app.parent)
    worker = WorkerKeeper(say) if open_worker else None
    answered = False
    try:
        while not stop:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if dashboard.poll() is not None:
                raise WorkError(
                    f"The dashboard ended by itself with exit status {dashboard.returncode}; "
                    "its last lines above say why."
                )
            if worker:
                worker.keep()
            if not answered and (answered := answers(host, port, base)):
                say(f"PruneScope is at {address(host, port, base)} (stop with Ctrl-C)")
                say(who_may_see(host, app.parent))
    finally:
        _end([dashboard, *([worker.process] if worker and worker.process else [])])
    say("PruneScope has stopped. Unfinished jobs go on when it is started again.")


class WorkerKeeper:
    """Starts a worker, and starts it again when it dies: after 1 s, then 2 s, up to 30 s."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._say, self._pause = say, FIRST_PAUSE
        self._started, self._start_at = 0.0, 0.0

    def keep(self) -> None:
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                self.process, self._started = self._start(), now
        elif self.process.poll() is not None:
            if now - self._started > SECONDS_OF_A_HEALTHY_WORKER:
                self._pause = FIRST_PAUSE
            status = self.process.returncode
            self._say(f"The worker ended (status {status}); a new one starts in {self._pause:g} s.")
            _kill_group(self.process)  # what it may have started itself
            self.process, self._start_at = None, now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "core.cli", "worker", "--parent", str(os.getpid())]
        return _start(command, ROOT, WORKER_NICENESS)


def prepare_cache() -> None:
    """Make the cache folder, and see that it can be written. Raises InputError."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"The cache folder {folder} cannot be written: {error.strerror}. "
            "PRUNESCOPE_CACHE names another one."
        ) from error


def who_may_see(host: str, folder: Path) -> str:
    """What a dashboard started in `folder` and listening on `host` shows to whom, in words."""
    if configured_in(folder):
        if roles_path() or role_claim():
            return "People sign in, and see what their role allows."
        return (
            "People sign in, but nobody has a role yet: name a file of roles in PRUNESCOPE_ROLES "
            "(docs/how-to/deploy.md)."
        )
    if is_loopback(host):
        return "Nobody signs in, so it answers only this machine."
    return (
        f"Nobody signs in, so on {host} it shows only synthetic studies. To show others, set up "
        "sign-in (docs/how-to/deploy.md), or leave --host out to look at them on this machine."
    )


def choose_port(host: str, port: int | None, say: Callable[[str], None] = print) -> int:
    """The port asked for, or without one the first free port from 8501.

    Raises InputError where the one asked for is taken, or the host is not this machine's.
    """
    if port is not None:
        if _taken(host, port):
            raise InputError(
                f"Port {port} of {host} is taken by another program. "
                f"Choose another with --port, or leave --port out to get a free one."
            )
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TO_TRY):
        if not _taken(host, candidate):
            if candidate != DEFAULT_PORT:
                say(f"Port {DEFAULT_PORT} is taken; using {candidate}.")
            return candidate
    raise InputError(f"Ports {DEFAULT_PORT} to {candidate} of {host} are all taken; give --port.")


def base_path(folder: Path) -> str:
    """The sub-path that a dashboard started in `folder` answers below, such as "/scope"; "" if it
    answers at "/". Streamlit's server.baseUrlPath, read where Streamlit reads it."""
    said = os.environ.get(BASE_PATH)
    for path in (folder / ".streamlit/config.toml", Path.home() / ".streamlit/config.toml"):
        if said is None:
            with contextlib.suppress(OSError, ValueError):  # which Streamlit itself complains of
                settings = tomllib.loads(path.read_text(encoding="utf-8"))
                said = settings.get("server", {}).get("baseUrlPath")
    base = str(said or "").strip("/")
    return f"/{base}" if base else ""


def address(host: str, port: int, base: str = "") -> str:
    """The address to open in a browser on this machine; `base` as `base_path` gives it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}{base}" if ":" in name else f"http://{name}:{port}{base}"


def answers(host: str, port: int, base: str = "") -> bool:
    """Whether the dashboard there is up."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{address(host, port, base)}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OverflowError as error:
        raise InputError(f"{port} is no port; allowed are 1 to 65535.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise InputError(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    return False


def _dashboard_command(host: str, port: int, app: Path, base: str) -> list[str]:
    settings = {
        "server.address": host,
        "server.port": str(port),
        "server.baseUrlPath": base,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",
    }
    options = [f"--{name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", "streamlit", "run", str(app), *options]


def _start(command: list[str], folder: Path, niceness: int = 0) -> subprocess.Popen[bytes]:
    """A child in a session of its own, which gets SIGTERM when this process is gone (Linux)."""
    parent = os.getpid()

    def prepare() -> None:
        os.nice(niceness)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it was gone before the line above
                os._exit(1)

    # The children run in the checkout, where Streamlit finds its settings; the cache and the file
    # of roles stay the caller's.
    environment = os.environ | {"PRUNESCOPE_CACHE": str(cache_dir())}
    if roles := roles_path():
        environment["PRUNESCOPE_ROLES"] = str(roles)
    return subprocess.Popen(
        command, cwd=folder, env=environment, start_new_session=True, preexec_fn=prepare
    )


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + SECONDS_TO_END
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        _kill_group(child)
        child.wait()


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
