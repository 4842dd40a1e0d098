"""What readers' answers say of PIEs against non-PIEs: the paper's test and the corrected ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.alpha import krippendorff_alpha
from core.analysis.bootstrap import benjamini_hochberg
from core.study.columns import Column, Columns, Unit
from core.study.progress import Advance

# Fewer readings than this on either side carry no test.
FEWEST_READINGS = 5
FEWEST_READERS = 2
FEWEST_IMAGES = 4
CONFIDENCE = 0.95
Level = Literal["nominal", "ordinal"]
READER = Column(
    "reader",
    "A reader, numbered in the order of invitation. E-mail addresses are not exported.",
)
QUESTION = Column(
    "question",
    "label_correct: is the label correct? image_quality: how good is the image? difficulty: how "
    "difficult is the diagnosis?",
)
SIDES = Columns(
    Column("n_pie", "Answers about PIEs (readers x images)."),
    Column("n_non_pie", "Answers about non-PIEs."),
    Column("mean_pie", "Mean answer about PIEs; for label_correct the share of Yes.", Unit.METRIC),
    Column("mean_non_pie", "Mean answer about non-PIEs.", Unit.METRIC),
)
READER_RESULTS = Columns(
    QUESTION, SIDES,
    Column("sd_pie", "Standard deviation of the answers about PIEs (n - 1)."),
    Column("sd_non_pie", "Standard deviation of the answers about non-PIEs (n - 1)."),
    Column("kruskal_h", "Kruskal-Wallis H, ties corrected, PIE against non-PIE, answers pooled "
           "(paper)."),
    Column("kruskal_p", "Its p-value (paper). It takes answers about one image for independent."),
    Column("mixed_effect", "PIE minus non-PIE from the mixed model with reader and image as "
           "crossed random effects (corrected)."),
    Column("mixed_ci_low", "Lower end of its 95 % interval (t, images - 2 degrees of freedom)."),
    Column("mixed_ci_high", "Upper end of its 95 % interval."),
    Column("mixed_p", "Its p-value (t, images - 2 degrees of freedom)."),
    Column("q_value", "Benjamini-Hochberg of mixed_p over the questions."),
    Column("krippendorff_alpha", "Agreement between readers over all images: 1 perfect, 0 as by "
           "chance. Nominal for label_correct, ordinal for the others."),
)  # fmt: skip
BY_READER = Columns(
    READER, QUESTION, SIDES,
    Column("difference", "mean_pie minus mean_non_pie of this reader.", Unit.METRIC),
)  # fmt: skip


@dataclass(frozen=True)
class Mixed:
    """PIE minus non-PIE with its interval and p; NaN where it cannot be estimated."""

    effect: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    p: float = np.nan


@dataclass(frozen=True)
class ReaderResults:
    """READER_RESULTS: PIE against non-PIE, one row per question.

    `levels` maps each question to its level of measurement. Takes the latest answers (reader,
    image_id, is_pie, question, value). Kruskal-Wallis (paper) takes the readings of one image or
    one reader for independent; the corrected test is `mixed_model`; alpha is Krippendorff's
    (*Content Analysis*).

    Yes counts 1, no counts 0. Null: what fewer than FEWEST_READINGS readings on a side, fewer than
    FEWEST_READERS readers, or answers that are all the same cannot tell.
    """

    levels: Mapping[str, Level]

    def __call__(self, answers: pd.DataFrame, advance: Advance | None = None) -> pd.DataFrame:
        rows = []
        for done, (question, level) in enumerate(self.levels.items(), start=1):
            given = answers[answers["question"] == question]
            rows.append({"question": question, **_row(given, level)})
            if advance:
                advance(done, len(self.levels))
        table = pd.DataFrame(rows)
        q = benjamini_hochberg(table["mixed_p"].to_numpy(float))
        table.insert(table.columns.get_loc("mixed_p") + 1, "q_value", q)
        return table


def _row(given: pd.DataFrame, level: Level) -> dict[str, float]:
    is_pie = given["is_pie"].to_numpy(bool)
    value = given["value"].to_numpy(float)
    pie, other = value[is_pie], value[~is_pie]
    h, p = kruskal(pie, other)
    return {
        "n_pie": len(pie),
        "n_non_pie": len(other),
        "mean_pie": _mean(pie),
        "mean_non_pie": _mean(other),
        "sd_pie": _sd(pie),
        "sd_non_pie": _sd(other),
        "kruskal_h": h,
        "kruskal_p": p,
        **{f"mixed_{name}": number for name, number in asdict(mixed_model(given)).items()},
        "krippendorff_alpha": agreement_between_readers(given, level),
    }


def kruskal(pie: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """H, corrected for ties, and its p; NaN for too few or all equal answers (paper)."""
    values = np.concatenate([pie, other])
    if min(len(pie), len(other)) < FEWEST_READINGS or len(np.unique(values)) < 2:
        return np.nan, np.nan
    found = scipy.stats.kruskal(pie, other)
    return float(found.statistic), float(found.pvalue)


def mixed_model(given: pd.DataFrame) -> Mixed:
    """value = constant + effect * is_pie + reader + image + rest, reader and image crossed random
    effects, by restricted maximum likelihood (statsmodels' MixedLM).

    An image is a PIE for all its readers, so the effect is one between images: interval and p are
    of Student's t with images - 2 degrees of freedom, not of the normal distribution, which calls
    too much significant where images are few. For a yes/no question the effect is a difference of
    shares.
    """
    is_pie, value = given["is_pie"].to_numpy(bool), given["value"].to_numpy(float)
    n_images = given["image_id"].nunique()
    few = (
        min(is_pie.sum(), (~is_pie).sum()) < FEWEST_READINGS
        or given["reader"].nunique() < FEWEST_READERS
        or n_images < FEWEST_IMAGES
        or len(np.unique(value)) < 2
    )
    if few:
        return Mixed()
    try:
        effect, error = _restricted_maximum_likelihood(given, is_pie, value)
    except np.linalg.LinAlgError:
        return Mixed()
    if not (np.isfinite(effect) and np.isfinite(error) and error > 0):
        return Mixed()
    freedom = n_images - 2
    reach = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error
    p = 2 * scipy.stats.t.sf(abs(effect / error), freedom)
    return Mixed(effect, effect - reach, effect + reach, float(p))


def _restricted_maximum_likelihood(
    given: pd.DataFrame, is_pie: np.ndarray, value: np.ndarray
) -> tuple[float, float]:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    dummies = [pd.get_dummies(given[name], dtype=float) for name in ("reader", "image_id")]
    crossed = VCSpec(
        ["reader", "image"],
        [[[str(name) for name in table.columns]] for table in dummies],
        [[table.to_numpy()] for table in dummies],
    )
    design = np.column_stack([np.ones(len(value)), is_pie.astype(float)])
    model = MixedLM(value, design, groups=np.zeros(len(value)), exog_vc=crossed)
    with warnings.catch_warnings():
        # It warns wherever a variance is near 0, as it is where readers agree on the scale.
        warnings.simplefilter("ignore")
        fitted = model.fit(reml=True)
    return float(fitted.fe_params[1]), float(fitted.bse_fe[1])


def agreement_between_readers(given: pd.DataFrame, level: Level) -> float:
    """Krippendorff's alpha over images; NaN where no two readers judged the same image, or where
    all answers are the same."""
    table = given.pivot(index="reader", columns="image_id", values="value").to_numpy(float)
    return krippendorff_alpha(table, level)


def by_reader(answers: pd.DataFrame) -> pd.DataFrame:
    """BY_READER: each reader's own.

    answers: as `ReaderResults`.
    """
    sides = answers.assign(side=np.where(answers["is_pie"], "pie", "non_pie"))
    counted = sides.groupby(["reader", "question", "side"], sort=False)["value"].agg(
        ["size", "mean"]
    )
    wide = counted.unstack("side")
    table = pd.DataFrame(index=wide.index)
    for name, column in (("n", "size"), ("mean", "mean")):
        for side in ("pie", "non_pie"):
            known = (column, side) in wide.columns
            table[f"{name}_{side}"] = wide[column, side] if known else np.nan
    counts = ["n_pie", "n_non_pie"]
    table[counts] = table[counts].fillna(0).astype(int)
    table["difference"] = table["mean_pie"] - table["mean_non_pie"]
    return table.reset_index()


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan
