"""nginx as docs/how-to/deploy.md sets it up, on this machine, with a certificate of its own."""

from __future__ import annotations

import datetime
import ipaddress
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.waiting import stop, until

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md"
PROGRAM = shutil.which("nginx")
# Around the documented server: one process that writes only below its own folder.
FRAME = """
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {server}
}}
"""


def documented(listen: int, passed_to: int, base: str, folder: Path) -> str:
    """The server of the how-to, at ports of this machine and below the sub-path `base`."""
    found = re.search(r"```nginx\n(server \{.*?)```", HOW_TO.read_text("utf-8"), re.S)
    assert found
    server = found[1]
    for was, now in {
        "listen 443 ssl;": f"listen 127.0.0.1:{listen} ssl;",
        "server_name scope.clinic.org;": "server_name 127.0.0.1;",
        "/etc/ssl/scope.clinic.org.pem": str(folder / "site.pem"),
        "/etc/ssl/scope.clinic.org.key": str(folder / "site.key"),
        "location / {": f"location {base}/ {{",
        "http://127.0.0.1:8501;": f"http://127.0.0.1:{passed_to};",
    }.items():
        assert server.count(was) == 1, was
        server = server.replace(was, now)
    return server


@contextmanager
def proxy(folder: Path, listen: int, passed_to: int, base: str) -> Iterator[None]:
    """https://127.0.0.1:listen/base, passed on to the dashboard at the port `passed_to`."""
    assert PROGRAM
    _write_certificate(folder)
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(server=documented(listen, passed_to, base, folder)))
    process = subprocess.Popen([PROGRAM, "-p", str(folder), "-c", str(config)])
    try:
        until(lambda: process.poll() is not None or (folder / "nginx.pid").exists())
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        stop(process)


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "site.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "site.key").write_bytes(key.private_bytes(pem, *plain))
