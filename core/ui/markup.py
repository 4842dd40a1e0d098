"""The little HTML the pages need. Everything that a stranger named is escaped here."""

from __future__ import annotations

import html

from core.charts.parts import GROUP_COLOURS
from core.people import access
from core.pictures import xrays
from core.study.labels import GROUPS
from core.study.settings import GroupSettings
from core.wording import words


def group_meanings(groups: GroupSettings, split: str = "train") -> list[tuple[str, str]]:
    """The three colours and what they mean, by the thresholds of the study; `split`: of which
    images the shares are."""
    head, tail = words.frequency(groups.head_above), words.frequency(groups.tail_below)
    meaning = {
        "head": f"head: over {head} of {split} images",
        "medium": "medium",
        "tail": f"tail: under {tail}",
    }
    return [(GROUP_COLOURS[group], meaning[group]) for group in GROUPS]


def group_legend(groups: GroupSettings, split: str = "train") -> str:
    """The same as a line below a heading."""
    entries = "".join(
        f'<span><i style="background:{colour}"></i>{meaning}</span>'
        for colour, meaning in group_meanings(groups, split)
    )
    return f'<div class="ps-legend">{entries}</div>'


def facts(pairs: dict[str, str]) -> str:
    """A list of terms and their values; no line begins with a percent sign."""
    entries = "".join(
        f"<div><dt>{html.escape(term)}</dt>"
        f"<dd>{html.escape(value).replace(' %', '&nbsp;%')}</dd></div>"
        for term, value in pairs.items()
    )
    return f'<dl class="ps-facts">{entries}</dl>'


def table(caption: str, head: list[str], rows: list[list[str]]) -> str:
    """A table of sentences, whose cells stand below each other in a narrow window."""
    first, *others = (html.escape(name) for name in head)
    names = f'<th scope="col">{first}</th>' + "".join(f'<th scope="col">{n}</th>' for n in others)
    lines = []
    for row in rows:
        begin, *cells = (html.escape(cell).replace(" %", "&nbsp;%") for cell in row)
        told = "".join(
            f'<td data-name="{name}">{cell}</td>' for name, cell in zip(others, cells, strict=True)
        )
        lines.append(f'<tr><th scope="row">{begin}</th>{told}</tr>')
    return (
        f'<table class="ps-table" aria-label="{html.escape(caption)}"><thead><tr>{names}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table>"
    )


def class_chips(
    names: list[str], groups: dict[str, str], said: dict[str, str] | None = None, kind: str = ""
) -> str:
    """Class names, each behind the colour of its group; tail classes in bold as well.

    said: what else is to be said of a class, such as "lost at 85 %". kind: "ps-raised" of classes
    that are not labels.
    """
    said = said or {}
    return " ".join(
        f'<span class="ps-chip ps-{groups[name]} {kind}" '
        f'style="border-color:{GROUP_COLOURS[groups[name]]}">{html.escape(name)}'
        f"{_badge(said.get(name, ''))}</span>"
        for name in names
    )


def _badge(text: str) -> str:
    return f' <span class="ps-lost">{html.escape(text)}</span>' if text else ""


def xray(
    study_id: str, image_id: str, size: int, caption: str, *, person: str, kind: str = ""
) -> str:
    """An X-ray on black from our own route, asked for at `size` pixels or the next size above.

    caption: HTML, already escaped. person: the e-mail address of who looks. kind: further CSS
    classes.
    """
    claim = access.XrayClaim(study_id, image_id, person)
    asked = next((s for s in xrays.SIZES if s >= size), xrays.SIZES[-1])
    address = f"/xray/{access.sign_xray(claim)}?size={asked}"
    alt = html.escape(f"X-ray {image_id}")
    return (
        f'<figure class="ps-xray {kind}" data-image="{html.escape(image_id)}">'
        f'<div class="ps-black"><img src="{address}" alt="{alt}">'
        f"</div><figcaption>{caption}</figcaption></figure>"
    )


def without_xray(caption: str, *, kind: str = "") -> str:
    """What stands in an X-ray's place where the study has no images. caption: escaped HTML."""
    return f'<figure class="ps-xray ps-nameless {kind}"><figcaption>{caption}</figcaption></figure>'


def named(image_id: str, chips: str) -> str:
    """An image's id above its labels. chips: escaped HTML."""
    return f'<div class="ps-named"><b>{html.escape(image_id)}</b><br>{chips}</div>'


# Drawn here, because Streamlit's own icons are fetched from the internet.
FAVICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%23101317'/%3E%3Cpath d='M3 4 C8 4 9 12 13 12' "
    "stroke='%23D55E00' stroke-width='2' fill='none'/%3E%3C/svg%3E"
)
