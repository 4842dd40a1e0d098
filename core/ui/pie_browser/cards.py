"""Cards of X-rays, all of them in one piece of HTML.

A Streamlit button for each card, in a container of its own, cost four fifths of the page's
messages and half of its time at every move of a slider. Here a card is a link to the page with its
X-ray open. The viewer takes a click on it before the browser follows it (see
`core.ui.viewer`); with Ctrl, the link opens beside the page as any other does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from core.people import access
from core.pictures import xrays
from core.ui import markup, people, plain
from core.ui.addresses import below_base
from core.ui.view import View


@dataclass(frozen=True)
class Card:
    """One X-ray and what stands below it."""

    image_id: str
    caption: Markup
    is_open: bool = False


def show(view: View, cards: list[Card], size: int, width: int) -> None:
    """A grid of cards, each at least `width` CSS pixels wide, its X-ray from our own route and
    asked for at `size` pixels or the next size above."""
    address, person = _address(), people.person().email
    asked = next((s for s in xrays.SIZES if s >= size), xrays.SIZES[-1])

    def addresses(image_id: str) -> tuple[str, str]:
        claim = access.XrayClaim(view.folder.name, image_id, person)
        xray = below_base(f"/xray/{access.sign_xray(claim)}?size={asked}")
        return xray, address + urlencode({"image": image_id})

    drawn = [(one.image_id, *addresses(one.image_id), one.caption, one.is_open) for one in cards]
    st.html(markup.cards(drawn, width))


def show_names(
    cards: list[Card], width: int, choose: Callable[[str], None], verb: str, key: str, button: str
) -> None:
    """The same without X-rays, and so without a viewer that would open them."""
    with st.grid(min_column_width=width, gap="small"):
        for position, one in enumerate(cards):
            with st.container(key=f"{key}-{position}", gap=None):
                st.html(markup.without_xray(one.image_id, one.caption, one.is_open))
                label = f"{verb} {plain(one.image_id)}"
                button_key = f"{button}-{one.image_id}"
                st.button(label, key=button_key, on_click=choose, args=(one.image_id,))


def _address() -> str:
    """The page as it is, to which only the image is to be added."""
    held = st.query_params
    pairs = [(key, value) for key in held if key != "image" for value in held.get_all(key)]
    return f"?{urlencode(pairs)}&" if pairs else "?"
