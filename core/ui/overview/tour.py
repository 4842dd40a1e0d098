"""The tour on Overview: sparsity, forgettability and PIE in three pictures.

The pictures are drawn, not measured: they explain the words, and say nothing of any study.
"""

from __future__ import annotations

import base64
import random

import streamlit as st

from core.charts.parts import GROUP_COLOURS

TITLE = "New here? Sparsity, forgettability and PIEs in three pictures"
HEAD, TAIL = GROUP_COLOURS["head"], GROUP_COLOURS["tail"]
INK = "#7d848c"  # read on light and on dark
CARDS = (
    (
        "Sparsity",
        "Pruning sets a network's smallest weights to zero, with no training afterwards. Sparsity "
        "is the share of weights that are zero: at 90\u00a0% one in ten is left.",
        ("safe_sparsity.py", "How much is safe here"),
    ),
    (
        "Forgettability",
        "Pruning takes some classes sooner than others. A class's curve shows how much of its "
        "dense, unpruned level is gone; whether rare classes go sooner has to be tested.",
        ("class_ap.py", "How each class is forgotten"),
    ),
    (
        "PIE",
        "On some X-rays the pruned model ranks the findings quite differently. The 5\u00a0% of "
        "images on which it agrees least are the pruning-identified exemplars.",
        ("pie_browser.py", "On whose X-rays"),
    ),
)


def show(unfolded: bool) -> None:
    """`unfolded`: open until somebody folds it, as on a demonstration without results, which is
    where people are new. Whether it is open stands in the address."""
    with st.expander(
        TITLE,
        expanded=unfolded,
        on_change="rerun",
        key="tour",
        bind="query-params",
        icon=":material/school:",
    ) as tour:
        if not tour.open:
            return
        cells = st.grid(3, min_column_width=250, gap="medium")
        for (word, says, (page, leads_to)), picture in zip(CARDS, PICTURES, strict=True):
            with cells.cell():
                st.html(picture)
                st.markdown(f"**{word}.** {says}")
                st.page_link(page, label=leads_to, icon=":material/arrow_forward:")


def _image(drawing: str, described: str) -> str:
    # As an image: a page takes no SVG among its own elements.
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 150" font-size="11" '
        f'font-family="sans-serif" fill="{INK}">{drawing}</svg>'
    )
    data = base64.b64encode(svg.encode()).decode()
    return (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{described}" '
        'style="width:100%;max-width:420px" width="300" height="150">'
    )


def _weights() -> str:
    """The same weights three times, the smallest 0, 50 and 90 % of them empty."""
    chance, side, step = random.Random(3), 8, 10.5
    sizes = [chance.random() for _ in range(side * side)]
    drawn = []
    for panel, share in enumerate((0.0, 0.5, 0.9)):
        left, least = 8 + panel * 99, sorted(sizes)[round(share * len(sizes)) - 1] if share else -1
        for at, size in enumerate(sizes):
            x, y = left + at % side * step, 12 + at // side * step
            look = (
                f'fill="{HEAD}" fill-opacity="{0.25 + 0.75 * size:.2f}"'
                if size > least
                else f'fill="none" stroke="{INK}" stroke-opacity="0.5"'
            )
            drawn.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="8" height="8" {look}/>')
        name = "dense" if not share else f"{share * 100:.0f} % sparsity"
        drawn.append(f'<text x="{left + 41}" y="115" text-anchor="middle">{name}</text>')
    return _image("".join(drawn), "The weights of a network: all, half, and a tenth of them left")


def _curves() -> str:
    """A class that holds on, and one that does not."""
    one, other = "M40 25 L170 26 L220 32 L255 62", "M40 25 L110 28 L150 60 L190 100 L255 115"
    drawn = (
        f'<path d="M40 10 V125 H265" fill="none" stroke="{INK}" stroke-opacity="0.5"/>'
        f'<path d="{one}" fill="none" stroke="{HEAD}" stroke-width="3"/>'
        f'<path d="{other}" fill="none" stroke="{TAIL}" stroke-width="3" stroke-dasharray="7 4"/>'
        f'<path d="M40 45 H265" stroke="{INK}" stroke-opacity="0.5" stroke-dasharray="2 3"/>'
        f'<circle cx="131" cy="45" r="5" fill="none" stroke="{TAIL}" stroke-width="2"/>'
        '<text x="139" y="41">first drop</text>'
        '<text x="36" y="29" text-anchor="end">0 %</text>'
        '<text x="36" y="49" text-anchor="end">\u221220 %</text>'
        '<text x="40" y="139">dense</text>'
        '<text x="265" y="139" text-anchor="end">95 % sparsity</text>'
        '<text x="258" y="60">A</text><text x="258" y="112">B</text>'
    )
    return _image(drawn, "Change of AP over sparsity: one class holds on, another drops")


def _rankings() -> str:
    """One X-ray's findings in the order of the dense and of the pruned model."""
    names = ("Hernia", "Effusion", "Mass", "Nodule", "No Finding")
    pruned = ("No Finding", "Effusion", "Nodule", "Mass", "Hernia")
    drawn = ['<text x="75" y="14" text-anchor="middle">dense ranks</text>']
    drawn.append('<text x="225" y="14" text-anchor="middle">pruned ranks</text>')
    for at, name in enumerate(names):
        left, right = 36 + 24 * at, 36 + 24 * pruned.index(name)
        far = abs(left - right) > 30
        look = f'stroke="{TAIL}" stroke-width="3"' if far else f'stroke="{INK}"'
        drawn.append(
            f'<path d="M108 {left - 4} L192 {right - 4}" {look} stroke-opacity="0.8"/>'
            f'<text x="102" y="{left}" text-anchor="end">{name}</text>'
            f'<text x="198" y="{right}">{name}</text>'
        )
    return _image("".join(drawn), "The findings of one X-ray, ranked by the dense and pruned model")


PICTURES = (_weights(), _curves(), _rankings())
