"""The route that serves X-rays: signed addresses in, 8-bit greyscale PNG out.

`GET /xray/{token}` answers 403 for a forged, an expired and an unknown address alike, so that
nobody learns from it what exists. `?size=` asks for a thumbnail; nothing is ever enlarged.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import store, study
from core.access import LOCAL_PERSON, STEP_SECONDS, may_see, read_xray
from core.errors import InputError, WorkError
from core.images import BadImage, read_grey, stored_size
from core.study import StudyConfig

# Longest side in pixels. A fixed list, so that a stranger cannot fill the cache with sizes.
SIZES = (128, 256, 384, 512, 768, 1024)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
}


def xray_routes(server_address: Callable[[], str | None]) -> list[Route]:
    """The routes to hang into the app; `server_address()` is what the server is bound to."""

    def show(request: Request) -> Response:
        size = request.query_params.get("size", "")
        return answer(
            request.path_params["token"],
            int(size) if size in map(str, SIZES) else None,
            server_address(),
        )

    return [Route("/xray/{token}", show, methods=["GET"])]


def answer(token: str, size: int | None, server_address: str | None) -> Response:
    """The PNG a token stands for, a placeholder where it cannot be read, or 403."""
    claim = read_xray(token)
    path = None
    if claim and claim.person == LOCAL_PERSON:
        path = _allowed_path(claim.study_id, claim.image_id, server_address)
    if path is None:
        return Response("Not allowed, or no longer.", 403, headers=HEADERS | _not_kept())
    try:
        png = _png(path, path.stat().st_mtime_ns, size)
    except (BadImage, OSError):
        return Response(_placeholder(), media_type="image/png", headers=HEADERS | _not_kept())
    kept = {"Cache-Control": f"private, max-age={STEP_SECONDS}"}
    return Response(png, media_type="image/png", headers=HEADERS | kept)


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
    labels = study.labels_path(folder)
    try:
        relative = _paths(labels, labels.stat().st_mtime_ns).get(image_id)
    except (OSError, WorkError):
        return None
    base = study.images_dir(config.dataset)
    if relative is None or base is None:
        return None
    path = (base.resolve() / relative).resolve()
    return path if path.is_relative_to(base.resolve()) else None


def _allowed_path(study_id: str, image_id: str, server_address: str | None) -> Path | None:
    folder = study.studies_dir() / study_id
    if folder.parent != study.studies_dir():
        return None
    try:
        config = store.read_config(folder)
    except (InputError, WorkError, KeyError):
        return None
    return image_path(folder, config, image_id) if may_see(config, server_address) else None


@lru_cache(maxsize=8)
def _paths(labels: Path, modified: int) -> dict[str, str]:
    return store.read_image_paths(labels)


@lru_cache(maxsize=512)
def _png(path: Path, modified: int, size: int | None) -> bytes:
    grey = Image.fromarray(read_grey(path))
    if size:
        grey.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    grey.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _placeholder() -> bytes:
    image = Image.new("L", (256, 256), 40)
    draw, text = ImageDraw.Draw(image), "This image\ncannot be read"
    draw.text((128, 128), text, fill=230, anchor="mm", align="center", font_size=22)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _not_kept() -> dict[str, str]:
    return {"Cache-Control": "no-store, private"}
