"""Who is looking at a page: signing in and out, and pages that are not for everybody."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import streamlit as st

from core.errors import WorkError
from core.people import audit, sign_in
from core.people.access import (
    SEES_STUDIES,
    Person,
    ReadingClaim,
    Role,
    Visitor,
    XrayClaim,
    sign_xray,
    without_sign_in,
)
from core.people.gate import SIGN_OUT
from core.people.sign_in import Claims, Nobody
from core.ui import markup, provider
from core.ui.addresses import below_base

SECONDS_BETWEEN_LOOKS = 5
T = TypeVar("T")


def look() -> Person | Nobody:
    """Who is looking, at this moment; LOCAL or GUEST where no sign-in is configured."""
    if not provider.configured():
        return visitor().person
    if problem := provider.problem():
        return Nobody(problem)
    return sign_in.person_of(_claims())


def person() -> Person:
    """Who is looking. Where their session has ended meanwhile, the page begins again."""
    looking = look()
    if isinstance(looking, Nobody):
        st.rerun()
    return looking


def visitor() -> Visitor:
    """Who is looking, and whether the way they came shows them only synthetic studies."""
    if provider.configured():
        return Visitor(person())
    return without_sign_in(st.get_option("server.address"), list(st.context.headers))


def require(*roles: Role) -> Person:
    """The person looking, if they have one of `roles`; else says so and ends the page."""
    looking = person()
    if looking.role not in roles:
        refuse()
    return looking


def refuse(back: st.Page | None = None) -> NoReturn:
    """The page in the place of one that is not for this person's role, with a way `back`."""
    looking = person()
    audit.refused(looking.email, {"page": urlsplit(st.context.url or "").path})
    st.title("This page is not for you")
    st.markdown(
        f"Your role here is {looking.role}, which does not include this page. If you need it, ask "
        "the people who run this server for another role."
    )
    if back:
        st.page_link(back)
    st.stop()


def ask_to_sign_in(nobody: Nobody) -> NoReturn:
    """The page of somebody who is not let in: why, and the way in."""
    st.title("PruneScope")
    st.text(nobody.reason)  # no Markdown, which makes links of e-mail addresses
    if provider.problem():
        st.stop()
    for name in provider.names():
        label = f"Sign in with {name}" if name else "Sign in"
        st.button(label, on_click=st.login, args=(name,), key=f"sign-in-{name}")
    if nobody.signed_in:
        st.html(markup.sign_out(below_base(SIGN_OUT)))
    st.caption("For research only. Not a medical device, not for diagnosis.")
    st.stop()


def enter() -> Person | Nobody:
    """As `look`, for the frame of the pages: logs a sign-in before anything is shown, and keeps
    an eye on the session while the page is open."""
    looking = look()
    if provider.configured() and not provider.problem():
        try:
            sign_in.begin(_claims() or {}, looking)
        except WorkError as error:
            return Nobody(str(error))
        if isinstance(looking, Person):
            st.fragment(_watch, run_every=_seconds_to_next_look())(looking)
    return looking


def show_person(looking: Person) -> None:
    """Who is signed in and the way out; or why nobody is, and what that means."""
    if provider.configured():
        st.text(f"{looking.email}, {looking.role}")
        st.html(markup.sign_out(below_base(SIGN_OUT)))
    elif visitor().synthetic_only:
        st.info(
            "Only synthetic studies are shown: without sign-in, X-rays of patients are for people "
            "on the server's own machine. To show them here, set up sign-in "
            "(docs/how-to/deploy.md).",
            icon=":material/lock:",
        )
    else:
        st.caption("Nobody signs in here, so the server lets in only this machine.")


def xray_address(study_id: str, image_id: str) -> str:
    """Where this person finds an image for the next minutes; `?size=` or `?pixels=1` may follow."""
    return below_base(f"/xray/{sign_xray(XrayClaim(study_id, image_id, person().email))}")


def reading_address(reader_study: int, position: int, reader: str) -> str:
    """As `xray_address`, of an image in a reader study, for this person, who reads as `reader`."""
    claim = ReadingClaim(reader_study, position, reader, person().email)
    return below_base(f"/xray/{sign_xray(claim)}")


def logged_export(study_id: str, table: str, make: Callable[[], T]) -> Callable[[], T]:
    """`make`, for a download button: checks the person again and logs, when somebody clicks.
    `study_id` is empty for a table that is of no study."""
    claims, looking, signed = _claims(), person(), provider.configured()

    def export() -> T:
        # It runs outside the page, maybe long after: nothing of st may be asked here.
        if looking.role not in SEES_STUDIES:
            raise WorkError("Your role does not see studies.")
        if signed and sign_in.person_of(claims) != looking:
            raise WorkError("Your session has ended.")
        about = {"study": study_id} if study_id else {}
        audit.record(looking.email, "export", about | {"table": table})
        return make()

    return export


def _watch(looking: Person) -> None:
    """Begins the page again as soon as the person is no longer who they were."""
    if look() != looking:
        st.rerun()


def _seconds_to_next_look() -> float:
    left = float((_claims() or {}).get("exp", 0)) - time.time()
    return max(1.0, min(SECONDS_BETWEEN_LOOKS, left + 0.5))


def _claims() -> Claims | None:
    claims: dict[str, Any] = dict(st.user.to_dict())
    return claims if claims.get("is_logged_in") else None
