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
STYLE = """<style>
.ps-legend {display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .875rem}
.ps-legend i {display: inline-block; width: .8em; height: .8em; margin-right: .4em;
  border-radius: 2px}
/* Places kept free for what the browser draws later: controls with a label above them, X-rays. */
.stApp .stMainBlockContainer {max-width: none}
.stSidebar [data-testid=stSidebarUserContent] {min-height: 20rem}
:is(.st-key-study-picker, .st-key-classes, .st-key-first, .st-key-second, .st-key-sparsity) {
  min-height: 4.25rem}
.st-key-controls {min-height: 4.25rem}
:is(.st-key-metric, .st-key-scale, .st-key-reading, .st-key-group, .st-key-findings) {
  min-height: 3.95rem}
.stApp .st-key-metric {min-width: 14.75rem}
.stApp .st-key-scale {min-width: 15.1rem}
.stApp :is(.st-key-reading, .st-key-controls .st-key-order) {min-width: 9.9rem}
.stApp .st-key-group {min-width: 11.4rem}
.stApp .st-key-findings {min-width: 11.75rem}
:is(.st-key-definition, .st-key-order), .st-key-filters .stHorizontalBlock {min-height: 3.75rem}
.st-key-checkpoint_upload {min-height: 8.85rem}
.st-key-rs-name {min-height: 4.25rem}
.st-key-rs-readers {min-height: 7.6rem}
:is(.st-key-rs-pies, .st-key-rs-non-pies, .st-key-rs-seed) {min-height: 4.25rem}
:is(.st-key-rs-matched, .st-key-rs-reveal) .stSkeleton {height: 1.5rem}
.st-key-facts {min-height: 10rem}
[class*="st-key-card-"]:has(.stSkeleton) {aspect-ratio: .8}
.stMainBlockContainer {padding-top: 3rem; padding-bottom: 3rem}
@media (min-width: 641px) {.stMainBlockContainer {padding-inline: 2.5rem}}
.ps-facts {display: grid; gap: .15rem 1.5rem; margin: 0 !important;
  padding: 0 !important;
  grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr))}
.ps-facts div {padding: .3rem 0; border-bottom: 1px solid rgba(128, 134, 142, .35)}
.ps-facts dt {font-size: .8rem}
.ps-facts dd {margin: 0 !important; font-weight: 600; overflow-wrap: anywhere}
.ps-table {width: 100%; border-collapse: collapse; font-size: .9rem; line-height: 1.4}
.ps-table :is(th, td) {text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0;
  border: 0; border-bottom: 1px solid rgba(128, 134, 142, .35)}
.ps-table thead th {font-weight: 400; font-size: .8rem}
.ps-table tbody th {font-weight: 600}
@media (max-width: 640px) {
  .ps-table thead {display: none}
  .ps-table :is(tr, th, td) {display: block}
  .ps-table :is(tbody th, td) {border: 0; padding: .1rem 0}
  .ps-table td::before {content: attr(data-name) ": "; font-size: .8rem; opacity: .75}
  .ps-table tr {padding: .4rem 0; border-bottom: 1px solid rgba(128, 134, 142, .35)}
}
.ps-chip {display: inline-block; border-left: .55em solid; padding: 0 .1em 0 .35em;
  margin: .1em .35em .1em 0; overflow-wrap: anywhere; line-height: 1.25}
.ps-chip.ps-tail {font-weight: 700}
.ps-chip.ps-raised {border-left-style: double; font-style: italic}
.ps-lost {margin-left: .25em; font-size: .72rem; font-weight: 600; padding: 0 .35em;
  border-radius: 3px; border: 1px solid currentColor; white-space: nowrap}
.ps-xray {margin: 0}
.ps-xray .ps-black {background: #000; display: flex; justify-content: center;
  align-items: center; aspect-ratio: 1; border: 1px solid rgba(128, 134, 142, .6)}
.ps-xray img {width: 100%; height: 100%; object-fit: contain; image-rendering: auto}
.ps-xray figcaption {font-size: .8rem; line-height: 1.35; padding: .3rem 0 .2rem}
.ps-nameless {border: 1px solid rgba(128, 134, 142, .5); padding: .5rem .75rem;
  overflow-wrap: anywhere}
.ps-nameless.ps-open {border: 2px solid #D55E00}
.ps-large .ps-black {aspect-ratio: auto}
.ps-large img {height: auto; max-height: 80vh}
.ps-open .ps-black {outline: 3px solid #D55E00; outline-offset: 1px}
/* A page of X-rays, and the link over each that opens it. */
.ps-cards {display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(var(--ps-card), 100%), 1fr))}
.ps-card {position: relative; scroll-margin: 4.5rem 0 1rem}
.ps-way {position: absolute; inset: 0; cursor: zoom-in}
.ps-way:focus-visible {outline: 3px solid #D55E00}
.st-key-gallery:has(.stSkeleton) {min-height: 100vh}
/* A card without an X-ray opens its image as a whole: its button lies over it, see-through. */
[class*="st-key-card-"] {position: relative; scroll-margin: 4.5rem 0 1rem}
[class*="st-key-card-"] .stElementContainer:not(:has(.stHtml)) {position: absolute; inset: 0;
  width: 100% !important; height: 100%}
[class*="st-key-card-"] .stElementContainer:not(:has(.stHtml, .stButton)) {opacity: 0}
[class*="st-key-card-"] .stButton, [class*="st-key-card-"] .stButton button {
  height: 100%; width: 100%}
[class*="st-key-card-"] .stButton button {opacity: 0; cursor: zoom-in}
[class*="st-key-card-"]:has(button:focus-visible) {outline: 3px solid #D55E00}
.ps-out {color: inherit; text-underline-offset: .2em}
.ps-named {line-height: 1.5; overflow-wrap: anywhere}
/* An X-ray is open: the page's script has said so, or the viewer, which is sooner. */
.st-key-browser:not([data-open], :has(.st-key-way)) .st-key-inspector {display: none}
.st-key-browser:is([data-open], :has(.st-key-way)) {display: grid; align-items: start;
  gap: 1.5rem; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr)}
.st-key-inspector {position: sticky; top: 4rem; max-height: calc(100vh - 5rem); overflow-y: auto;
  overflow-x: hidden; padding-right: .25rem}
.stMain:is(:has(.st-key-browser[data-open]), :has(.st-key-way)):not(
  :has(.st-key-show_filters input:checked))
  [data-testid=stLayoutWrapper]:has(> :is(.st-key-filters, .st-key-order)) {
  display: none}
.st-key-browser:is([data-open], :has(.st-key-way)) .st-key-gallery :is(.stGrid, .ps-cards) {
  grid-template-columns: repeat(2, minmax(0, 1fr))}
@media (min-width: 641px) {
  .stMain:not(:has(.st-key-browser[data-open]), :has(.st-key-way)) .st-key-show_filters {
    display: none}
}
@media (max-width: 640px) {
  .st-key-browser:is([data-open], :has(.st-key-way)) {display: flex;
    flex-direction: column-reverse}
  .st-key-inspector {position: static; max-height: none; overflow: visible}
  .stMain:has(.st-key-show_filters):not(:has(.st-key-show_filters input:checked))
    :is(.st-key-filters, .st-key-order) {
    display: none}
}
</style>"""
# For pages with a sidebar, which comes after the first paint: its place is kept free until then,
# in the document itself, for it is there before any message of the page.
SIDEBAR = """<style>
@media (min-width: 768px) {.stApp:is([data-test-script-state=initial],
  [data-test-script-state=running]) .stAppViewContainer:not(:has(.stSidebar)) > :has(> .stMain) {
  margin-left: 300px}}
/* What stands below the list of pages waits for it; one page alone is no list. */
.stSidebar:not(:has([data-testid=stSidebarNavLink], .st-key-one-page))
  [data-testid=stSidebarUserContent] {
  visibility: hidden}
</style>"""
