"""The owner's own probabilities of a few images against ours: whether a network is given what it
was trained on shows nowhere as surely."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used

from core.checkpoints.checks import ReferenceCheck, ReferenceClass
from core.checkpoints.mapping import in_words_of
from core.checkpoints.small_tables import rows_of
from core.datasets.columns import IMAGES, known_column
from core.errors import InputError
from core.study.labels import Labels

LARGEST = 2**18  # characters
MOST_IMAGES = 50
LEAST_FOR_RANKS = 3  # images, below which a rank correlation says nothing


def read_reference(text: str, labels: Labels) -> pd.DataFrame:
    """The owner's probabilities by image_id (index) and class; missing where they gave none.

    text: CSV of a column of images (image_id, path, file, ...) and columns called as classes of
    the labels. An image is named as in the labels, or by its file's name. Raises InputError.
    """
    names, given_rows = rows_of(text, "The reference", LARGEST)
    rows = pd.DataFrame(given_rows, columns=list(names))
    column = known_column(rows.columns, IMAGES)
    named = in_words_of(labels.class_names, tuple(map(str, rows.columns)))
    if column is None or not any(named) or len(set(filter(None, named))) < sum(map(bool, named)):
        raise InputError(
            "The reference needs a column `image_id` and one of probabilities for each class, such "
            f"as {', '.join(labels.class_names[:3])}; its columns are "
            f"{', '.join(map(str, rows.columns[:8])) or 'none'}."
        )
    if len(rows) > MOST_IMAGES:
        raise InputError(
            f"The reference has {len(rows):,} images; at most {MOST_IMAGES} are taken."
        )
    ids = _ids(rows[column].astype(str), labels)
    found = {
        name: [_probability(text, one) for text, one in zip(rows[given], ids, strict=True)]
        for given, name in zip(rows.columns, named, strict=True)
        if name and given != column
    }
    return pd.DataFrame(found, index=pd.Index(ids, name="image_id"))


def compare(
    theirs: pd.DataFrame, image_ids: list[str], class_names: tuple[str, ...], ours: np.ndarray
) -> ReferenceCheck:
    """theirs: of `read_reference`; ours: (images, classes) of these ids and names."""
    mine = pd.DataFrame(ours, index=image_ids, columns=list(class_names)).astype(float)
    names = [name for name in class_names if name in theirs]
    theirs, mine = theirs.reindex(mine.index)[names], mine[names]
    apart = (theirs - mine).abs()
    if apart.isna().all(axis=None):
        raise InputError("The reference has no probability of an image and class that is studied.")
    rows = []
    for name in names:
        known = theirs[name].notna()
        rho = math.nan
        pair = theirs.loc[known, name], mine.loc[known, name]
        if known.sum() >= LEAST_FOR_RANKS and min(one.nunique() for one in pair) > 1:
            rho = float(scipy.stats.spearmanr(*pair)[0])
        if known.any():
            rows.append(
                ReferenceClass(name, float(apart[name].max()), None if math.isnan(rho) else rho)
            )
    most = max(rows, key=lambda one: one.largest)
    return ReferenceCheck(len(mine), str(apart[most.class_name].idxmax()), tuple(rows))


def _ids(given: pd.Series, labels: Labels) -> list[str]:
    table = labels.table
    ids = dict(zip(table["image_id"], table["image_id"], strict=True))
    by_path = dict(zip(table["path"], table["image_id"], strict=True))
    file_names = table["path"].map(lambda path: PurePosixPath(path).name)
    once = ~file_names.duplicated(keep=False)
    by_name = dict(zip(file_names[once], table["image_id"][once], strict=True))
    found = []
    for text in given.str.strip():
        one = ids.get(text) or by_path.get(text) or by_name.get(PurePosixPath(text).name)
        if one is None:
            raise InputError(
                f"The reference names {text[:80]!r}, which is no image of the dataset."
            )
        if one in found:
            raise InputError(f"The reference names the image {text[:80]!r} twice.")
        found.append(one)
    return found


def _probability(text: object, image_id: str) -> float:
    if text is None or not str(text).strip():
        return math.nan
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InputError(
            f"The reference gives image {image_id!r} {str(text)[:40]!r}; probabilities lie between "
            "0 and 1."
        )
    return value
