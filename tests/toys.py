"""Small studies written straight to disk, without torch, whose numbers can be worked out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from core.analysis.metrics import ClassLabels, ClassMetrics, metrics_table
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix

TOY_CLASSES = ("Effusion", "Nodule", "Cardiomegaly", "Hernia", "No Finding")
TOY_FREQUENCIES = (0.30, 0.12, 0.05, 0.008)


def toy_config(name: str = "toy", images: Path = Path("images"), **sections: dict) -> StudyConfig:
    """A valid config of a two-run `table` study; keyword arguments replace whole sections."""
    raw = {
        "study": {"name": name, "title": f"Toy study {name}"},
        "dataset": {"kind": "table", "images": images, "labels": images / "labels.csv"},
        "model": {"architecture": "resnet_small", "image_size": 32},
        "runs": {"count": 2},
        "sweep": {"sparsities": [0, 0.5, 0.9, 0.95]},
    }
    return StudyConfig.model_validate(raw | sections)


def toy_labels(
    n_images: int = 400,
    seed: int = 0,
    class_names: tuple[str, ...] = TOY_CLASSES,
    frequencies: tuple[float, ...] = TOY_FREQUENCIES,
) -> Labels:
    """Independent findings at given frequencies, last class "No Finding"; two images a patient."""
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_images, len(frequencies))) < frequencies).astype(int)
    table = pd.DataFrame(matrix, columns=class_names[:-1])
    table[class_names[-1]] = (matrix.sum(axis=1) == 0).astype(int)
    number = np.arange(n_images)
    table.insert(0, "image_id", [f"image-{i:05d}.png" for i in number])
    table.insert(1, "patient_id", [f"patient-{i // 2:04d}" for i in number])
    table.insert(2, "path", table["image_id"])
    table.insert(3, "split", np.where(number < n_images // 2, "train", "test"))
    table["age"] = rng.integers(20, 90, n_images)
    table["view"] = rng.choice(["PA", "AP"], n_images)
    return Labels(table, class_names)


def toy_probabilities(
    matrix: np.ndarray, sparsity: float, run: int, noise_per_class: np.ndarray
) -> np.ndarray:
    """Signal that fades with sparsity, faster for classes with more `noise_per_class`."""
    rng = np.random.default_rng([run, 7])  # the same noise at every sparsity of a run
    noise = rng.normal(size=matrix.shape)
    signal = 3 * (1 - sparsity * noise_per_class) * np.nan_to_num(matrix)
    return (1 / (1 + np.exp(-(signal + noise - 2)))).astype(np.float32)


def write_toy_study(
    name: str = "toy", n_images: int = 400, config: StudyConfig | None = None, images: bool = True
) -> Path:
    """A finished study below the cache folder in force; returns its folder."""
    image_folder = paths.cache_dir() / "toy-images"
    config = config or toy_config(name, image_folder)
    labels = toy_labels(n_images)
    folder = paths.study_dir(config)
    test = labels.split("test")
    if images:
        image_folder.mkdir(parents=True, exist_ok=True)
        ramp = np.linspace(0, 255, 64 * 48).reshape(64, 48)
        for row, path in enumerate(labels.table["path"]):
            Image.fromarray(np.roll(ramp, row).astype(np.uint8)).save(image_folder / path)
    store.write_labels(labels, folder)
    noise = np.linspace(0.2, 1.0, len(labels.class_names))
    matrix = label_matrix(test, labels.class_names)
    cells = []
    runs = list(range(config.runs.count))
    for run in runs:
        for sparsity in config.sweep.sparsities:
            probabilities = toy_probabilities(matrix, sparsity, run, noise)
            path = paths.prediction_path(folder, run, sparsity)
            store.write_predictions(test["image_id"], probabilities, labels.class_names, path)
            cell = metrics_table(matrix, probabilities, labels.class_names)
            cells.append(cell.assign(run=run, sparsity=sparsity))
    for sparsity in config.sweep.sparsities:
        store.write_ensemble(folder, runs, sparsity, test["image_id"], labels.class_names)
    metrics = pd.concat(cells, ignore_index=True)[store.CLASS_METRICS.names]
    store.write_table(metrics, paths.class_metrics_path(folder))
    provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
    store.write_json(provenance, paths.study_json(folder))
    return folder


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> ClassMetrics:
    """The metrics of one class: (images,) of 1, 0, NaN and (images,) of numbers."""
    return ClassLabels.of(np.asarray(labels, float)[:, None])[0].measure(probabilities)
