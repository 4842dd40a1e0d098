"""How large a reader study has to be: simulated studies in which PIEs are rated differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE, SEED
from core.analysis.clustered_shares import wilson
from core.analysis.reader import FEWEST_TO_GENERALISE
from core.study.columns import Column, Columns, interval

DIFFERENCE = 0.5  # points of a scale of five: what readers call a difference
STUDIES = 500
LEVEL = 0.05
N_READERS = (3, 4, 6, 8, 12)
N_PAIRS = (10, 20, 40, 80)
READER_POWER = Columns(
    Column("n_readers", "Readers who read every image.", label="Readers"),
    Column("n_images", "Images: half of them PIEs, each with a non-PIE like it.", label="Images"),
    Column("power", "Share of simulated studies whose corrected p is below 0.05."),
    interval("power_ci", "its 95 % interval (Wilson), which is of the number of simulated studies"),
)  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """Standard deviations in points: of images, of the difference over readers, and of what a
    reader would say of the same image another day. Assumptions, until a pilot study tells."""

    image: float = 0.5
    slope: float = 0.2
    rest: float = 0.8


@dataclass(frozen=True)
class ReaderPower:
    """READER_POWER, one row per number of readers and of pairs.

    Answers are drawn on a scale of 1 to 5, rounded, and tested as `reader.mixed_model` tests them:
    with all images read by all, its test is the analysis of variance below. Equal settings give
    equal numbers.
    """

    difference: float = DIFFERENCE
    spread: Spread = Spread()
    studies: int = STUDIES
    seed: int = SEED

    def __call__(
        self, n_readers: Sequence[int] = N_READERS, n_pairs: Sequence[int] = N_PAIRS
    ) -> pd.DataFrame:
        rows, z = [], scipy.stats.norm.ppf((1 + CONFIDENCE) / 2)
        for readers in n_readers:
            for pairs in n_pairs:
                share = np.array([(self._p(readers, pairs) < LEVEL).mean()])
                low, high = wilson(share, np.array([float(self.studies)]), z)
                row = (readers, 2 * pairs, float(share[0]), float(low[0]), float(high[0]))
                rows.append(dict(zip(READER_POWER, row, strict=True)))
        return pd.DataFrame(rows)

    def _p(self, n_readers: int, n_pairs: int) -> np.ndarray:
        """(studies,) p-values."""
        rng = np.random.default_rng([self.seed, n_readers, n_pairs])
        shape = (self.studies, n_readers, n_pairs)
        of_reader = self.difference + rng.normal(0, self.spread.slope, (*shape[:2], 1))
        sides = []
        for sign in (0.5, -0.5):
            of_image = rng.normal(0, self.spread.image, (self.studies, 1, n_pairs))
            rest = rng.normal(0, self.spread.rest, shape)
            sides.append((3 + sign * of_reader + of_image + rest).round().clip(1, 5))
        return paired_p(sides[0] - sides[1])


def paired_p(differences: np.ndarray) -> np.ndarray:
    """(studies,) two-sided p of the mean of (studies, readers, pairs) differences, pairs crossed
    with readers, both random; below FEWEST_TO_GENERALISE readers, pairs only.

    Degrees of freedom as in `reader.mixed_model`. 1 where all differences are equal.
    """
    _, n_readers, n_pairs = differences.shape
    mean = differences.mean(axis=(1, 2))
    of_reader, of_pair = differences.mean(axis=2), differences.mean(axis=1)
    ms_reader = n_pairs * of_reader.var(axis=1, ddof=1)
    ms_pair = n_readers * of_pair.var(axis=1, ddof=1)
    rest = differences - of_reader[:, :, None] - of_pair[:, None] + mean[:, None, None]
    ms_rest = (rest**2).sum(axis=(1, 2)) / ((n_readers - 1) * (n_pairs - 1))
    if n_readers < FEWEST_TO_GENERALISE:
        variance, df = ms_pair, np.full(len(mean), n_pairs - 1.0)
    else:
        # As restricted maximum likelihood has it, no part is below what is left.
        of_readers, of_images = np.maximum(ms_reader, ms_rest), np.maximum(ms_pair - ms_rest, 0)
        variance = of_readers + of_images
        parts = of_readers**2 / (n_readers - 1) + of_images**2 / (n_pairs - 1)
        df = np.divide(variance**2, parts, out=np.ones_like(parts), where=parts > 0)
    error = np.sqrt(variance / (n_readers * n_pairs))
    t = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    return np.asarray(2 * scipy.stats.t.sf(np.abs(t), df))
