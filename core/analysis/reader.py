"""What readers' answers say of PIEs against non-PIEs: the paper's test and the corrected ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import mixed_effects
from core.analysis.bootstrap import CONFIDENCE, benjamini_hochberg
from core.analysis.reader_agreement import Level, between_readers, within_readers
from core.study.columns import Column, Columns, Unit, interval
from core.study.progress import Advance

# Fewer readings than this on either side carry no test.
FEWEST_READINGS = 5
FEWEST_READERS = 2
FEWEST_IMAGES = 4
# Fewer readers than this say nothing of other readers: how far they differ is not known then.
FEWEST_TO_GENERALISE = 4
READER = Column(
    "reader",
    "A reader, numbered in the order of invitation. E-mail addresses and names are not exported.",
)
QUESTION = Column(
    "question",
    "label_shown: does the image show this label? label_correct, where labels were not asked about "
    "one by one: is the label correct? image_quality: how good is the image? difficulty: how "
    "difficult is the diagnosis?",
)
SIDES = Columns(
    Column("n_pie", "Readings of PIEs (readers x images)."),
    Column("n_non_pie", "Readings of non-PIEs."),
    Column("mean_pie", "Mean answer about PIEs; of label_shown the mean share of an image's labels "
           "that it shows, of label_correct the share of Yes.", Unit.METRIC),
    Column("mean_non_pie", "The same of non-PIEs.", Unit.METRIC),
)  # fmt: skip
READER_RESULTS = Columns(
    QUESTION, SIDES,
    Column("sd_pie", "Standard deviation of the readings of PIEs (n - 1)."),
    Column("sd_non_pie", "Standard deviation of the readings of non-PIEs (n - 1)."),
    Column("kruskal_h", "Kruskal-Wallis H, ties corrected, PIE against non-PIE, answers pooled "
           "(paper)."),
    Column("kruskal_p", "Its p-value (paper). It takes answers about one image for independent."),
    Column("mixed_effect", "PIE minus non-PIE from the mixed model with crossed random effects of "
           "reader, image, matched pair and, from 4 readers on, of reader x PIE (corrected)."),
    Column("mixed_ci_low", "Lower end of its 95 % interval."),
    Column("mixed_ci_high", "Upper end of its 95 % interval."),
    Column("mixed_df", "Degrees of freedom of Student's t for interval and p."),
    Column("mixed_p", "Its p-value."),
    Column("q_value", "Benjamini-Hochberg of mixed_p over the questions."),
    Column("generalises", "Whether interval and p hold for other readers too (4 readers or more), "
           "or for these only; both are about other images."),
    Column("slope_sd", "Standard deviation over readers of PIE minus non-PIE; missing below 4 "
           "readers."),
    Column("krippendorff_alpha", "Agreement between readers over all images: 1 perfect, 0 as by "
           "chance. Nominal for yes and no, ordinal for the others."),
    Column("n_repeats", "Images that a reader judged twice."),
    Column("within_alpha", "Krippendorff's alpha of these: agreement of readers with themselves."),
    interval("within_alpha_ci", "its 95 % bootstrap interval over images"),
)  # fmt: skip
BY_READER = Columns(
    READER, QUESTION, SIDES,
    Column("difference", "mean_pie minus mean_non_pie of this reader.", Unit.METRIC),
)  # fmt: skip


@dataclass(frozen=True)
class Mixed:
    """PIE minus non-PIE with its interval, degrees of freedom and p; NaN where it cannot be
    estimated. slope_sd: see READER_RESULTS."""

    effect: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    df: float = np.nan
    p: float = np.nan
    slope_sd: float = np.nan


@dataclass(frozen=True)
class ReaderResults:
    """READER_RESULTS: PIE against non-PIE, one row per question.

    `levels` maps each question to its level of measurement. Takes the latest answers (reader,
    image_id, is_pie, question, value, and where there are such: pair, label, again).
    Kruskal-Wallis (paper) takes the readings of one image or one reader for independent; the
    corrected test is `mixed_model`; alpha is Krippendorff's (*Content Analysis*).

    Yes counts 1, no counts 0. A reading of several labels is the share of Yes among them. What a
    reader answered when shown an image again counts for `within_alpha` only. Null: what fewer than
    FEWEST_READINGS readings on a side, fewer than FEWEST_READERS readers, or answers that are all
    the same cannot tell.
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
        table["q_value"] = benjamini_hochberg(table["mixed_p"].to_numpy(float))
        return table[READER_RESULTS.names]


def first_readings(answers: pd.DataFrame) -> pd.DataFrame:
    """Answers without those about images shown again."""
    return answers[~answers["again"].astype(bool)] if "again" in answers else answers


def readings(given: pd.DataFrame) -> pd.DataFrame:
    """One row per reader and image: the answer, or the mean over the image's labels."""
    keys = ["reader", "image_id", "is_pie", *(["pair"] if "pair" in given else [])]
    return given.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index()


