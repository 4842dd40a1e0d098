"""What a provider's claims make of a visitor: a person with a role, or nobody, and why.

Roles come from a TOML file that `PRUNESCOPE_ROLES` names, from the claim `PRUNESCOPE_ROLE_CLAIM`
names, or from both, where the file decides for the people in it. A session begins with the token
and ends with it, or earlier: when somebody signs out, or their role is gone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import WorkError
from core.people import audit
from core.people.access import Person, Role
from core.study.environment import environment
from core.study.paths import cache_dir

ROLES: tuple[Role, ...] = ("admin", "researcher", "reader")  # the first that is given counts
LONGEST_SESSION = 31 * 24 * 3600  # seconds that the browser's cookie can live
log = logging.getLogger(__name__)
Claims = Mapping[str, Any]
Mark = Literal["seen", "refused", "ended"]


@dataclass(frozen=True)
class Nobody:
    """Why there is no person to show anything to, in a sentence for them."""

    reason: str
    signed_in: bool = False  # with the provider, though not let in here


NOT_SIGNED_IN = Nobody("Sign in to see anything here.")
ENDED = Nobody("Your session has ended. Sign in again to go on.")


def person_of(claims: Claims | None) -> Person | Nobody:
    """The person a provider vouches for, at this moment."""
    if not claims:
        return NOT_SIGNED_IN
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires <= time.time():
        return ENDED
    if _is_marked(claims, "ended"):
        return ENDED
    email = claims.get("email")
    if not isinstance(email, str) or not email.strip():
        return Nobody("Your provider sent no e-mail address, by which people are known here.", True)
    if claims.get("email_verified", True) not in (True, "true"):
        return Nobody("Your provider says that your e-mail address is not verified.", True)
    email = email.strip().lower()
    try:
        role = _role(email, claims)
    except WorkError as error:
        log.error("nobody is let in: %s", error)
        return Nobody("Roles cannot be read. The server's own log says why.", True)
    if role is None:
        return Nobody(f"{email} has no role here. Ask who runs this server for one.", True)
    name = claims.get("name")
    return Person(email, role, name if isinstance(name, str) else "")


def begin(claims: Claims, looking: Person | Nobody) -> None:
    """Log a sign-in, once a session, and before anything is shown."""
    if isinstance(looking, Person):
        if not _is_marked(claims, "seen"):
            # In this order: what could not be logged is tried again, never taken for done.
            audit.record(looking.email, "sign-in", {"role": looking.role})
            _mark(claims, "seen")
    elif looking.signed_in and not _is_marked(claims, "refused"):
        audit.record(_known_as(claims), "sign-in refused", {"reason": looking.reason})
        _mark(claims, "refused")


def end(claims: Claims) -> None:
    """Sign out: the session is over for good, also in other tabs and for copies of its cookie."""
    if _mark(claims, "ended"):
        audit.record(_known_as(claims), "sign-out", {})


def roles_path() -> Path | None:
    """The file of roles, if one is named."""
    named = environment().roles
    return named.absolute() if named else None


def role_claim() -> str | None:
    return environment().role_claim


def configured_in(folder: Path) -> bool:
    """Whether a dashboard started in `folder` asks people to sign in: its secrets have [auth].

    True as well where they cannot be read: then the dashboard lets nobody in.
    """
    for path in (folder / ".streamlit/secrets.toml", Path.home() / ".streamlit/secrets.toml"):
        try:
            if "auth" in tomllib.loads(path.read_text(encoding="utf-8")):
                return True
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return True
    return False


def _known_as(claims: Claims) -> str:
    return str(claims.get("email", "")).strip().lower()


def _role(email: str, claims: Claims) -> Role | None:
    listed = _listed().get(email)
    if listed:
        return listed
    given = _claimed(claims)
    return next((role for role in ROLES if role in given), None)


def _listed() -> dict[str, Role]:
    """Roles by e-mail address, from the file. Read again each time: a removal counts at once.

    Raises WorkError where the file is named and cannot be used: nobody has a role by accident.
    """
    path = roles_path()
    if path is None:
        return {}
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
        table = {role: sections["roles"].get(role, []) for role in reversed(ROLES)}
        if unknown := set(sections["roles"]) - set(ROLES):
            raise ValueError(f"unknown roles {sorted(unknown)}; allowed are {', '.join(ROLES)}")
        if not all(isinstance(emails, list) for emails in table.values()):
            raise ValueError("a role is given to a list of e-mail addresses")
        return {str(email).strip().lower(): role for role in table for email in table[role]}
    except OSError as error:
        raise WorkError(f"The file of roles {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise WorkError(
            f"The file of roles {path} does not fit docs/how-to/deploy.md: {error}."
        ) from error


def _claimed(claims: Claims) -> set[str]:
    """The words in the claim of roles; a dot in its name goes one level deeper."""
    named, value = role_claim(), claims
    if named is None:
        return set()
    for part in named.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    values = [value] if isinstance(value, str) else value
    return {item for item in values if isinstance(item, str)} if isinstance(values, list) else set()


# A session's marks are empty files named after a digest of what the token says of itself.


def _mark_path(claims: Claims, mark: Mark) -> Path:
    own = {name: claims.get(name) for name in ("iss", "sub", "iat", "exp", "nonce", "at_hash")}
    digest = hashlib.sha256(json.dumps(own, sort_keys=True, default=str).encode()).hexdigest()
    return cache_dir() / "sessions" / f"{digest[:32]}.{mark}"


def _is_marked(claims: Claims, mark: Mark) -> bool:
    return _mark_path(claims, mark).exists()


def _mark(claims: Claims, mark: Mark) -> bool:
    """Set a mark; True where it was not set before. Raises WorkError where it cannot be kept."""
    path = _mark_path(claims, mark)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(path.parent)
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise WorkError(f"Cannot write {path.parent}: {error.strerror or error}.") from error
    return True


def _forget_old(folder: Path) -> None:
    before = time.time() - LONGEST_SESSION
    for path in folder.iterdir():
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
