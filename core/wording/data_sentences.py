"""What the labels of the test images cannot answer: said before a run, on Overview and in the
report, in the same words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.wording import words

MOST_NAMED = 8


def caveats(test: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """A sentence for each thing that is missing; none where nothing is. test: the test rows of
    `Labels`."""
    found = [*one_valued(test, class_names), words.unknown_patients(test)]
    return [sentence for sentence in found if sentence]


def one_valued(test: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    """Which classes have no positive, no negative or no certain label among the test images."""
    if test.empty:
        return []
    values = test[list(class_names)].astype("Float64")
    some, most = values.max(), values.min()  # missing where no label is certain
    unknown = some.isna()
    none, every = some.eq(0) & ~unknown, most.eq(1) & ~unknown
    kinds = (
        (every, "No negative test image, so AP is 1 whatever a network answers"),
        (none, "No positive test image, so nothing can be said"),
        (unknown, "No certain label in the test images, so nothing can be said"),
    )
    return [
        f"{opening}: {words.names(named, MOST_NAMED)}."
        for which, opening in kinds
        if (named := [name for name in class_names if which[name]])
    ]
