"""How Streamlit's own sign-in is set up, and whose cookie a request carries.

Streamlit keeps the claims of the ID token in a cookie that it signs. It looks at that cookie when
a page is opened; our routes look at it themselves, with the functions Streamlit uses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import HTTPConnection
from streamlit.auth_util import (
    get_cookie_with_chunks,
    get_origin_from_redirect_uri,
    get_secrets_auth_section,
)
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.errors import WorkError
from core.people import sign_in
from core.people.access import Person, Visitor, without_sign_in
from core.people.sign_in import Claims

log = logging.getLogger(__name__)
SHORTEST_COOKIE_SECRET = 32  # characters
FIX = "Fix [auth] in .streamlit/secrets.toml (docs/how-to/deploy.md), and start the server again."


def configured() -> bool:
    """Whether people have to sign in.

    True as well where there is a secrets file that cannot be read: then nobody gets in, in place
    of everybody.
    """
    if secrets_singleton.load_if_toml_exists():
        return "auth" in secrets_singleton
    return any(Path(path).exists() for path in st.get_option("secrets.files"))


def problem() -> str | None:
    """What is wrong with the set-up of sign-in, in a sentence without any of its values."""
    auth = get_secrets_auth_section()
    if not auth:
        return f"Sign-in cannot be set up: the secrets file is not readable. {FIX}"
    if len(str(auth.get("cookie_secret", ""))) < SHORTEST_COOKIE_SECRET:
        wanted = f"at least {SHORTEST_COOKIE_SECRET} random characters"
        return f"Sign-in is not set up: cookie_secret needs {wanted}. {FIX}"
    if not str(auth.get("redirect_uri", "")).endswith("/oauth2callback"):
        return f"Sign-in is not set up: redirect_uri must end in /oauth2callback. {FIX}"
    if not names():
        return f"Sign-in is not set up: client_id and server_metadata_url are missing. {FIX}"
    return None


def names() -> list[str | None]:
    """The providers to choose from; None is the one without a name."""
    auth = get_secrets_auth_section()
    if _whole(auth):
        return [None]
    sections = ((name, value) for name, value in auth.items() if isinstance(value, Mapping))
    return [*sorted(name for name, value in sections if _whole(value))]


def origin() -> str | None:
    """Scheme, host and port that people see in their address bar, such as https://scope.org."""
    return get_origin_from_redirect_uri()


def claims_of(cookies: Mapping[str, str]) -> Claims | None:
    """The claims in a request's cookies; None without any, or if we did not sign them."""

    def read(name: str) -> bytes | None:
        value = cookies.get(name, "").encode("latin-1", errors="replace")
        return decode_signed_value(_cookie_secret(), name, value)

    try:
        claims: Any = json.loads(get_cookie_with_chunks(read, USER_COOKIE_NAME) or b"{}")
    except ValueError:
        return None
    ours = isinstance(claims, dict) and claims.get("origin") == origin()
    return claims if ours and claims.get("is_logged_in") else None


def visitor_of(request: HTTPConnection) -> Visitor | None:
    """Who sends a request; None where they have to sign in and have not, or no longer are."""
    if not configured():
        return without_sign_in(st.get_option("server.address"), request.headers.keys())
    if problem():
        return None
    person = sign_in.person_of(claims_of(request.cookies))
    return Visitor(person) if isinstance(person, Person) else None


def leave(request: HTTPConnection) -> None:
    """End the session of a request that signs out: Streamlit itself only takes the cookie away."""
    claims = claims_of(request.cookies) if configured() and not problem() else None
    if claims:
        try:
            sign_in.end(claims)
        except WorkError as error:  # out they go, logged or not
            log.error("a session could not be ended for good: %s", error)


def _cookie_secret() -> str:
    return str(get_secrets_auth_section()["cookie_secret"])


def _whole(section: Mapping[str, Any]) -> bool:
    return bool(section.get("client_id") and section.get("server_metadata_url"))
