"""A class whose true AP is known: scores normal in both classes, d' apart, in dense and pruned.

Noise is shared by the images of a patient, by all runs, and by a run's dense and pruned model.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


def true_ap(d_prime: float, prevalence: float) -> float:
    """AP of the whole population: the integral of precision over recall."""
    thresholds = np.linspace(-6, 6 + d_prime, 2001)
    normal = NormalDist()
    recall = np.array([1 - normal.cdf(t - d_prime) for t in thresholds])
    false_rate = np.array([1 - normal.cdf(t) for t in thresholds])
    found = prevalence * recall
    precision = found / (found + (1 - prevalence) * false_rate)
    return float(-np.trapezoid(precision, recall))


def mean_true_ap(d_prime: float, prevalence: float, spread: float) -> float:
    """Over runs whose d' varies normally with `spread` (Gauss-Hermite quadrature)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    values = [true_ap(d_prime + spread * node, prevalence) for node in nodes]
    return float(np.dot(weights, values) / weights.sum())


def d_prime_keeping(share: float, dense: float, prevalence: float, spread: float) -> float:
    """The pruned d' at which `share` of the dense AP is left, by bisection."""
    wanted = share * mean_true_ap(dense, prevalence, spread)
    low, high = 0.0, dense
    for _ in range(24):
        middle = (low + high) / 2
        if mean_true_ap(middle, prevalence, spread) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@dataclass(frozen=True)
class Binormal:
    """`n_patients` with `per_patient` images each, of whom `n_positive` have the class."""

    n_patients: int
    per_patient: int
    n_positive: int
    n_runs: int
    dense: float
    pruned: float
    spread: float = 0.1

    @property
    def prevalence(self) -> float:
        return self.n_positive / self.n_patients

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """labels (images, 1), patients (images,), and per run (dense, pruned), (2, images)."""
        rng = np.random.default_rng(seed)
        patients = np.repeat(np.arange(self.n_patients), self.per_patient)
        ill = np.zeros(self.n_patients)
        ill[rng.permutation(self.n_patients)[: self.n_positive]] = 1
        label, n = ill[patients], len(patients)
        shared = np.sqrt(0.4) * rng.normal(size=self.n_patients)[patients]
        shared += np.sqrt(0.3) * rng.normal(size=n)
        runs = []
        for _ in range(self.n_runs):
            of_run = shared + np.sqrt(0.2) * rng.normal(size=n)
            luck = rng.normal(size=2)
            luck[1] = 0.5 * luck[0] + np.sqrt(0.75) * luck[1]
            signal = np.array([self.dense, self.pruned]) + self.spread * luck
            noise = np.sqrt(0.1) * rng.normal(size=(2, n))
            runs.append(signal[:, None] * label + of_run + noise)
        return label[:, None], patients, runs
