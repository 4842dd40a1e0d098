"""Benchmarks that run us and the alternative in one run and print the ratio."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Dataset

from core.analysis.metrics import metrics_table
from core.datasets import load_labels
from core.engine.checkpoints import device
from core.engine.losses import bce
from core.engine.models import build_model
from core.engine.pixels import Pixels, decode
from core.engine.preprocessing import to_input, to_unit
from core.engine.pruning import apply_masks, make_masks, prunable_weights
from core.engine.sweep import for_inference, predict
from core.errors import InputError
from core.pictures.images import read_grey
from core.study import store
from core.study.labels import Labels, label_matrix
from core.study.paths import images_dir
from core.study.settings import DatasetSettings, ModelSettings

Say = Callable[[str], None]


@dataclass(frozen=True)
class SweepBench:
    """One sweep of ResNet-50 over `n_images` real X-rays at `image_size`, done three times: the
    published way, ours in fp32, ours in bf16."""

    dataset: DatasetSettings
    n_images: int = 96
    sparsities: tuple[float, ...] = tuple(percent / 100 for percent in range(0, 100, 5))
    image_size: int = 256
    batch_size: int = 16
    training_steps: int = 30
    workers: int = 2

    def __call__(self, say: Say) -> pd.DataFrame:
        """Returns way, seconds, images_per_second, ratio, max_probability_difference,
        max_ap_difference (class AP, against the published way). `say` gets progress lines."""
        labels = load_labels(self.dataset)
        base = images_dir(self.dataset)
        if base is None:
            raise InputError("This study file names no images (dataset.images).")
        rng = np.random.default_rng(0)
        if len(labels.table) < self.n_images + self.batch_size:
            raise InputError(f"{self.n_images} images were asked for; there are fewer to take.")
        order = rng.permutation(len(labels.table))
        subset = labels.table.iloc[np.sort(order[: self.n_images])]
        rest = labels.table.iloc[np.sort(order[self.n_images :])]
        subset_labels = Labels(subset, labels.class_names)
        settings = ModelSettings(architecture="resnet50", image_size=self.image_size)
        model = build_model(settings, len(labels.class_names), seed=0)
        say(f"Training for {self.training_steps} steps on other images, so that APs mean something")
        self._train(model, Labels(rest, labels.class_names), base)

        results = {}
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "resnet50.pt"
            torch.save(model.state_dict(), weights)
            ways: dict[str, Callable[[], dict[float, np.ndarray]]] = {
                "published": lambda: self._published(settings, weights, subset_labels, base, say),
                "ours fp32": lambda: self._ours(model, subset_labels, base, "fp32", folder, say),
                "ours bf16": lambda: self._ours(model, subset_labels, base, "bf16", folder, say),
            }
            for name, way in ways.items():
                started = time.perf_counter()
                probabilities = way()
                results[name] = (time.perf_counter() - started, probabilities)
        return self._compare(results, subset_labels)

    def _published(
        self, settings: ModelSettings, weights: Path, labels: Labels, base: Path, say: Say
    ) -> dict[float, np.ndarray]:
        """Per sparsity: build the model, load, prune, and make a fresh pass over the files."""
        results = {}
        for sparsity in self.sparsities:
            say(f"The published way, {sparsity:.0%}")
            model = build_model(settings, len(labels.class_names), seed=0)
            model.load_state_dict(torch.load(weights, weights_only=True))
            modules = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
            parameters = [(module, "weight") for module in modules]
            prune.global_unstructured(parameters, prune.L1Unstructured, amount=sparsity)
            model.eval().to(device())
            files = [base / path for path in labels.table["path"]]
            loader = DataLoader(
                ImageFiles(files, self.image_size), self.batch_size, num_workers=self.workers
            )
            with torch.no_grad():
                outputs = [torch.sigmoid(model(images.to(device()))).cpu() for images in loader]
            results[sparsity] = torch.cat(outputs).numpy()
        return results

    def _ours(
        self, model: nn.Module, labels: Labels, base: Path, precision: str, folder: str, say: Say
    ) -> dict[float, np.ndarray]:
        """Decode once, then every sparsity, each written to its Parquet file, as a study does."""
        pixels = self._decode(labels, base, Path(folder) / precision)
        network = copy.deepcopy(model).eval()
        dense = {name: w.detach().clone() for name, w in prunable_weights(network).items()}
        results = {}
        for sparsity in self.sparsities:
            say(f"Ours in {precision}, {sparsity:.0%}")
            apply_masks(network, dense, make_masks(dense, "l1_global", sparsity))
            inference = for_inference(network, precision)
            rows = np.arange(len(labels.table))
            results[sparsity] = predict(inference, pixels, rows, self.batch_size, lambda *_: None)
            path = Path(folder) / precision / f"{sparsity}.parquet"
            ids = labels.table["image_id"]
            store.write_predictions(ids, results[sparsity], labels.class_names, path)
        return results

    def _decode(self, labels: Labels, base: Path, folder: Path) -> Pixels:
        return decode(labels, base, self.image_size, folder)

    def _train(self, model: nn.Module, labels: Labels, base: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pixels = self._decode(labels, base, Path(folder))
            targets = label_matrix(labels.table, labels.class_names)
            model.to(device()).to(memory_format=torch.channels_last).train()
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
            rng = np.random.default_rng(1)
            for _ in range(self.training_steps):
                rows = rng.choice(len(targets), self.batch_size, replace=False)
                images = to_input(to_unit(pixels.read(rows), device()))
                loss, n = bce(model(images), torch.from_numpy(targets[rows]).to(device()))
                optimizer.zero_grad()
                (loss / n).backward()
                optimizer.step()
        model.cpu().to(memory_format=torch.contiguous_format).eval()

    def _compare(
        self, results: dict[str, tuple[float, dict[float, np.ndarray]]], labels: Labels
    ) -> pd.DataFrame:
        truth = label_matrix(labels.table, labels.class_names)

        def ap(probabilities: np.ndarray) -> np.ndarray:
            return metrics_table(truth, probabilities, labels.class_names)["ap"].to_numpy()

        slowest, reference = results["published"]
        rows = []
        for way, (seconds, found) in results.items():
            pairs = [(found[s], reference[s]) for s in self.sparsities]
            rows.append(
                {
                    "way": way,
                    "seconds": seconds,
                    "images_per_second": self.n_images * len(self.sparsities) / seconds,
                    "ratio": slowest / seconds,
                    "max_probability_difference": max(np.abs(a - b).max() for a, b in pairs),
                    "max_ap_difference": max(np.nanmax(np.abs(ap(a) - ap(b))) for a, b in pairs),
                }
            )
        return pd.DataFrame(rows)


class ImageFiles(Dataset):
    """Normalised (3, size, size) tensors straight from image files, for the published way."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        grey = read_grey(self.files[index], self.size)[None]
        return to_input(to_unit(grey, torch.device("cpu")))[0].contiguous()
