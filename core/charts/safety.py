"""Which class is safe at which sparsity."""

from __future__ import annotations

import pandas as pd

from core.analysis.safe_sparsity import (
    CANNOT_TELL,
    SAFE,
    UNSAFE,
    ClassBreak,
    SafeAnswer,
    SafeSparsity,
    class_breaks,
)
from core.charts import parts
from core.wording import words

# Told apart by shape and by colour; neither colour is that of a group of classes.
MARKS = {
    SAFE: {"symbol": "square", "size": 13, "color": "#3d94c9"},
    CANNOT_TELL: {"symbol": "circle-open", "size": 9, "color": parts.RULE, "line": {"width": 1.5}},
    UNSAFE: {"symbol": "x", "size": 10, "color": "#bf4f99"},
}
LEGEND = {SAFE: "safe", CANNOT_TELL: "cannot tell", UNSAFE: "shown to be unsafe"}


def safety_chart(
    table: pd.DataFrame, answer: SafeAnswer, settings: SafeSparsity, n_images: int, n_patients: int
) -> parts.Chart:
    """Classes by sparsity, the first to break on top. table: SAFE_SPARSITY."""
    breaks = class_breaks(table)
    rows = {one.class_name: row for row, one in enumerate(breaks)}
    figure = parts.empty_figure(parts.ROW_HEIGHT * len(breaks) + 130)
    for verdict, mark in MARKS.items():
        here = table[table["verdict"] == verdict]
        if here.empty:
            continue
        figure.add_scatter(
            x=parts.percents(here["sparsity"]),
            y=here["class_name"].map(rows),
            mode="markers",
            name=LEGEND[verdict],
            marker=mark,
            **parts.hover(
                "{name} at %{x}<br>" + LEGEND[verdict] + ": {reason}<br>"
                "change {change}, bounds {low} and {high}<br>patients with the class: {n}",
                name=parts.escaped(here["class_name"]),
                change=here["relative_change"].map(words.signed),
                low=here["ci_low"].map(words.signed),
                high=here["ci_high"].map(words.signed),
                n=here["n_positive_patients"],
                reason=here["reason"],
            ),
        )
    parts.sparsity_axis(figure)
    parts.class_axis(figure, parts.starred(rows, (not one.judged for one in breaks)))
    breaks_at = answer.first.breaks_at if answer.first else None
    if answer.safe_up_to is not None and breaks_at is not None:
        figure.add_vline(
            x=(answer.safe_up_to + breaks_at) * 50,
            line={"color": parts.RULE, "width": 2, "dash": "dash"},
        )
    parts.legend_above(figure)
    figure.update_layout(margin_t=40)
    confidence = words.short_percent(settings.confidence)
    over_runs = f" and {words.count(answer.n_runs, 'run')}" if answer.n_runs > 1 else ", one run"
    caption = (
        f"Test of non-inferiority: safe where the {confidence} one-sided lower "
        f"bound of the change of {words.METRICS[settings.metric]} lies above "
        f"{words.signed(-settings.margin)}, shown to be unsafe where it is significantly below "
        "that at this and every higher sparsity, corrected for all classes. "
        f"Paired over {words.count(n_patients, 'patient')} ({n_images:,} test images)"
        f"{over_runs}. Dashed: end of what is safe for every class judged."
    )
    if any(not one.judged for one in breaks):
        caption += (
            f" * Not judged: fewer than {words.count(settings.min_patients, 'test patient')}, or "
            "not found by the dense model."
        )
    return parts.Chart(_title(answer, breaks), figure, caption)


def _title(answer: SafeAnswer, breaks: list[ClassBreak]) -> str:
    if answer.n_classes == 0:
        return "No class has enough patients to tell"
    enough = [one for one in breaks if one.judged]
    n_safe = sum(one.breaks_at is None for one in enough)
    n_unsafe = sum(one.unsafe_at is not None for one in enough)
    of = f"{n_safe or 'None'} of {words.count(answer.n_classes, 'class')}"
    stay = "stay" if n_safe > 1 else "stays"
    unsafe = f"{n_unsafe or 'none'} {'are' if n_unsafe > 1 else 'is'} shown to be unsafe"
    return f"{of} {stay} safe up to {words.percent(answer.last_sparsity)} sparsity; {unsafe}"
