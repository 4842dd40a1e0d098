"""How often the pruned model calls a finding falsely, and how often it misses one, in sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.analysis.operating_characteristics import DENSE, REFIXED
from core.study.labels import FEW_PATIENTS, NO_FINDING
from core.wording import words

MANY = 0.5  # a finding called on more than this share of the X-rays without it is called falsely
IMPORTED = (
    "No operating points: these predictions were imported without any for validation images. "
    "Sensitivity, specificity and false alarms cannot be told."
)
NO_SPLIT = (
    "No operating points: this study has no validation images to fix them on. Sensitivity, "
    "specificity and false alarms cannot be told."
)
NOT_YET = "Sensitivity and specificity at this sparsity appear once every run has finished it."
REFIXED_NOT_YET = (
    "Operating points fixed again at this sparsity appear once every run has its validation "
    "predictions."
)


def false_alarms_sentence(table: pd.DataFrame, sparsity: float) -> str:
    """What becomes of false alarms at the dense model's operating points, in one sentence; empty
    where the table has no such sparsity. table: OPERATING_CHARACTERISTICS. Names are as given."""
    pruned, dense = _findings(table, sparsity, DENSE), _findings(table, 0.0, DENSE)
    if pruned.empty or dense.empty:
        return ""
    at, n = words.percent(sparsity), len(pruned)
    n_in_vain = int((pruned["specificity"] < MANY).sum())
    if n_in_vain:
        of = f"{n_in_vain} of {words.count(n, 'finding')}"
        them = "them" if n_in_vain > 1 else "it"
        return (
            f"At {at} sparsity the pruned model calls {of} on more than half of the X-rays "
            f"without {them}."
        )
    said = f"At {at} sparsity no finding is called on more than half of the X-rays without it"
    falls = [
        f"{name} falls furthest for {fall}"
        for name in ("specificity", "sensitivity")
        if (fall := _furthest(dense, pruned, name))
    ]
    return f"{said}; {' and '.join(falls).removesuffix(',')}." if falls else f"{said}."


def refixed_sentence(table: pd.DataFrame, sparsity: float) -> str:
    """Whether a new threshold makes up for it; empty where none could be fixed."""
    again, dense = _findings(table, sparsity, REFIXED), _findings(table, 0.0, DENSE)
    if again.empty or dense.empty:
        return ""
    low, high = again["specificity"].min(), again["specificity"].max()
    said = (
        f"With operating points fixed again on validation for the model at "
        f"{words.percent(sparsity)}, specificity is between {words.percent(low)} and "
        f"{words.percent(high)}"
    )
    stable = again[~again["unstable"].astype(bool)].index
    if len(stable) == 0:
        return f"{said}."
    before, now = (t.loc[stable, "sensitivity"].median() for t in (dense, again))
    return (
        f"{said}; the median sensitivity of {words.count(len(stable), 'finding')} with at least "
        f"{FEW_PATIENTS} patients is {words.percent(now)}, {words.percent(before)} when dense."
    )


def has_sparsity(table: pd.DataFrame, sparsity: float, threshold: str = DENSE) -> bool:
    """Whether the table has any row of this sparsity at these operating points."""
    here = np.isclose(table["sparsity"].astype(float), sparsity)
    return bool((here & (table["threshold"] == threshold)).any())


def lacks_validation(study_name: str) -> str:
    """What to do where an older version has kept no validation predictions of pruned models, in
    Markdown. A study's name holds nothing that Markdown would read."""
    return (
        "No operating points could be fixed again for the pruned models: this study has validation "
        "predictions of its dense models only, as older versions kept them. "
        f"`prunescope run {study_name}` makes the others and leaves what is finished."
    )


def no_points_yet(study_name: str) -> str:
    """The same where not even the dense models have any."""
    return (
        "No operating points: there are no validation predictions yet. "
        f"`prunescope run {study_name}` makes them and leaves what is finished."
    )


def _findings(table: pd.DataFrame, sparsity: float, threshold: str) -> pd.DataFrame:
    """Rows of the findings with an operating point, by name; "No Finding" is no finding."""
    if table.empty:
        return table
    here = np.isclose(table["sparsity"].astype(float), sparsity) & (table["threshold"] == threshold)
    rows = table[here & (table["class_name"] != NO_FINDING) & table["specificity"].notna()]
    return rows.set_index("class_name")


def _furthest(dense: pd.DataFrame, pruned: pd.DataFrame, name: str) -> str:
    """Effusion, from 87 % to 62 %; empty where nothing falls. Sensitivity of few patients is left
    out."""
    if name == "sensitivity":
        pruned = pruned[~pruned["unstable"].astype(bool)]
    falls = (dense[name].reindex(pruned.index) - pruned[name]).dropna()
    if falls.empty or falls.max() < 0.005:
        return ""
    who = falls.idxmax()
    before, now = (words.percent(t.loc[who, name]) for t in (dense, pruned))
    return f"{who}, from {before} to {now},"
