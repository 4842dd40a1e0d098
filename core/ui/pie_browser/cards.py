"""Cards of X-rays, all of them in one piece of HTML.

A Streamlit button for each card, in a container of its own, cost four fifths of the page's
messages and half of its time at every move of a slider. Here a card is a link to the page with its
X-ray open. The viewer takes a click on it before the browser follows it (see
`core.ui.viewer`); with Ctrl, the link opens beside the page as any other does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

from core.ui import markup, people
from core.ui.view import View

CARD = Markup(
    '<div class="ps-card">{xray}<a class="ps-way" href="{way}" aria-label="Open {name}"{current}>'
    "</a></div>"
)


@dataclass(frozen=True)
class Card:
    """One X-ray and what stands below it. caption: HTML, already escaped."""

    image_id: str
    caption: str
    is_open: bool = False


def show(view: View, cards: Iterable[Card], size: int, width: int) -> None:
    """A grid of cards, each at least `width` CSS pixels wide, its X-ray asked for at `size`."""
    address, person = _address(), people.person().email
    drawn = Markup("").join(
        CARD.format(
            xray=markup.xray(
                view.folder.name,
                card.image_id,
                size,
                card.caption,
                person=person,
                kind="ps-open" if card.is_open else "",
            ),
            way=address + urlencode({"image": card.image_id}),
            name=card.image_id,
            current=Markup(' aria-current="true"') if card.is_open else "",
        )
        for card in cards
    )
    st.html(f'<div class="ps-cards" style="--ps-card: {width}px">{drawn}</div>')


def _address() -> str:
    """The page as it is, to which only the image is to be added."""
    held = st.query_params
    pairs = [(key, value) for key in held if key != "image" for value in held.get_all(key)]
    return f"?{urlencode(pairs)}&" if pairs else "?"
