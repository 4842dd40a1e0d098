"""Images that were made poor, as phantoms record of some: how well the measures of quality find
them, and whether they are PIEs more often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import bootstrap
from core.analysis.pie_quality import DRAWS_AT_ONCE, rank_biserial
from core.analysis.pie_quality_excess import BADNESS, BRIGHTNESS, WORSE_LOW, badness
from core.study.columns import Column, Columns, Unit, interval
from core.study.labels import Labels

POOR = "poor_quality"  # the attribute of phantoms that says it
FEWEST_PATIENTS = 3  # on either side, for an interval
QUALITY_TRUTH = Columns(
    Column("measure", "As in `pie_quality`, and `badness`, which sums the measures up; each turned "
           "so that higher is worse. Of brightness, the distance from the median."),
    Column("n_poor", "Images that were made poor and could be measured."),
    Column("n_others", "The other test images that could be."),
    Column("auroc", "Chance that a poor image has the worse measure of a random poor and another "
           "image: 1 finds all of them, 0.5 none.", Unit.METRIC),
    interval(of="its 95 % bootstrap interval over patients"),
    what="How well the measures of image quality find the images that were made poor.",
    row="a measure of image quality",
)  # fmt: skip
PIE_POOR = Columns(
    Column("n_poor", "Test images that were made poor."),
    Column("n_poor_pies", "PIEs among them."),
    Column("n_others", "The other test images."),
    Column("n_other_pies", "PIEs among those."),
    Column("odds_ratio", "Odds of being a PIE among poor images over those among others, with a "
           "half added to each count."),
    interval(of="its 95 % interval over patients"),
    what="Whether images that were made poor are PIEs more often.",
    row="all test images",
)  # fmt: skip


def labels_record_quality(labels: Labels) -> bool:
    """Whether the labels say which images were made poor."""
    return POOR in labels.attributes


def is_poor(rows: pd.DataFrame) -> np.ndarray:
    """(images,) bool of the attribute, whether it is kept as a truth value or as its word."""
    return rows[POOR].astype(str).str.lower().eq("true").to_numpy(bool)


@dataclass(frozen=True)
class QualityTruth:
    """QUALITY_TRUTH. Takes rows (image_id, patient_id, POOR) and measures (image_id and a column
    each); missing values are left out of their measure."""

    confidence: float = bootstrap.CONFIDENCE
    draws: int = bootstrap.DRAWS
    seed: int = bootstrap.SEED

    def __call__(self, rows: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
        table = rows[["image_id", "patient_id", POOR]].merge(measures, on="image_id")
        poor = is_poor(table)
        values = _worse(measures).set_axis(measures["image_id"]).loc[table["image_id"]]
        patients = table["patient_id"].to_numpy()
        found = [self._row(name, values[name].to_numpy(float), poor, patients) for name in values]
        return pd.DataFrame(found, columns=QUALITY_TRUTH.names)

    def _row(
        self, name: str, values: np.ndarray, poor: np.ndarray, patients: np.ndarray
    ) -> dict[str, object]:
        known = ~np.isnan(values)
        values, poor, patients = values[known], poor[known], patients[known]
        row = {"measure": name, "n_poor": int(poor.sum()), "n_others": int((~poor).sum())}
        if poor.all() or not poor.any():
            return row
        auroc = (rank_biserial(values, poor, np.ones((1, len(values))))[0] + 1) / 2
        drawn = _drawn(
            lambda weights: (rank_biserial(values, poor, weights) + 1) / 2, poor, patients, self
        )
        if not len(drawn):
            return row | {"auroc": float(auroc)}
        low, high = bootstrap.percentile_interval(drawn[:, None], self.confidence)
        return row | {"auroc": float(auroc), "ci_low": float(low[0]), "ci_high": float(high[0])}


@dataclass(frozen=True)
class PiePoor:
    """PIE_POOR, one row. Takes `Pies`' table (image_id, is_pie) and rows (image_id, patient_id,
    POOR). PIEs are as they were found. The interval is normal on the log scale, with the larger of
    two standard errors: of a bootstrap over patients, and of the counts (Gart, *Alternative
    analyses of contingency tables*, 1966), for no draw fills a cell that is empty."""

    confidence: float = bootstrap.CONFIDENCE
    draws: int = bootstrap.DRAWS
    seed: int = bootstrap.SEED

    def __call__(self, pies: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        table = pies[["image_id", "is_pie"]].merge(rows, on="image_id")
        poor, is_pie = is_poor(table), table["is_pie"].to_numpy(bool)

        def odds_ratio(weights: np.ndarray) -> np.ndarray:
            cells = [
                weights[:, of].sum(axis=1) + 0.5
                for of in (poor & is_pie, poor & ~is_pie, ~poor & is_pie, ~poor & ~is_pie)
            ]
            return cells[0] / cells[1] / (cells[2] / cells[3])

        ratio = low = high = np.nan
        z = scipy.stats.norm.ppf((1 + self.confidence) / 2)
        if poor.any() and not poor.all():
            ratio = float(odds_ratio(np.ones((1, len(poor))))[0])
            drawn = _drawn(odds_ratio, poor, table["patient_id"].to_numpy(), self)
            cells = pd.crosstab(poor, is_pie).reindex([False, True], axis=1, fill_value=0)
            of_counts = np.sqrt((1 / (cells.to_numpy() + 0.5)).sum())
            reach = z * max(np.log(drawn).std(ddof=1), of_counts) if len(drawn) else np.nan
            low, high = ratio * np.exp(-reach), ratio * np.exp(reach)
        counts = (poor, poor & is_pie, ~poor, ~poor & is_pie)
        row = (*(int(of.sum()) for of in counts), ratio, low, high)
        return pd.DataFrame([row], columns=PIE_POOR.names)


def _worse(measures: pd.DataFrame) -> pd.DataFrame:
    """The measures and BADNESS, higher for worse."""
    turned = measures.drop(columns="image_id").copy()
    for name in turned:
        if name in WORSE_LOW:
            turned[name] = -turned[name]
        elif name == BRIGHTNESS:
            turned[name] = (turned[name] - turned[name].median()).abs()
    return turned.assign(**{BADNESS: badness(measures)})


def _drawn(
    statistic: Callable[[np.ndarray], np.ndarray],
    poor: np.ndarray,
    patients: np.ndarray,
    of: QualityTruth | PiePoor,
) -> np.ndarray:
    """(draws,) of the statistic over patients; empty where there are too few on a side."""
    sides = (pd.unique(patients[poor]).size, pd.unique(patients[~poor]).size)
    if min(sides) < FEWEST_PATIENTS:
        return np.array([])
    codes, names = pd.factorize(patients)
    counts = bootstrap.resample_counts(len(names), of.draws, of.seed)
    parts = range(0, of.draws, DRAWS_AT_ONCE)
    return np.concatenate([statistic(counts[at : at + DRAWS_AT_ONCE][:, codes]) for at in parts])
