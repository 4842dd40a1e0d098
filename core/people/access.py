"""Who may see what: people and their roles, which studies they see, and sealed, short-lived
addresses of X-rays."""

from __future__ import annotations

import base64
import contextlib
import hmac
import ipaddress
import json
import os
import secrets
import time
from collections.abc import Collection
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

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
# A sealed address is as long as a multiple of this, so that its length tells nothing either.
SEALED_BYTES = 64


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
    """What a sealed address says: `person` may see image `image_id` of the study `study_id`."""

    study_id: str
    image_id: str
    person: str


@dataclass(frozen=True)
class ReadingClaim:
    """What a sealed address in a reader study says: `person`, who reads as `reader`, may see the
    image at `position` of the reader study with this number. Only its database knows which image
    that is."""

    reader_study: int
    position: int
    reader: str
    person: str


Claim = XrayClaim | ReadingClaim
CLAIMS: tuple[type[XrayClaim], type[ReadingClaim]] = (XrayClaim, ReadingClaim)


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


def sign_xray(claim: Claim) -> str:
    """The token of an X-ray's address, good for 10 to 15 minutes.

    Encrypted and authenticated (AES-SIV, RFC 5297): an address says neither study nor image nor
    person, in logs, histories and the page's source alike. Equal claims share an address for
    STEP_SECONDS.
    """
    said = json.dumps([_step(), CLAIMS.index(type(claim)), *astuple(claim)]).encode()
    padded = said.ljust(-(-len(said) // SEALED_BYTES) * SEALED_BYTES)  # JSON ends in any blanks
    sealed = _cipher(secret()).encrypt(padded, None)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def read_xray(token: str) -> Claim | None:
    """What a token says, or None where it is forged, expired or malformed, all alike."""
    try:
        sealed = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        step, kind, *values = json.loads(_cipher(secret()).decrypt(sealed, None))
    except (ValueError, InvalidTag):
        return None
    if not 0 <= _step() - step < LIFETIME_SECONDS // STEP_SECONDS:
        return None
    # Whatever is sealed with our key is a claim of ours, of this version or of an earlier one.
    known = kind < len(CLAIMS) and len(values) == len(fields(CLAIMS[kind]))
    return CLAIMS[kind](*values) if known else None


def _step() -> int:
    return int(time.time()) // STEP_SECONDS


@lru_cache(maxsize=1)  # a page of X-rays seals two dozen addresses with one key
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(key, b"x-ray addresses", "sha512"))


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
