"""What PIEs hold more of, in plain sentences, each with its n and its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis.first_forgotten import SIGNIFICANT
from core.wording import words

Row = Mapping[str, Any]


def label_noise(table: pd.DataFrame) -> str:
    """Whether PIEs are richer in wrong labels. table: `PieLabelNoise`."""
    rows = {row["images"]: row for row in table.to_dict(orient="records")}
    row, among = rows["all"], rows["with findings"]
    counts = (
        f"{row['n_pie_wrong']:,} of {words.count(row['n_pie'], 'PIE')} "
        f"({words.frequency(row['pie_share'])}) carry at least one wrong label, against "
        f"{row['n_non_pie_wrong']:,} of {row['n_non_pie']:,} other images "
        f"({words.frequency(row['non_pie_share'])})"
    )
    if math.isnan(row["ci_low"]):
        return f"{counts}: too few for an interval."
    verdict = "Whether PIEs are richer in wrong labels cannot be told"
    if row["ci_low"] > 1:
        verdict = "PIEs are richer in wrong labels"
    elif row["ci_high"] < 1:
        verdict = "PIEs are poorer in wrong labels"
    sentence = f"{verdict}: {counts}, {_times(row)}."
    if math.isnan(among["ci_low"]):
        return sentence
    return f"{sentence} Of images labelled with a finding alone: {_times(among)}."


def image_quality(table: pd.DataFrame, names: Mapping[str, str]) -> str:
    """In which measure PIEs differ most from other images. table: `PieQuality`."""
    clear = table[table["q"] < SIGNIFICANT]
    if table["q"].isna().all():
        return "Too few PIEs to compare image quality"
    if clear.empty:
        return f"No measure tells PIEs from other images at q < {SIGNIFICANT:g}"
    row = clear.loc[clear["difference"].abs().idxmax()]
    word = "higher" if row["difference"] > 0 else "lower"
    return f"{names[row['measure']]} is {word} in PIEs than in other images"


def _times(row: Row) -> str:
    ratio, low, high = (words.number(row[name], 1) for name in ("ratio", "ci_low", "ci_high"))
    return f"{ratio} times as often (95 % over patients: {low} to {high})"
