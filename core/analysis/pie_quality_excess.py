"""Whether pruning, and not training again, sets images of other quality apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis import pie_null
from core.analysis.bootstrap import CONFIDENCE, SEED, benjamini_hochberg
from core.analysis.pie_excess import EXCESS, normal_interval
from core.analysis.pie_quality import DIFFERENCES, weighted_rank_biserial
from core.study.columns import Column, Columns, Unit, interval

QUALITY_EXCESS = Columns(
    Column("pruned_difference", "The difference for PIEs of single pruned against single dense "
           "models of other runs, by ranks within class."),
    *(EXCESS[end] for end in ("pruned_ci_low", "pruned_ci_high")),
    Column("dense_difference", "The same of dense against dense models."),
    Column("difference_of_differences", "`pruned_difference` minus `dense_difference`: 0 where "
           "pruning adds nothing (corrected)."),
    interval("dod_ci", "its 95 % interval over runs and patients"),
    Column("dod_p", "Two-sided p-value that it is 0. All of these are missing below 3 runs.",
           Unit.P),
    Column("dod_q", "Benjamini-Hochberg of `dod_p` over the measures.", Unit.P),
)  # fmt: skip
PIE_QUALITY = Columns(
    DIFFERENCES, QUALITY_EXCESS,
    what="Whether PIEs are worse images.", row="a measure of image quality",
)  # fmt: skip
# The measures of `pictures.quality` whose high values are worse, and those whose low ones are. Of
# brightness both ends are: there, the distance from the median of the test images counts.
WORSE_HIGH = ("blur", "black_share", "white_share")
WORSE_LOW = ("contrast", "entropy")
BRIGHTNESS = "brightness"
BADNESS = "badness"  # the name of what `badness` gives, as a measure


def badness(measures: pd.DataFrame) -> pd.Series:
    """(images,) mean share of rank over the measures there are, each turned so that higher is
    worse; missing where one is. One number fixed beforehand, so that no measure can be picked."""
    parts = [measures[name] for name in WORSE_HIGH if name in measures]
    parts += [-measures[name] for name in WORSE_LOW if name in measures]
    if BRIGHTNESS in measures:
        parts.append((measures[BRIGHTNESS] - measures[BRIGHTNESS].median()).abs())
    return pd.concat(parts, axis=1).rank(pct=True).mean(axis=1, skipna=False)


@dataclass(frozen=True)
class PieQualityExcess:
    """measure and QUALITY_EXCESS.

    Takes measures ((images,) columns in test-set order), (images,) patient numbers and
    `PairAgreements`. pruned_difference and dense_difference: `rank_biserial` of the PIEs of dense
    against pruned and of dense against dense models. Intervals: estimate +- 1.96 standard
    deviations over pigeonhole draws of runs and patients, PIEs found again in each; p from the
    same, q by Benjamini-Hochberg over the measures without BADNESS, which sums them up. Missing
    below LEAST_RUNS runs.
    """

    confidence: float = CONFIDENCE
    draws: int = pie_null.DRAWS
    seed: int = SEED

    def __call__(
        self,
        n_runs: int,
        found: pie_null.PairAgreements,
        patients: np.ndarray,
        measures: pd.DataFrame,
    ) -> pd.DataFrame:
        names = [name for name in measures.columns if name != "image_id"]
        table = pd.DataFrame({"measure": names})
        if n_runs < pie_null.LEAST_RUNS:
            return table.assign(**dict.fromkeys(QUALITY_EXCESS, np.nan))
        drawn = self._drawn(n_runs, found, patients, measures[names].to_numpy(float))
        table["pruned_difference"] = drawn[0, 0]
        low, high, _ = normal_interval(drawn[0], self.confidence)
        table = table.assign(pruned_ci_low=low, pruned_ci_high=high, dense_difference=drawn[1, 0])
        change = drawn[0] - drawn[1]
        table["difference_of_differences"] = change[0]
        table["dod_ci_low"], table["dod_ci_high"], table["dod_p"] = normal_interval(
            change, self.confidence
        )
        p = table["dod_p"].where(table["measure"] != BADNESS).to_numpy(float)
        return table.assign(dod_q=benjamini_hochberg(p))

    def _drawn(
        self, n_runs: int, found: pie_null.PairAgreements, patients: np.ndarray, values: np.ndarray
    ) -> np.ndarray:
        """(sides, 1 + draws, measures)."""
        known = ~np.isnan(values)
        pairs, parts = pie_null.pairs_of_runs(n_runs), []
        for draw in pie_null.pigeonhole_draws(n_runs, pairs, patients, self.draws, self.seed):
            part = np.full((2, len(draw.of_images), values.shape[1]), np.nan)
            for side, agreements in enumerate((found.cross, found.null)):
                pies = pie_null.drawn_pies(agreements, draw)
                others = draw.of_images - pies
                for at, there in enumerate(known.T):
                    if there.any():
                        part[side, :, at] = weighted_rank_biserial(
                            values[there, at], pies[:, there], others[:, there]
                        )
            parts.append(part)
        return np.concatenate(parts, axis=1)
