"""Whether PIEs are better or worse images than others, one measure at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis import bootstrap
from core.study.columns import Column, Columns, Unit, interval

# Draws worked on at a time: what bounds the memory at 25,596 images.
DRAWS_AT_ONCE = 50
DIFFERENCES = Columns(
    Column("measure", "blur, brightness, contrast, entropy, black_share or white_share."),
    Column("n_pie", "PIEs that could be measured."),
    Column("n_non_pie", "Other test images that could be."),
    Column("pie_median", "Median of the PIEs."),
    Column("non_pie_median", "Median of the others."),
    Column("difference", "P(PIE larger) - P(PIE smaller) of a random PIE and another image: -1 to "
           "1, 0 for no difference."),
    interval(of="its 95 % bootstrap interval over patients"),
    Column("p", "Two-sided p-value of the difference.", Unit.P),
    Column("q", "Benjamini-Hochberg of `p` over the measures.", Unit.P),
)  # fmt: skip


@dataclass(frozen=True)
class PieQuality:
    """DIFFERENCES, one row per measure.

    Takes `Pies`' table (image_id, is_pie), patients (image_id, patient_id) and measures (image_id
    and a column each); missing values are left out of their measure. `difference` is the
    rank-biserial correlation, P(PIE larger) - P(PIE smaller) of a random PIE and another image: -1
    to 1, 0 for no difference. Interval: percentile bootstrap over patients, with PIEs as they were
    found. p: two-sided normal, from the standard error of the same draws; missing, as the interval
    is, where fewer than three patients have a PIE or another image. q: Benjamini-Hochberg over the
    measures.
    """

    confidence: float = bootstrap.CONFIDENCE
    draws: int = bootstrap.DRAWS
    seed: int = bootstrap.SEED

    def __call__(
        self, pies: pd.DataFrame, patients: pd.DataFrame, measures: pd.DataFrame
    ) -> pd.DataFrame:
        rows = pies[["image_id", "is_pie"]]
        for table in (patients[["image_id", "patient_id"]], measures):
            rows = rows.merge(table, on="image_id", validate="one_to_one")
        names = [name for name in measures.columns if name != "image_id"]
        table = pd.DataFrame([self._compared(rows, name) for name in names])
        return table.assign(q=bootstrap.benjamini_hochberg(table["p"].to_numpy(float)))

    def _compared(self, rows: pd.DataFrame, name: str) -> dict[str, object]:
        known = rows[rows[name].notna()]
        values, is_pie = known[name].to_numpy(float), known["is_pie"].to_numpy(bool)
        codes, _ = pd.factorize(known["patient_id"])
        row: dict[str, object] = {
            "measure": name,
            "n_pie": int(is_pie.sum()),
            "n_non_pie": int((~is_pie).sum()),
            "pie_median": np.median(values[is_pie]) if is_pie.any() else np.nan,
            "non_pie_median": np.median(values[~is_pie]) if not is_pie.all() else np.nan,
        }
        nothing = dict.fromkeys(("difference", "ci_low", "ci_high", "p"), np.nan)
        if is_pie.all() or not is_pie.any():
            return row | nothing
        observed = float(rank_biserial(values, is_pie, np.ones((1, len(values))))[0])
        row |= nothing | {"difference": observed}
        if min(len(np.unique(codes[is_pie])), len(np.unique(codes[~is_pie]))) < 3:
            return row
        drawn = self._drawn(values, is_pie, codes)
        low, high = bootstrap.percentile_interval(drawn[:, None], self.confidence)
        error = float(np.nanstd(drawn, ddof=1))
        z = observed / error if error > 0 else np.nan
        p = 1.0 if observed == 0 else float(2 * scipy.stats.norm.sf(abs(z)))
        return row | {"ci_low": float(low[0]), "ci_high": float(high[0]), "p": p}

    def _drawn(self, values: np.ndarray, is_pie: np.ndarray, codes: np.ndarray) -> np.ndarray:
        counts = bootstrap.resample_counts(int(codes.max()) + 1, self.draws, self.seed)
        return np.concatenate(
            [
                rank_biserial(values, is_pie, counts[start : start + DRAWS_AT_ONCE][:, codes])
                for start in range(0, self.draws, DRAWS_AT_ONCE)
            ]
        )


def rank_biserial(values: np.ndarray, is_pie: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,) P(PIE > other) - P(PIE < other) under (draws, images) weights; NaN where a draw
    has only one kind. Kerby, *The simple difference formula*, 2014; ties count for neither."""
    weights = weights.astype(float)
    return weighted_rank_biserial(values, weights * is_pie, weights * ~is_pie)


def weighted_rank_biserial(values: np.ndarray, pies: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(draws,) `rank_biserial` of (draws, images) weights as a PIE and as another image."""
    order = np.argsort(values, kind="stable")
    ties = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    # Weights of each kind up to and including each distinct value, and at it.
    up_to = [np.cumsum(weights[:, order], axis=1)[:, ties] for weights in (pies, others)]
    at = [np.diff(sums, axis=1, prepend=0) for sums in up_to]
    pie_above = (at[0] * (up_to[1] - at[1])).sum(axis=1)
    pie_below = (at[1] * (up_to[0] - at[0])).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (pie_above - pie_below) / (up_to[0][:, -1] * up_to[1][:, -1])
