"""A large X-ray to window, zoom, turn and measure, beside another one, and steps to its neighbours.

Pixels stay out of the page's own messages: the browser fetches `address?pixels=1` (see
`core.pictures.thumbnails`) with the person's cookie, windows the full 8 or 16 bits there, and tells
Python only to which image the person stepped. Nothing else is fetched. What a file says of its
pixels' size and of the patient's sides comes with them; who the patient is, when and how the image
was taken, and which other images there are, is shown only where the page says so: a reader study
does not.

Why not Cornerstone3D 5.14: tried in headless Chromium on two cores with 1,024 x 1,024 16-bit images
it is fast enough (import 0.6 s, open 21 ms, 15 ms a window drawn by the CPU; through software WebGL
157 to 616 ms and 30 to 85 ms). But its core alone is 2.7 MB minified, 3.8 MB with tools, and an
inline Streamlit component is sent again whenever its data change, so at every step. It bundles for
browsers only with one dependency stubbed out, and brings `new Function` (of ndarray) and, in its
tools, an address on the internet. Of it we would use a lookup table, a scaled drawing and a small
cache: samples.js, pane.js and fetching.js.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from core.errors import InputError

SCRIPTS = (  # one module, in this order
    *("samples.js", "pane.js", "tools.js", "viewer.js", "steps.js", "keys.js", "pointing.js"),
    *("pair.js", "fetching.js", "cards.js"),
)
_HERE = Path(__file__).parent
_component = st.components.v2.component(
    "prunescope_xray_viewer",
    html=(_HERE / "viewer.html").read_text("utf-8"),
    css=(_HERE / "viewer.css").read_text("utf-8"),
    js="\n".join((_HERE / name).read_text("utf-8") for name in SCRIPTS),
)


@dataclass(frozen=True)
class ViewerImage:
    """An image and its signed address on our own route, "/xray/<token>".

    corner: what stands at the top left of it, such as "PA · follow-up 3"; empty where a reader
    must not know. label: what it is called in the list of images to compare with.
    """

    image_id: str
    address: str
    corner: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        if not self.address.startswith("/") or self.address.startswith(("//", "/\\")):
            raise InputError(
                f"The X-ray viewer shows images of this server only, at an address that begins "
                f"with one slash, not {self.address[:40]!r}."
            )


def xray_viewer(
    images: Sequence[ViewerImage],
    at: int | None,
    key: str,
    source: str,
    caption: str = "",
    height: int | None = None,
    page_keys: str = "",
    page_help: Sequence[tuple[str, str]] = (),
    on_step: Callable[[str], None] | None = None,
    cards: str = "",
    priors: Sequence[ViewerImage] = (),
) -> str | None:
    """Show `images[at]`; returns the image_id the person stepped to in the viewer, or None.

    images: neighbours in the order of the current filter. The next three and the one before are
    fetched ahead, so that a step shows at once; Python hears of it afterwards, once. The page then
    calls again with that image as `at`, or the viewer goes back to what it was given.
    source: of which study, or reader study, the images are. Another one may use the same image_ids:
    whatever was fetched of the one before is forgotten.
    caption: plain text such as "3 of 41", hidden while the viewer is ahead of the page.
    height: of the black stage, in CSS pixels; None for what the window leaves it.
    priors: other X-rays of the patient of `images[at]`, which can be opened beside it.
    page_keys: digits and small letters that the page itself answers to, also while the viewer has
    the focus.
    page_help: what these and other keys of the page do, for the list of keys: keys and meaning.
    on_step: called with the image before the page runs, so that it need not run twice.
    cards: the CSS selector of an element around the viewer in which cards of
    `core.ui.pie_browser.cards` open here when they are clicked, before the page hears of it, as a
    step does. That element bears the
    attribute data-open while an image is open. Without images, and None for `at`, none is.

    Window, zoom, turn and inversion live in the browser and survive reruns. A step resets them, as
    a PACS does, unless "Keep window" is on. Raises InputError for an `at` outside `images` and for
    an image_id that is there twice.
    """
    names = [image.image_id for image in images]
    if (at is None and names) or (at is not None and not 0 <= at < len(names)):
        raise InputError(f"The X-ray viewer has {len(names)} images, and none at {at}.")
    if len(set(names)) < len(names):
        raise InputError("The X-ray viewer was given an image twice.")

    def stepped() -> None:
        asked = st.session_state[key].step
        if on_step and (asked in names or cards):
            on_step(asked)

    result = _component(
        key=key,
        data={
            "source": source,
            "images": [asdict(image) for image in images],
            "at": at,
            "caption": caption,
            "height": height,
            "page_keys": page_keys,
            "page_help": [list(row) for row in page_help],
            "cards": cards,
            "priors": [asdict(prior) for prior in priors],
        },
        on_step_change=stepped,
    )
    return result.step if result.step in names else None
