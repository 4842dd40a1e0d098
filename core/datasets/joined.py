"""Class names joined in one cell: "Mass|Nodule", "Mass, Nodule", "['Mass', 'Nodule']"."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pandas as pd

Split = Callable[[str], list[str]]
SEPARATORS = ("|", ";", "\n", "\t", ",")
# As Python, numpy and JSON write lists, tuples and sets.
LIST = re.compile(r"\s*[\[({].*[\])}]\s*", re.DOTALL)
QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
by_bars: Split = partial(str.split, sep="|")
MISSING = frozenset({"nan", "none", "null"})
NO_NAMES = MISSING | {""}


def how_joined(texts: pd.Series, given: str | None = None) -> tuple[Split, str]:
    """How to divide a column's cells, and the words for it.

    given: the separator that the study file names. Otherwise a bar anywhere decides for the bar;
    without one, cells in brackets are lists; then semicolons, line ends, tabs and commas.
    """
    if given is not None:
        return partial(str.split, sep=given), repr(given)
    distinct = [text for text in texts.unique() if text.strip()]
    if any("|" in text for text in distinct):
        return by_bars, "'|'"
    lists = [text for text in distinct if text.strip().casefold() not in MISSING]
    if lists and all(LIST.fullmatch(text) for text in lists):
        return listed, "lists"
    separator = next((s for s in SEPARATORS if any(s in text for text in distinct)), "|")
    return partial(str.split, sep=separator), repr(separator)


def listed(text: str) -> list[str]:
    """The names in the text of a list. Nothing in it is evaluated."""
    if not LIST.fullmatch(text):
        return []  # nan, none
    inner = text.strip()[1:-1]
    found = [one or other for one, other in QUOTED.findall(inner)]
    if found:
        return [re.sub(r"\\(.)", r"\1", name) for name in found]
    return inner.strip("'\" ").split(",")


def names_in(texts: pd.Series, split: Split) -> dict[str, frozenset[str]]:
    """The names within each distinct cell; "nan" and the like are none."""
    return {
        text: frozenset(
            name for part in split(text) if (name := part.strip()).casefold() not in NO_NAMES
        )
        for text in texts.unique()
    }
