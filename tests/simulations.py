"""Seeded predictions of both datasets' shapes: a long tail of classes, several images a patient,
runs that differ, and signal that fades with sparsity. Nothing of the product's analysis in here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.analysis.metrics import metrics_table
from core.study.labels import NO_FINDING, Labels, label_matrix

GRID = tuple(percent / 100 for percent in range(0, 100, 5))
N_CLASSES = {"nih-cxr-lt": 20, "mimic-cxr-lt": 19}


@dataclass(frozen=True)
class Simulation:
    """labels, test-split matrix, probabilities (runs, sparsities, images, classes), the grid."""

    labels: Labels
    matrix: np.ndarray
    probabilities: np.ndarray
    sparsities: tuple[float, ...]

    @property
    def class_names(self) -> list[str]:
        return list(self.labels.class_names)

    @property
    def test(self) -> pd.DataFrame:
        return self.labels.split("test")

    def class_metrics(self) -> pd.DataFrame:
        return metrics_of(self.matrix, self.probabilities, self.class_names, self.sparsities)


def simulate(
    dataset: str = "nih-cxr-lt",
    n_images: int = 1000,
    n_runs: int = 4,
    sparsities: tuple[float, ...] = GRID,
    seed: int = 0,
) -> Simulation:
    """A test split of n_images and as many training images; classes 1.. are findings, the last
    but one is so rare that few test images carry it, the last is "No Finding"."""
    rng = np.random.default_rng(seed)
    n_findings = N_CLASSES[dataset] - 1
    frequencies = np.geomspace(0.25, 0.006, n_findings)
    n_all = 2 * n_images
    patients = np.sort(rng.integers(0, n_all // 3, n_all))
    tendency = rng.normal(size=(n_all, 1))  # ill images carry several findings
    chance = frequencies * np.exp(0.8 * tendency - 0.32)
    matrix = (rng.random((n_all, n_findings)) < chance).astype(int)
    names = (*(f"Finding {i:02d}" for i in range(n_findings)), NO_FINDING)
    table = pd.DataFrame(matrix, columns=names[:-1])
    table[NO_FINDING] = (matrix.sum(axis=1) == 0).astype(int)
    table.insert(0, "image_id", [f"image-{i:06d}" for i in range(n_all)])
    table.insert(1, "patient_id", [f"patient-{i:05d}" for i in patients])
    table.insert(2, "path", table["image_id"])
    table.insert(3, "split", np.where(patients < np.median(patients), "test", "train"))
    labels = Labels(table, names)
    truth = label_matrix(labels.split("test"), names)
    probabilities = fading_probabilities(truth, n_runs, sparsities, seed + 1)
    return Simulation(labels, truth, probabilities, sparsities)


def fading_probabilities(
    truth: np.ndarray, n_runs: int, sparsities: tuple[float, ...], seed: int
) -> np.ndarray:
    """(runs, sparsities, images, classes) float32; rarer classes, further right, fade earlier."""
    rng = np.random.default_rng(seed)
    shape = (n_runs, 1, *truth.shape)
    image_noise, run_noise = rng.normal(size=(1, 1, *truth.shape)), rng.normal(size=shape)
    pruning_noise = rng.normal(size=(n_runs, len(sparsities), *truth.shape))
    s = np.asarray(sparsities)[None, :, None, None]
    earliness = np.linspace(6, 1.5, truth.shape[1])
    signal = 2.2 * (1 - s**earliness) * np.nan_to_num(truth)
    logits = signal + 0.8 * image_noise + 0.5 * run_noise + 0.5 * s * pruning_noise - 2.5
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def metrics_of(
    truth: np.ndarray, probabilities: np.ndarray, names: list[str], sparsities: tuple[float, ...]
) -> pd.DataFrame:
    """The class metrics table of (runs, sparsities, images, classes) probabilities."""
    cells = [
        metrics_table(truth, probabilities[run, at], names).assign(run=run, sparsity=sparsity)
        for run in range(len(probabilities))
        for at, sparsity in enumerate(sparsities)
    ]
    return pd.concat(cells, ignore_index=True)


def metrics_frame(values: np.ndarray, sparsities: tuple[float, ...] = GRID) -> pd.DataFrame:
    """A class metrics table whose ap, calibrated_ap and auroc are (runs, classes, sparsities)."""
    runs, classes, _ = values.shape
    keys = pd.MultiIndex.from_product(
        [range(runs), [f"Finding {i:02d}" for i in range(classes)], sparsities],
        names=["run", "class_name", "sparsity"],
    )
    table = pd.DataFrame({"ap": values.ravel()}, index=keys).reset_index()
    return table.assign(n_positive=20, calibrated_ap=table["ap"], auroc=table["ap"])


def noisy_metrics(
    n_runs: int, n_classes: int, loss: np.ndarray, noise: float, seed: int, grid=GRID
) -> pd.DataFrame:
    """Metrics of mean 0.6 * (1 - loss[sparsity]), with independent noise per run and cell."""
    rng = np.random.default_rng(seed)
    mean = 0.6 * (1 - loss)[None, None, :]
    return metrics_frame(mean + noise * rng.normal(size=(n_runs, n_classes, len(grid))), grid)


def prevalence_metrics(d_primes: tuple[float, ...], seed: int = 0) -> pd.DataFrame:
    """methods.md: twenty classes of identical separability, prevalences 0.004 to 0.57, 25,596
    images; one run whose "sparsities" are d' falling from the first value."""
    rng = np.random.default_rng(seed)
    n, prevalences = 25_596, np.geomspace(0.004, 0.57, 20)
    names = [f"Finding {i:02d}" for i in range(20)]
    truth = np.zeros((n, 20))
    for column, prevalence in enumerate(prevalences):
        truth[rng.permutation(n)[: round(prevalence * n)], column] = 1
    noise = rng.normal(size=truth.shape)
    steps = np.stack([noise + d * truth for d in d_primes])[None]
    grid = tuple(i / len(d_primes) for i in range(len(d_primes)))
    table = metrics_of(truth, steps, names, grid)
    return table.assign(
        prevalence=table["class_name"].map(dict(zip(names, prevalences, strict=True)))
    )
