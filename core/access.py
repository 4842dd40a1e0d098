"""Who may see what: which studies an address shows, and signed, short-lived X-ray addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from core.errors import WorkError
from core.study import StudyConfig, secret_path

# The one person there is while nobody has to sign in.
LOCAL_PERSON = "local"
# Within a step an image keeps its address, so that the browser's own cache serves it.
STEP_SECONDS = 300
LIFETIME_SECONDS = 3 * STEP_SECONDS
SECRET_BYTES = 32


@dataclass(frozen=True)
class XrayClaim:
    """What a signed address says: `person` may see image `image_id` of the study `study_id`."""

    study_id: str
    image_id: str
    person: str


class _SteppedSigner(TimestampSigner):
    """Signs with the time rounded down, so that equal claims share an address for a while."""

    def get_timestamp(self) -> int:
        return int(time.time()) // STEP_SECONDS * STEP_SECONDS


def may_see(config: StudyConfig, server_address: str | None) -> bool:
    """Whether a study is shown without sign-in by a server bound to `server_address`.

    A loopback address reaches only people on this machine, who see everything. Any other, or
    none (which is every network card), shows synthetic studies alone.
    """
    return config.synthetic or is_loopback(server_address)


def is_loopback(server_address: str | None) -> bool:
    if server_address == "localhost":
        return True
    try:
        return ipaddress.ip_address(server_address or "").is_loopback
    except ValueError:
        return False


def sign_xray(claim: XrayClaim) -> str:
    """The token of an X-ray's address, good for 10 to 15 minutes."""
    return _serializer().dumps([claim.study_id, claim.image_id, claim.person])


def read_xray(token: str) -> XrayClaim | None:
    """What a token says, or None where it is forged, expired or malformed, all alike."""
    try:
        values = _serializer().loads(token, max_age=LIFETIME_SECONDS - STEP_SECONDS)
    except BadData:
        return None
    well_formed = isinstance(values, list) and [type(value) for value in values] == [str] * 3
    return XrayClaim(*values) if well_formed else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret(), salt="xray", signer=_SteppedSigner)


def secret() -> bytes:
    """The signing key, made on first use and readable by its owner alone.

    Raises WorkError where the file is there but too short to be a key.
    """
    path = secret_path()
    if not path.exists():
        _create_secret(path)
    key = path.read_bytes()
    if len(key) < SECRET_BYTES:
        raise WorkError(f"{path} is damaged. Delete it: a new key is made on the next start.")
    return key


def _create_secret(path: Path) -> None:
    # Written aside and linked into place: of two processes starting together one key wins, and
    # neither ever reads half of it.
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
