"""Sensitivity and specificity of every class at operating points, dense against pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.analysis.operating_characteristics import DENSE, REFIXED
from core.charts import parts
from core.charts.whiskers import whiskers
from core.study.labels import FEW_PATIENTS
from core.wording import words
from core.wording.operating_sentences import false_alarms_sentence

# Told apart by shape and by place within a row; colours are those of the groups.
MARKS = {
    "dense": ("circle-open", -0.26),
    "pruned, same operating point": ("circle", 0.0),
    "pruned, operating point fixed again": ("diamond", 0.26),
}
PANELS = {"sensitivity": ("x", (0.0, 0.46)), "specificity": ("x2", (0.54, 1.0))}


def operating_chart(
    table: pd.DataFrame, sparsity: float, specificity: float, n_images: int, n_patients: int
) -> parts.Chart:
    """One row per class, the lowest specificity when pruned on top. table:
    OPERATING_CHARACTERISTICS of a study; specificity: at which operating points were fixed."""
    at = np.isclose(table["sparsity"].astype(float), sparsity)
    known = table["specificity"].notna()
    threshold = table["threshold"]
    rows = {
        "dense": table[(table["sparsity"] == 0) & (threshold == DENSE) & known],
        "pruned, same operating point": table[at & (threshold == DENSE) & known],
        "pruned, operating point fixed again": table[at & (threshold == REFIXED) & known],
    }
    pruned = rows["pruned, same operating point"].sort_values("specificity", kind="stable")
    place = {name: row for row, name in enumerate(pruned["class_name"])}
    figure = parts.empty_figure(max(300, round(1.3 * parts.ROW_HEIGHT * len(pruned)) + 120))
    for mark, of in rows.items():
        of = of[of["class_name"].isin(place)]
        if of.empty:
            continue
        symbol, offset = MARKS[mark]
        for name, (axis, _) in PANELS.items():
            figure.add_scatter(**_points(of, name, mark, symbol, place, offset), xaxis=axis)
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=mark, xaxis="x",
            marker={"symbol": symbol, "size": 9, "color": parts.RULE}, showlegend=True,
        )  # fmt: skip
    parts.class_axis(figure, parts.starred(pruned["class_name"], pruned["unstable"]))
    for name, (axis, domain) in PANELS.items():
        figure.update_layout(
            {
                f"xaxis{axis[1:]}": {
                    "title": name.capitalize(), "domain": domain, "anchor": "y", "range": [-3, 103],
                    "tickvals": [0, 50, 100], "ticktext": ["0", "50", "100 %"], "tickangle": 0,
                    "zeroline": False,
                }
            }
        )  # fmt: skip
    parts.legend_above(figure, itemclick=False)
    figure.update_layout(margin_t=40)
    caption = (
        f"{n_images:,} test images of {words.count(n_patients, 'patient')}, probabilities averaged "
        f"over runs, uncertain labels left out; whiskers: 95 % intervals over patients. "
        "Sensitivity: called, of the X-rays with the finding; specificity: not called, of those "
        f"without. Operating points: fixed on validation images at {words.percent(specificity)} "
        "specificity for the dense model"
    )
    if not rows["pruned, operating point fixed again"].empty:
        caption += ", and again in the same way for the pruned one"
    caption += "."
    if n_without := int(table[at & (threshold == DENSE)]["operating_point"].isna().sum()):
        caption += f" {words.count(n_without, 'class')} without an operating point left out."
    if pruned["unstable"].any():
        caption += f" * fewer than {FEW_PATIENTS} test patients with it: unstable."
    # Empty where "No Finding" is the only class with an operating point.
    said = false_alarms_sentence(table, sparsity).removesuffix(".")
    title = said or f"Sensitivity and specificity at {words.percent(sparsity)} sparsity"
    return parts.Chart(title, figure, caption)


def _points(
    rows: pd.DataFrame, name: str, mark: str, symbol: str, place: dict[str, int], offset: float
) -> dict[str, Any]:
    share, low, high = (rows[f"{name}{end}"] for end in ("", "_ci_low", "_ci_high"))
    error_x = whiskers(low * 100, high * 100, share * 100)
    told = [
        f"{words.percent(s)} ({words.percent(a)} to {words.percent(b)})"
        for s, a, b in zip(share, low, high, strict=True)
    ]
    points = ["operating point " + f"{point:.2g}" for point in rows["operating_point"]]
    colours = rows["group"].map(parts.GROUP_COLOURS).tolist()
    return {
        "x": share * 100,
        "y": (rows["class_name"].map(place) + offset).tolist(),
        "mode": "markers",
        "marker": {"symbol": symbol, "size": 8, "color": colours},
        "error_x": error_x | {"thickness": 1.2, "width": 0},
        **parts.hover(
            f"{{who}}, {mark}<br>{name} {{told}}<br>{{point}}",
            who=parts.escaped(rows["class_name"]), told=told, point=points,
        ),
        "showlegend": False,
    }  # fmt: skip