def _row(answers: pd.DataFrame, level: Level) -> dict[str, object]:
    first = first_readings(answers)
    given = readings(first)
    is_pie = given["is_pie"].to_numpy(bool)
    value = given["value"].to_numpy(float)
    pie, other = value[is_pie], value[~is_pie]
    h, p = kruskal(pie, other)
    mixed = asdict(mixed_model(given))
    within = within_readers(answers, level)
    return {
        "n_pie": len(pie),
        "n_non_pie": len(other),
        "mean_pie": _mean(pie),
        "mean_non_pie": _mean(other),
        "sd_pie": _sd(pie),
        "sd_non_pie": _sd(other),
        "kruskal_h": h,
        "kruskal_p": p,
        "slope_sd": mixed.pop("slope_sd"),
        **{f"mixed_{name}": number for name, number in mixed.items()},
        "generalises": generalises(given),
        "krippendorff_alpha": between_readers(first, level),
        "n_repeats": within.n,
        "within_alpha": within.alpha,
        "within_alpha_ci_low": within.ci_low,
        "within_alpha_ci_high": within.ci_high,
    }


def kruskal(pie: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """H, corrected for ties, and its p; NaN for too few or all equal answers (paper)."""
    values = np.concatenate([pie, other])
    if min(len(pie), len(other)) < FEWEST_READINGS or len(np.unique(values)) < 2:
        return np.nan, np.nan
    found = scipy.stats.kruskal(pie, other)
    return float(found.statistic), float(found.pvalue)


def generalises(given: pd.DataFrame) -> bool:
    """Whether there are enough readers to say something of others."""
    return bool(given["reader"].nunique() >= FEWEST_TO_GENERALISE)


def mixed_model(given: pd.DataFrame) -> Mixed:
    """value = constant + effect * PIE + reader + reader x PIE + image + pair + rest.

    given: `readings`. All but constant and effect are crossed random effects, fitted by restricted
    maximum likelihood: PIE counts 1/2 and non-PIE -1/2, so that a reader's scale and a reader's
    difference are independent. Below FEWEST_TO_GENERALISE readers nobody knows how differences vary
    over readers: then the effect is of these readers. Without matched pairs there is no effect of
    theirs. For a yes/no question the effect is a difference of shares.

    Interval and p are of Student's t. What the effect's variance has of readers and of the rest is
    known from readers - 1 differences, what it has of images from images - 2 (pairs - 1, matched);
    the degrees of freedom are Satterthwaite's of these two, and so of Hillis' kind (*A comparison
    of denominator degrees of freedom methods*, 2007), which counts the rest with the readers.
    Below FEWEST_TO_GENERALISE readers the rest counts with the images.
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
    fixed = np.column_stack([np.ones(len(value)), is_pie - 0.5])
    try:
        fitted = mixed_effects.fit(value, fixed, _random(given))
    except np.linalg.LinAlgError:
        return _of_images(given)
    parts, variance = fitted.parts, sum(fitted.parts.values())
    if not (np.isfinite(variance) and variance > 0):
        return Mixed()
    many = "slope" in parts
    of_images = parts["image"] + parts.get("pair", 0.0) + (0.0 if many else parts["residual"])
    n_pairs = given["pair"].nunique() if "pair" in parts else 0
    freedom = of_images**2 / (n_pairs - 1 if n_pairs else n_images - 2)
    if many:
        freedom += (variance - of_images) ** 2 / (given["reader"].nunique() - 1)
    df = variance**2 / freedom
    effect, error = float(fitted.effects[1]), float(np.sqrt(variance))
    reach = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, df)) * error
    p = float(2 * scipy.stats.t.sf(abs(effect / error), df))
    slope = float(np.sqrt(fitted.variances["slope"])) if many else np.nan
    return Mixed(effect, effect - reach, effect + reach, df, p, slope)


def _of_images(given: pd.DataFrame) -> Mixed:
    """Where readers differ in nothing but their scale, and nothing is left for a model to fit, the
    means of the images say all: Student's t-test of them, which is of these readers."""
    means = given.groupby(["image_id", "is_pie"])["value"].mean().reset_index()
    is_pie = means["is_pie"].to_numpy(bool)
    found = scipy.stats.ttest_ind(means.loc[is_pie, "value"], means.loc[~is_pie, "value"])
    if not np.isfinite(found.pvalue):
        return Mixed()
    low, high = found.confidence_interval(CONFIDENCE)
    effect = float(means.loc[is_pie, "value"].mean() - means.loc[~is_pie, "value"].mean())
    return Mixed(effect, float(low), float(high), float(found.df), float(found.pvalue))


def _random(given: pd.DataFrame) -> dict[str, np.ndarray]:
    reader = _indicators(given["reader"])
    random = {"reader": reader, "image": _indicators(given["image_id"])}
    if generalises(given):
        random["slope"] = reader * (given["is_pie"].to_numpy(bool) - 0.5)[:, None]
    if "pair" in given and given["pair"].notna().all() and given["pair"].nunique() > 2:
        random["pair"] = _indicators(given["pair"])
    return random


def _indicators(names: pd.Series) -> np.ndarray:
    codes, levels = pd.factorize(names)
    return np.eye(len(levels))[codes]


def by_reader(answers: pd.DataFrame) -> pd.DataFrame:
    """BY_READER: each reader's own.

    answers: as `ReaderResults`.
    """
    first = first_readings(answers)
    keys = ["reader", "question", "image_id", "is_pie"]
    of_images = first.groupby(keys, sort=False)["value"].mean().reset_index()
    sides = of_images.assign(side=np.where(of_images["is_pie"].astype(bool), "pie", "non_pie"))
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
