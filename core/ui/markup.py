"""The little HTML the pages need, from the macros of markup.html, which escape what they are
given unless it is `Markup` itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.charts.parts import GROUP_COLOURS
from core.study.labels import EVERY_GROUP, GROUPS, UNKNOWN_GROUP
from core.study.settings import GroupSettings
from core.wording import words

# Drawn here, because Streamlit's own icons are fetched from the internet.
FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%23101317'/%3E%3Cpath d='M3 4 C8 4 9 12 13 12' "
    "stroke='%23D55E00' stroke-width='2' fill='none'/%3E%3C/svg%3E"
)


@cache
def _macros() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # the frame needs none

    here = FileSystemLoader(Path(__file__).parent)
    templates = Environment(
        loader=here,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["unbroken"] = unbroken
    return templates.get_template("markup.html").module


def unbroken(text: str) -> str:
    """The same where no line begins with a percent sign."""
    return text.replace(" %", "\u00a0%")


def group_meanings(
    groups: GroupSettings, split: str = "train", drawn: Collection[str] = GROUPS
) -> list[tuple[str, str]]:
    """The colours of the groups in `drawn` and what they mean, by the thresholds of the study;
    `split`: of which images the shares are."""
    head, tail = words.frequency(groups.head_above), words.frequency(groups.tail_below)
    meaning = {
        "head": f"head: over {head} of {split} images",
        "medium": "medium",
        "tail": f"tail: under {tail}",
        UNKNOWN_GROUP: words.FREQUENCIES_UNKNOWN,
    }
    return [(GROUP_COLOURS[group], meaning[group]) for group in EVERY_GROUP if group in drawn]


def group_legend(
    groups: GroupSettings, split: str = "train", drawn: Collection[str] = GROUPS
) -> Markup:
    """The same as a line below a heading."""
    return _macros().legend(group_meanings(groups, split, drawn))


def signs(meanings: dict[str, str]) -> Markup:
    """What is drawn in a map of pairs, by the name of its sign in the stylesheet."""
    return _macros().signs(meanings)


def facts(pairs: dict[str, str]) -> Markup:
    """A list of terms and their values."""
    return _macros().facts(pairs)


def table(caption: str, head: list[str], rows: list[list[str]]) -> Markup:
    """A table of sentences, whose cells stand below each other in a narrow window."""
    return _macros().table(caption, head, rows)


def class_chips(
    names: list[str], groups: dict[str, str], said: dict[str, str] | None = None, kind: str = ""
) -> Markup:
    """Class names, each behind the colour of its group; tail classes in bold as well.

    said: what else is to be said of a class, such as "lost at 85 %". kind: "ps-raised" of classes
    that are not labels.
    """
    said = said or {}
    coloured = ((name, groups[name], GROUP_COLOURS[groups[name]], said.get(name)) for name in names)
    return _macros().chips(coloured, kind)


def cards(drawn: Iterable[tuple[str, str, str, Markup, bool]], width: int) -> Markup:
    """X-rays on black, each at least `width` CSS pixels wide, below a link that opens it.

    drawn: image id, address of the X-ray, address of the link, caption, whether it is open now.
    """
    return _macros().cards(drawn, width)


def without_xray(image_id: str, caption: Markup, is_open: bool = False) -> Markup:
    """What stands in an X-ray's place where the study has no images."""
    return _macros().without_xray(image_id, caption, is_open)


def named(image_id: str, chips: Markup) -> Markup:
    """An image's id above its labels."""
    return _macros().named(image_id, chips)


def previews(pictures: Iterable[tuple[str, str]]) -> Markup:
    """Images as a network sees them, by name and base64 of a PNG."""
    return _macros().previews(pictures)


def sign_out(address: str) -> Markup:
    """A link, which the browser follows itself. `st.logout` sends the way out as a message to the
    page, and where another run begins before it has gone, nobody is signed out."""
    return _macros().sign_out(address)
