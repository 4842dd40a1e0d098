"""Whole studies on disk as `prunescope import-predictions DIR --labels-dir LABELS --dataset table
--study NAME` reads them: binormal scores, whose true Somers' D is known for every class, sparsity.

The noise of a score has variance 1 in every model, so that D = 2 Phi(d' / sqrt(2)) - 1, and parts:
shared by an image over all models, of a run (its dense and pruned models), of one model, whose
part grows with sparsity. Nothing of the product's analysis in here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd

GRID = tuple(percent / 100 for percent in range(0, 100, 5))
KINDS = ("null", "frequent-first", "rare-first", "onset")
Kind = Literal["null", "frequent-first", "rare-first", "onset"]
DENSE_D_PRIME, LAST_D_PRIME = 1.7, 0.3
STEEPNESS = 4.0  # of the loss over sparsity; of `onset` 6
ONSET_MEAN, ONSET_LOSS = 0.65, 0.20

_normal = NormalDist()
_phi = np.vectorize(_normal.cdf, otypes=[float])
_quantile = np.vectorize(_normal.inv_cdf, otypes=[float])


def somers_d(d_prime: np.ndarray, spread: float = 0.0) -> np.ndarray:
    """True Somers' D; where d' varies normally over runs, with SD `spread`, its mean."""
    return 2 * _phi(np.asarray(d_prime) / np.sqrt(2 + spread**2)) - 1


def d_prime(somers: np.ndarray, spread: float = 0.0) -> np.ndarray:
    return np.sqrt(2 + spread**2) * _quantile((np.asarray(somers) + 1) / 2)


@dataclass(frozen=True)
class Design:
    """What studies are drawn from; `Design(kind="onset").draw(seed)` is one of them.

    kind: "null": all classes equally separable and equally forgotten. "frequent-first": the true
    relative change of D at 95 % falls by `slope` per tenfold frequency, "rare-first": it rises.
    "onset": the true sparsity at which 20 % of D is gone correlates at `correlation` with log10
    frequency, with scatter from class to class that is drawn anew; `exact`: just so in every study,
    else in the population of classes that the study's come from.
    """

    kind: Kind = "null"
    n_test: int = 2300
    n_train: int = 6900
    n_runs: int = 3
    n_classes: int = 20
    prevalences: tuple[float, float] = (0.5, 0.003)
    sparsities: tuple[float, ...] = GRID
    images_per_patient: float = 1.0
    slope: float = 0.15
    correlation: float = 0.77
    exact: bool = True
    onset_sd: float = 0.10
    class_sd: float = 0.0  # of the loss at 95 %, from class to class and whatever the frequency
    image_share: float = 0.5  # of the noise that is not the model's own
    common_share: float = 0.2  # of an image's noise, the part that all its classes share
    own_noise: tuple[float, float] = (0.05, 0.60)  # a model's own part, dense and at 95 %
    run_spread: float = 0.1  # SD of d' over runs, per class
    offsets: bool = False  # logits of a class around logit(prevalence)
    tendency: float = 0.15  # correlation of labels' liabilities: ill images carry several findings
    patient_share: float = 0.4  # of liabilities and of an image's noise, the patient's part

    @property
    def class_names(self) -> tuple[str, ...]:
        """Most frequent first."""
        return tuple(f"Finding {i:02d}" for i in range(self.n_classes))

    @property
    def frequencies(self) -> np.ndarray:
        return np.geomspace(*self.prevalences, self.n_classes)

    def true_retained(self, scatter: np.ndarray) -> np.ndarray:
        """(classes, sparsities): true D over true D of the dense model; scatter (classes,)."""
        grid, logs = np.array(self.sparsities), np.log10(self.frequencies)
        if self.kind == "onset":
            steep = 6.0
            scale = self.true_onsets(scatter) / (-np.log(1 - ONSET_LOSS)) ** (1 / steep)
            return np.exp(-((grid / scale[:, None]) ** steep))
        ends = somers_d(np.array([DENSE_D_PRIME, LAST_D_PRIME]), self.run_spread)
        lost = np.full(len(logs), 1 - ends[1] / ends[0])
        sign = {"null": 0, "frequent-first": 1, "rare-first": -1}[self.kind]
        # Around a smaller loss, so that the class that loses most keeps something.
        lost += sign * self.slope * (logs - logs.mean()) - 0.08 * abs(sign)
        lost += self.class_sd * scatter
        return 1 - np.clip(lost, 0, 1)[:, None] * (grid / 0.95) ** STEEPNESS

    def true_onsets(self, scatter: np.ndarray) -> np.ndarray:
        """(classes,): of "onset", the sparsity at which 20 % of D is gone."""
        logs = np.log10(self.frequencies)
        z = (logs - logs.mean()) / logs.std()
        rest = scatter
        if self.exact:
            rest = scatter - scatter.mean()
            rest -= (rest @ z) / (z @ z) * z
            rest /= rest.std()
        r = self.correlation
        onsets = ONSET_MEAN + self.onset_sd * (r * z + np.sqrt(1 - r**2) * rest)
        return np.maximum(onsets, 0.05)

    def draw(self, seed: int) -> Study:
        return Study(self, seed)


@dataclass(frozen=True)
class Study:
    design: Design
    seed: int

    @cached_property
    def retained(self) -> np.ndarray:
        """(classes, sparsities): true D over true D of the dense model."""
        scatter = np.random.default_rng([self.seed, 1]).normal(size=self.design.n_classes)
        return self.design.true_retained(scatter)

    @cached_property
    def onsets(self) -> np.ndarray:
        """(classes,): the true sparsity at which 20 % of D is gone, between grid points on a line
        as the product takes it; 1 where it never is."""
        falls, grid = self.retained, np.array(self.design.sparsities)
        found = np.ones(len(falls))
        for at, curve in enumerate(falls):
            after = int(np.argmax(curve < 1 - ONSET_LOSS))
            if after:
                found[at] = np.interp(
                    ONSET_LOSS - 1, -curve[after - 1 : after + 1], grid[after - 1 : after + 1]
                )
        return found

    @cached_property
    def labels(self) -> pd.DataFrame:
        """id, patient_id, split and a column of 0 and 1 per class; test images first."""
        design, rng = self.design, np.random.default_rng([self.seed, 2])
        n = design.n_test + design.n_train
        # No patient has images in both splits.
        parts = [_patients(rng, m, design.images_per_patient) for m in (design.n_test, n)]
        patients = np.append(parts[0], parts[0].max() + 1 + parts[1][: design.n_train])
        common = _normals(rng, patients, n, 1, design)
        own = _normals(rng, patients, n, design.n_classes, design)
        liability = np.sqrt(design.tendency) * common + np.sqrt(1 - design.tendency) * own
        truth = (liability > _quantile(1 - design.frequencies)).astype(np.int8)
        table = pd.DataFrame(truth, columns=list(design.class_names))
        table.insert(0, "id", [f"image-{i:06d}" for i in range(n)])
        table.insert(1, "patient_id", [f"patient-{i:05d}" for i in patients])
        table.insert(2, "split", np.where(np.arange(n) < design.n_test, "test", "train"))
        return table

    @property
    def truth(self) -> np.ndarray:
        """(test images, classes) float32 of 0 and 1."""
        names = list(self.design.class_names)
        return self.labels[names].to_numpy(np.float32)[: self.design.n_test]

    @property
    def patients(self) -> np.ndarray:
        return self.labels["patient_id"].to_numpy()[: self.design.n_test]

    @property
    def train_frequencies(self) -> np.ndarray:
        names = list(self.design.class_names)
        return self.labels[names].to_numpy()[self.design.n_test :].mean(axis=0)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(runs, sparsities, test images, classes) float32."""
        design, rng = self.design, np.random.default_rng([self.seed, 3])
        truth, codes = self.truth, pd.factorize(self.patients)[0]
        shape = truth.shape
        image = np.sqrt(design.common_share) * _normals(rng, codes, len(codes), 1, design)
        of_class = _normals(rng, codes, *shape, design)
        image = np.sqrt(design.image_share) * (
            image + np.sqrt(1 - design.common_share) * of_class
        ).astype(np.float32)
        grid = np.array(design.sparsities)
        low, high = design.own_noise
        own = low + (high - low) * (grid / 0.95) ** 2
        dense = somers_d(DENSE_D_PRIME, design.run_spread)
        mean = d_prime(np.clip(dense * self.retained, -0.9999, 0.9999), design.run_spread)
        found = np.empty((design.n_runs, len(grid), *shape), np.float32)
        offset = np.full(design.n_classes, -2.0)
        if design.offsets:
            offset = np.log(design.frequencies / (1 - design.frequencies))
        for run in range(design.n_runs):
            of_run = np.sqrt(1 - design.image_share) * rng.standard_normal(shape, np.float32)
            steady = image + of_run.astype(np.float32)
            luck = rng.normal(size=design.n_classes)  # half a run's, half a model's
            for at, share in enumerate(own):
                here = np.sqrt(0.5) * (luck + rng.normal(size=design.n_classes))
                signal = (mean[:, at] + design.run_spread * here).astype(np.float32)
                noise = rng.standard_normal(shape, np.float32)
                logit = signal * truth + np.float32(np.sqrt(1 - share)) * steady
                logit += np.float32(np.sqrt(share)) * noise + offset.astype(np.float32)
                found[run, at] = 1 / (1 + np.exp(-logit))
        return found

    def write(self, folder: Path) -> tuple[Path, Path]:
        """(DIR, LABELS) of `import-predictions`, in `folder`."""
        predictions, labels = folder / "predictions", folder / "labels.parquet"
        predictions.mkdir(parents=True)
        self.labels.to_parquet(labels, index=False)
        ids = self.labels["id"][: self.design.n_test]
        for run, cells in enumerate(self.probabilities):
            for sparsity, values in zip(self.design.sparsities, cells, strict=True):
                table = pd.DataFrame(values, columns=list(self.design.class_names))
                table.insert(0, "id", ids)
                name = f"table_simulated_seed-{run}_prune-{sparsity:g}.parquet"
                table.to_parquet(predictions / name, index=False, compression=None)
        return predictions, labels


def _patients(rng: np.random.Generator, n_images: int, per_patient: float) -> np.ndarray:
    """(images,) numbers of patients, sorted; every patient has 1 + Poisson images."""
    if per_patient == 1:
        return np.arange(n_images)
    counts = 1 + rng.poisson(per_patient - 1, n_images)
    return np.repeat(np.arange(n_images), counts)[:n_images]


def _normals(
    rng: np.random.Generator, patients: np.ndarray, n: int, columns: int, design: Design
) -> np.ndarray:
    """(n, columns) standard normal, of which images of a patient share `patient_share`."""
    own = rng.standard_normal((n, columns), np.float32)
    if design.images_per_patient == 1:
        return own
    shared = rng.standard_normal((patients.max() + 1, columns), np.float32)[patients]
    share = design.patient_share
    return np.sqrt(np.float32(share)) * shared + np.sqrt(np.float32(1 - share)) * own
