"""The route that serves X-rays: sealed addresses in, greyscale PNG or raw samples out.

`GET /xray/{token}` answers 403 for a forged, an expired, an unknown and somebody else's address
alike, so that nobody learns from it what exists. `?size=` asks for a thumbnail; nothing is ever
enlarged. `?pixels=1` asks for the samples in full depth. What is delivered stands in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import InputError, WorkError
from core.people import audit
from core.people.access import (
    LOCAL,
    SEES_STUDIES,
    STEP_SECONDS,
    Claim,
    ReadingClaim,
    Visitor,
    XrayClaim,
    read_xray,
)
from core.pictures.images import stored_size
from core.pictures.samples import BadImage
from core.pictures.thumbnails import picture, pixels, placeholder
from core.study import paths, store
from core.study.config import StudyConfig

# Longest side in pixels. A fixed list, so that a stranger cannot fill the cache with sizes.
SIZES = (128, 256, 384, 512, 768, 1024)
LARGEST_THUMBNAIL = 384  # above it, an image counts as opened in the audit log
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Cookie",  # who signs out leaves nothing that the next one's browser would show
}
# A large one takes half a gigabyte while it is read.
AT_ONCE = BoundedSemaphore(4)
KEPT = {"Cache-Control": f"private, max-age={STEP_SECONDS}"}
NOT_KEPT = {"Cache-Control": "no-store, private"}


# Study and image that a reader has at a place of a reader study; None where they have none there.
ToRead = Callable[[ReadingClaim], tuple[str, str] | None]


def xray_routes(visitor_of: Callable[[Request], Visitor | None], to_read: ToRead) -> list[Route]:
    """The routes to hang into the app; `visitor_of` says who sends a request."""

    def show(request: Request) -> Response:
        size = request.query_params.get("size", "")
        return answer(
            request.path_params["token"],
            visitor_of(request),
            to_read,
            int(size) if size in map(str, SIZES) else None,
            raw=request.query_params.get("pixels") == "1",
        )

    return [Route("/xray/{token}", show, methods=["GET"])]


def answer(
    token: str,
    visitor: Visitor | None,
    to_read: ToRead,
    size: int | None,
    raw: bool = False,
) -> Response:
    """What a token stands for, a placeholder where it cannot be read, or 403.

    503 where it cannot be logged that somebody saw it.
    """
    claim = _resolved(read_xray(token), visitor, to_read)
    path = _allowed_path(claim, visitor) if claim and visitor else None
    if claim is None or visitor is None or path is None:
        asked = f"{claim.study_id} {claim.image_id}" if claim else "unsigned or expired"
        audit.refused(visitor.person.email if visitor else "", {"x-ray": asked})
        return Response("Not allowed, or no longer.", 403, headers=HEADERS | NOT_KEPT)
    try:
        opened = raw or size is None or size > LARGEST_THUMBNAIL
        what: audit.Event = "x-ray opened" if opened else "x-ray thumbnail"
        about = {"study": claim.study_id, "image": claim.image_id}
        audit.record(visitor.person.email, what, about, durable=opened)
        with AT_ONCE:
            return _raw(path) if raw else _png(path, size)
    except WorkError as error:
        return Response(str(error), 503, headers=HEADERS | NOT_KEPT)


def _png(path: Path, size: int | None) -> Response:
    try:
        png = picture(path, size)
    except (BadImage, OSError):
        return Response(placeholder(), media_type="image/png", headers=HEADERS | NOT_KEPT)
    return Response(png, media_type="image/png", headers=HEADERS | KEPT)


def _raw(path: Path) -> Response:
    try:
        samples, described = pixels(path)
    except (BadImage, OSError):
        return Response("This image cannot be read.", 422, headers=HEADERS | NOT_KEPT)
    kind = "application/octet-stream"
    return Response(samples, media_type=kind, headers=HEADERS | KEPT | described)


def source_size(folder: Path, config: StudyConfig, image_id: str) -> tuple[int, int] | None:
    """Width and height of an image as it lies on disk, or None where it cannot be read."""
    path = image_path(folder, config, image_id)
    try:
        return stored_size(path) if path else None
    except BadImage:
        return None


def image_path(folder: Path, config: StudyConfig, image_id: str) -> Path | None:
    """Where an image of a study lies; None where the study has no such image, or where its
    path leads out of the study's image folder."""
    labels = paths.labels_path(folder)
    try:
        relative = _paths(labels, labels.stat().st_mtime_ns).get(image_id)
    except (OSError, WorkError):
        return None
    base = paths.images_dir(config.dataset)
    if relative is None or base is None:
        return None
    path = (base.resolve() / relative).resolve()
    return path if path.is_relative_to(base.resolve()) else None


@dataclass(frozen=True)
class _Allowed(XrayClaim):
    """An image that somebody has to read: roles that see no study see it all the same."""


def _resolved(claim: Claim | None, visitor: Visitor | None, to_read: ToRead) -> XrayClaim | None:
    """The image a claim is about; None for one in a reader study that is not this visitor's."""
    if not isinstance(claim, ReadingClaim) or visitor is None:
        return claim if isinstance(claim, XrayClaim) else None
    # A person at a machine without sign-in may read under the name of an invitation.
    if claim.reader != visitor.person.email and visitor.person != LOCAL:
        return None
    found = to_read(claim)
    return _Allowed(*found, claim.person) if found else None


def _allowed_path(claim: XrayClaim, visitor: Visitor) -> Path | None:
    person, folder = visitor.person, paths.studies_dir() / claim.study_id
    if claim.person != person.email or folder.parent != paths.studies_dir():
        return None
    if person.role not in SEES_STUDIES and not isinstance(claim, _Allowed):
        return None
    try:
        config = _config(folder, paths.study_json(folder).stat().st_mtime_ns)
    except (InputError, WorkError, KeyError, ValueError, OSError):
        return None
    if visitor.synthetic_only and not config.synthetic:
        return None
    return image_path(folder, config, claim.image_id)


@lru_cache(maxsize=8)  # to read one takes longer than to send a thumbnail
def _config(folder: Path, modified: int) -> StudyConfig:
    return store.read_config(folder)


@lru_cache(maxsize=8)
def _paths(labels: Path, modified: int) -> dict[str, str]:
    return store.read_image_paths(labels)
