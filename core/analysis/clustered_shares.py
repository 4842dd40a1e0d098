"""Shares of images, with intervals that know that a patient's images are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # its submodules load when first used, not while the dashboard starts

from core.analysis.bootstrap import CONFIDENCE


@dataclass(frozen=True)
class Shares:
    """(classes,) each: the share of the counted images that meet something, and its interval; NaN
    where no image is counted. n and n_patients: counted images, and the patients they are of."""

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    n_patients: np.ndarray


class PatientShares:
    """Shares of the counted images, by class, of whatever is asked of them.

    counted: (images, classes) bool. patients: (images,) of any kind. What does not depend on the
    question is worked out once.

    The interval is Wilson's (Wilson, JASA 1927) with an effective number of images (Korn and
    Graubard, Survey Methodology 1998). Let n images be of K patients, m_k of patient k, c_k of
    them met, p = sum c_k / n. The variance of p over patients, by linearisation, is
    v = K / (K - 1) * sum (c_k - p m_k)^2 / n^2, and n_eff = p (1 - p) / v, which is n over the
    design effect. It is at most n: that patients differ less than chance would have it gives no
    image extra.
    Where p is 0 or 1, or K is 1, there is no variance to estimate, and n_eff = K: as if the images
    of one patient were one image. v is estimated from K patients, so the normal quantile z moves
    towards Student's t with K - 1 degrees of freedom, as far as images share patients:
    q^2 = z^2 + (t^2 - z^2) (1 - K / n). With one image each it is Wilson's own interval.

    Simulated coverage (tests/analysis/test_operating_characteristics.py): 92 to 98 % for 10 to
    1,000 images from 10 patients on. With fewer patients it is 92 to 100 %: too wide, not too
    narrow. Ten independent images give Wilson's own 91 to 99 %: so few outcomes are possible.
    """

    def __init__(self, counted: np.ndarray, patients: np.ndarray) -> None:
        codes = np.unique(np.asarray(patients), return_inverse=True)[1]
        self.order = np.argsort(codes, kind="stable")
        self.starts = np.flatnonzero(np.diff(codes[self.order], prepend=-1))
        self.counted = counted[self.order]
        self.of_patient = self._by_patient(self.counted)
        self.n = self.of_patient.sum(axis=0)
        self.n_patients = (self.of_patient > 0).sum(axis=0)

    def _by_patient(self, kept: np.ndarray) -> np.ndarray:
        if not len(kept):
            return np.zeros((0, kept.shape[1]), np.int64)
        return np.add.reduceat(kept.astype(np.int32), self.starts, axis=0).astype(np.int64)

    def __call__(self, met: np.ndarray, confidence: float = CONFIDENCE) -> Shares:
        """met: (images, classes) bool, in the order of `counted`."""
        found = self._by_patient(met[self.order] & self.counted)
        n, k = self.n.astype(float), self.n_patients.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = found.sum(axis=0) / n
            squares = ((found - p * self.of_patient) ** 2).sum(axis=0)
            effective = p * (1 - p) * n**2 / (k / (k - 1) * squares)
            nothing = (p == 0) | (p == 1) | (k < 2)
            effective = np.where(nothing, k, np.clip(effective, 1, n))
            z = scipy.stats.norm.ppf((1 + confidence) / 2)
            t = scipy.stats.t.ppf((1 + confidence) / 2, np.maximum(k - 1, 1))
            quantile = np.sqrt(z**2 + (t**2 - z**2) * (1 - k / n))
            low, high = wilson(p, effective, quantile)
        return Shares(p, low, high, self.n, self.n_patients)


def wilson(
    share: np.ndarray, n: np.ndarray, quantile: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a share of n; NaN where n is 0."""
    square = quantile**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n**2))
    # Rounding must not push the end of a share of 0 or 1 past it.
    low = np.where(share == 0, 0.0, np.maximum(middle - half, 0))
    high = np.where(share == 1, 1.0, np.minimum(middle + half, 1))
    known = ~np.isnan(share)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
