"""Who may see what: people and their roles, which studies they see, and signed, short-lived
addresses of X-rays."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from core.errors import WorkError
from core.study.config import StudyConfig
from core.study.paths import secret_path

Role = Literal["reader", "researcher", "admin"]
SEES_STUDIES: tuple[Role, ...] = ("researcher", "admin")
# What a proxy adds. On this machine it makes everybody look as if they sat here.
FORWARDED = {"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
FORWARDED |= {"x-forwarded-port", "x-forwarded-server", "x-original-host", "x-real-ip"}
# Within a step an image keeps its address, so that the browser's own cache serves it.
STEP_SECONDS = 300
LIFETIME_SECONDS = 3 * STEP_SECONDS
SECRET_BYTES = 32


@dataclass(frozen=True)
class Person:
    """Who is looking: `email` in small letters, the key in tokens, readings and the audit log."""

    email: str
    role: Role
    name: str = ""


# The one person there is while nobody has to sign in.
LOCAL = Person("local", "admin", "This machine")
# And whoever comes from elsewhere then, who sees synthetic studies, and neither log nor deletion.
GUEST = Person("guest", "researcher", "A guest")


@dataclass(frozen=True)
class Visitor:
    """A person, and whether the way they came lets them see only synthetic studies."""

    person: Person
    synthetic_only: bool = False


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


def without_sign_in(server_address: str | None, headers: Collection[str]) -> Visitor:
    """The visitor where nobody has to sign in.

    A server bound to a loopback address reaches only people on this machine, who see everything.
    Bound to any other, or to none (which is every network card), or behind a proxy, which the
    names of a request's `headers` give away, it shows only synthetic studies.
    """
    forwarded = FORWARDED.intersection(name.lower() for name in headers)
    local = is_loopback(server_address) and not forwarded
    return Visitor(LOCAL) if local else Visitor(GUEST, synthetic_only=True)


def may_see(config: StudyConfig, visitor: Visitor) -> bool:
    """Whether a person sees a study's pages. Readers see their readings, never a study."""
    if visitor.person.role not in SEES_STUDIES:
        return False
    return config.synthetic or not visitor.synthetic_only


def is_loopback(address: str | None) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
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
    return _serializer_of(secret())


@lru_cache(maxsize=1)  # a page of X-rays signs two dozen addresses with one key
def _serializer_of(key: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt="xray", signer=_SteppedSigner)


def secret() -> bytes:
    """The signing key, made on first use and readable only by its owner.

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
