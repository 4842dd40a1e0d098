"""A dashboard where people sign in, and real OpenID Connect providers for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from streamlit.auth_util import set_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from tests.e2e.conftest import wait_until_healthy
from tests.ports import free_port
from tests.waiting import stop

ROOT = Path(__file__).parents[2]
COOKIE = "_streamlit_user"
COOKIE_SECRET = "only-for-tests-0123456789abcdef0123456789"
ROLES = {
    "ann@clinic.org": "admin",
    "rolf@clinic.org": "researcher",
    "rita@clinic.org": "reader",
}
UNVERIFIED = "eve@clinic.org"


@dataclass(frozen=True)
class SignedApp:
    """A running dashboard: its address, its cache folder, and the file of roles it reads."""

    address: str
    cache: Path
    roles: Path
    log: Path
    command: tuple[str, ...] = ()
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self) -> None:
        variables = {"PRUNESCOPE_CACHE": str(self.cache), "PRUNESCOPE_ROLES": str(self.roles)}
        with open(self.log, "a") as output:
            server = subprocess.Popen(
                self.command, cwd=ROOT, env=os.environ | variables, stdout=output, stderr=output
            )
        self.processes.append(server)
        wait_until_healthy(self.address, server, self.log)

    def kill(self) -> None:
        """SIGKILL, as a power cut or the kernel short of memory would."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def cookie(self, who: str, secret: str = COOKIE_SECRET, **claims: Any) -> dict[str, str]:
        """The cookies Streamlit would set for somebody whom a provider vouches for."""
        now = int(time.time())
        said = {"iss": "https://id.clinic.org", "sub": who, "email": who, "iat": now}
        said |= {"exp": now + 3600, "provider": "clinic", "is_logged_in": True}
        cookies: dict[str, str] = {}

        def sign(name: str, value: str) -> bytes:
            return create_signed_value(secret, name, value)

        def put(name: str, value: str) -> None:
            cookies[name] = sign(name, value).decode()

        said |= {"origin": self.address} | claims
        set_cookie_with_chunks(put, sign, COOKIE, said, cookie_attr_size=100)
        return cookies


def write_roles(path: Path, roles: Mapping[str, str]) -> None:
    lines = [f"{role} = {[e for e, r in roles.items() if r == role]}" for role in ROLES.values()]
    path.write_text("[roles]\n" + "\n".join(lines).replace("'", '"') + "\n")


@contextmanager
def provider(seconds: int) -> Iterator[str]:
    """The address of a provider whose tokens live for `seconds`. Anybody may sign in."""
    port = free_port()
    unverified = {"sub": UNVERIFIED, "email": UNVERIFIED, "email_verified": False}
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    command += ["--token-max-age", str(seconds), "--user-claims", json.dumps(unverified)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)
    address = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
    try:
        for _ in range(200):
            try:
                with urlopen(address, timeout=2):
                    break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        stop(process)


@contextmanager
def running_app(
    folder: Path,
    providers: Mapping[str, str],
    bound_to: str = "127.0.0.1",
    base: str = "",
    typed: str = "",
) -> Iterator[SignedApp]:
    """`streamlit run app.py` over the cache folder/cache, with sign-in at these providers; without
    any, nobody signs in.

    base: the sub-path it answers below, such as "/scope". typed: the address that people type, if
    a proxy stands before it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}{base}"
    secrets = folder / "secrets.toml"
    lines = ["[auth]", f'cookie_secret = "{COOKIE_SECRET}"']
    lines.append(f'redirect_uri = "{typed or address}/oauth2callback"')
    for name, metadata in providers.items():
        lines += [f"[auth.{name}]", 'client_id = "prunescope"', 'client_secret = "hush"']
        lines.append(f'server_metadata_url = "{metadata}"')
    if providers:
        secrets.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", bound_to]
    command += ["--server.baseUrlPath", base] if base else []
    command += ["--secrets.files", str(secrets)]
    paths = folder / "cache", folder / "roles.toml", folder / "server.log"
    app = SignedApp(address, *paths, tuple(command))
    write_roles(app.roles, ROLES)
    try:
        app.start()
        yield app
    finally:
        for server in app.processes:
            stop(server)
