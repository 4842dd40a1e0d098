"""How far readers agree with each other, and with themselves when they see an image again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from core.analysis.alpha import krippendorff_alpha
from core.analysis.bootstrap import DRAWS, percentile_interval, resample_counts

Level = Literal["nominal", "ordinal"]


@dataclass(frozen=True)
class Within:
    """n images that a reader judged twice, alpha of the two judgements and its 95 % bootstrap
    interval over images; NaN where it cannot be told."""

    n: int = 0
    alpha: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan


def between_readers(given: pd.DataFrame, level: Level) -> float:
    """Krippendorff's alpha over images, or over labels of images where they were asked about one by
    one. given: reader, image_id, value, and label where there are such. NaN where no two readers
    judged the same, or where all answers are the same."""
    table = given.assign(unit=_unit(given)).pivot(index="reader", columns="unit", values="value")
    return krippendorff_alpha(table.to_numpy(float), level)


def within_readers(answers: pd.DataFrame, level: Level) -> Within:
    """As `between_readers`, of each reader's first and second judgement of an image.

    answers: with `again`, whether it is of the second time; readers in it never meet. Images are
    drawn with all that readers said of them.
    """
    if "again" not in answers or not answers["again"].any():
        return Within()
    unit = _unit(answers) + "\x1f" + answers["reader"].astype(str)
    wide = answers.assign(unit=unit).pivot(index="unit", columns="again", values="value").dropna()
    image = answers.assign(unit=unit).drop_duplicates("unit").set_index("unit")["image_id"]
    codes, images = pd.factorize(image.loc[wide.index])
    readers = answers["reader"].astype(str).set_axis(unit).groupby(level=0).first().loc[wide.index]
    n = len(set(zip(codes, readers, strict=True)))
    if wide.empty:
        return Within()
    ratings = wide.to_numpy(float).T
    counts = resample_counts(len(images), DRAWS)
    drawn = [krippendorff_alpha(np.repeat(ratings, of[codes], axis=1), level) for of in counts]
    low, high = percentile_interval(np.array(drawn)[:, None])
    few = len(images) < 3
    alpha = krippendorff_alpha(ratings, level)
    return Within(n, alpha, *(np.nan if few else float(end[0]) for end in (low, high)))


def _unit(given: pd.DataFrame) -> pd.Series:
    unit = given["image_id"].astype(str)
    return unit + "\x1f" + given["label"].fillna("").astype(str) if "label" in given else unit
