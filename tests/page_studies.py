"""Studies for the pages: a large one as in the paper, and one with everything odd in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from core.analysis.metrics import metrics_table
from core.pictures.repairs import counted
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix
from tests.toys import toy_config, toy_labels, toy_probabilities

LARGE_CLASSES = (
    "Infiltration", "Effusion", "Atelectasis", "Nodule", "Mass", "Consolidation",
    "Pneumothorax", "Pleural Thickening", "Cardiomegaly", "Emphysema", "Edema",
    "Subcutaneous Emphysema", "Fibrosis", "Tortuous Aorta", "Calcification of the Aorta",
    "Pneumonia", "Pneumoperitoneum", "Hernia", "Pneumomediastinum", "No Finding",
)  # fmt: skip
# A long tail from 17 % to 0.3 %.
LARGE_FREQUENCIES = tuple(0.17 * (0.003 / 0.17) ** (rank / 18) for rank in range(19))
ODD_CLASSES = (
    'He said "<b>mass</b>" & left',
    "<img src=x onerror=alert(1)>",
    "*bold* _it_ $x^2$ [a](b) :red[c] %{x}",
    "Épanchement pleural 胸腔积液",
    "A name so long that no axis, no legend and no narrow telephone screen will ever hold it",
    "42",
    "Never seen",
    "No Finding",
)
ODD_FREQUENCIES = (0.3, 0.12, 0.05, 0.1, 0.08, 0.2, 0.0)


def write_study(
    config: StudyConfig,
    labels: Labels,
    image_shape: tuple[int, int] | None = None,
    constant_images: int = 0,
    skipped: tuple[str, ...] = (),
    repairs: tuple[tuple[str, list[str]], ...] = (),
) -> Path:
    """A finished study of `labels`; the first `constant_images` have no ranking when pruned."""
    folder = paths.study_dir(config)
    test = labels.split("test")
    names = labels.class_names
    if image_shape:
        _write_images(config.dataset.images, test["path"], image_shape)
    store.write_labels(labels, folder)
    matrix = label_matrix(test, names)
    fading = np.linspace(0.2, 1.0, len(names))
    cells = []
    runs = list(range(config.runs.count))
    for run in runs:
        for sparsity in config.sweep.sparsities:
            probabilities = toy_probabilities(matrix, sparsity**3, run, fading)
            if sparsity > 0:
                probabilities[:constant_images] = 0.5
            path = paths.prediction_path(folder, run, sparsity)
            store.write_predictions(test["image_id"], probabilities, names, path)
            cell = metrics_table(matrix, probabilities, names)
            cells.append(cell.assign(run=run, sparsity=sparsity))
    for sparsity in config.sweep.sparsities:
        store.write_ensemble(folder, runs, sparsity, test["image_id"], names)
    metrics = pd.concat(cells, ignore_index=True)[store.CLASS_METRICS.names]
    store.write_table(metrics, paths.class_metrics_path(folder))
    skipped_images = [{"image_id": name, "reason": "it is empty"} for name in skipped]
    provenance = {
        "config": config.model_dump(mode="json"),
        "skipped_images": skipped_images,
        "image_repairs": counted(repairs),
    }
    store.write_json(provenance, paths.study_json(folder))
    return folder


def with_validation(folder: Path, every: int = 2) -> Labels:
    """Turns every second training image of a study into a validation image, and predicts these
    with the dense model of each run. Of every class one training image stays: what no training
    image carries has no operating point."""
    labels = store.read_labels(folder)
    table = labels.table.copy()
    train = np.flatnonzero(table["split"] == "train")
    moved = set(train[::every])
    for name in labels.class_names:
        carriers = np.flatnonzero((table["split"] == "train") & table[name].eq(1).fillna(False))
        if moved.issuperset(carriers) and len(carriers):
            # The next goes in its place and the last stays too: a tail class must remain one.
            moved = (moved - {carriers[-1], max(moved)}) | {carriers[-1] + 1}
    table.loc[sorted(moved), "split"] = "validation"
    changed = Labels(table, labels.class_names)
    store.write_labels(changed, folder)
    rows, names = changed.split("validation"), changed.class_names
    fading = np.linspace(0.2, 1.0, len(names))
    for run in range(store.read_config(folder).runs.count):
        values = toy_probabilities(label_matrix(rows, names), 0.0, run + 100, fading)
        path = paths.validation_path(folder, run)
        store.write_predictions(rows["image_id"], values, names, path)
    return changed


def with_rising(folder: Path) -> None:
    """Makes the probabilities of a study with validation rise with sparsity, those of every other
    image more, and predicts validation at every sparsity: false alarms come, and a threshold fixed
    again takes some of them away."""
    config, labels = store.read_config(folder), store.read_labels(folder)
    names, runs = labels.class_names, list(range(config.runs.count))
    test, rows = labels.split("test")["image_id"], labels.split("validation")["image_id"]
    for sparsity in config.sweep.sparsities[1:]:
        for run in runs:
            dense = paths.validation_path(folder, run)
            path = paths.prediction_path(folder, run, sparsity)
            beside = paths.validation_cell_path(folder, run, sparsity)
            for source, ids, target in ((path, test, path), (dense, rows, beside)):
                values = store.read_predictions(source, ids, names)
                rise = np.where(np.arange(len(values)) % 2, 0.7, 0.3)[:, None] * sparsity
                risen = (values + (1 - values) * rise).astype(np.float32)
                store.write_predictions(ids, risen, names, target)
        store.write_ensemble(folder, runs, sparsity, test, names)


def write_large_study(name: str = "large", n_images: int = 4000, images: bool = True) -> Path:
    """20 classes of a long tail, 3 runs, 20 sparsities."""
    config = toy_config(
        name,
        paths.cache_dir() / "large-images",
        runs={"count": 3},
        sweep={"sparsities": [percent / 100 for percent in range(0, 100, 5)]},
    )
    labels = toy_labels(n_images, class_names=LARGE_CLASSES, frequencies=LARGE_FREQUENCIES)
    return write_study(config, labels, (64, 64) if images else None)


def write_odd_study(name: str = "odd") -> Path:
    """One run, one sparsity, hostile class names, a class never seen, constant vectors, skipped
    and unreadable images, uncertain labels."""
    config = toy_config(
        name,
        paths.cache_dir() / "odd-images",
        runs={"count": 1},
        sweep={"sparsities": [0, 0.9]},
        dataset={"kind": "table", "images": paths.cache_dir() / "odd-images", "labels": "x.csv"},
    )
    labels = toy_labels(400, class_names=ODD_CLASSES, frequencies=ODD_FREQUENCIES)
    table = labels.table.copy()
    table.loc[table.index[::7], ODD_CLASSES[1]] = pd.NA
    folder = write_study(
        config,
        Labels(table, ODD_CLASSES),
        (90, 40),
        constant_images=3,
        skipped=("broken<b>.png",),
        repairs=(("odd<b>.dcm", ["slope"]), ("other.dcm", ["slope", "number"])),
    )
    for path in sorted(config.dataset.images.iterdir())[::3]:
        path.write_bytes(b"this is no image")
    return folder


def imported_config(name: str = "published") -> StudyConfig:
    return toy_config(
        name,
        dataset={
            "kind": "imported",
            "name": "nih-cxr-lt",
            "labels": "labels",
            "architecture": "resnet50",
        },
        model={"architecture": "resnet50"},
        sweep={"sparsities": [percent / 100 for percent in range(0, 100, 5)]},
    )


def write_imported_study(name: str = "published", n_images: int = 1200) -> Path:
    """Published predictions: the paper's classes, no images, no validation, nothing achieved."""
    labels = toy_labels(n_images, class_names=LARGE_CLASSES, frequencies=LARGE_FREQUENCIES)
    return write_study(imported_config(name), labels)


def write_pair_study(name: str = "pair") -> Path:
    """Two classes: one pair."""
    config = toy_config(name, paths.cache_dir() / "pair-images")
    labels = toy_labels(200, class_names=("Mass", "No Finding"), frequencies=(0.3,))
    return write_study(config, labels)


def write_started_study(name: str = "started") -> Path:
    """A study of which only study.json and labels are there."""
    config = toy_config(name)
    folder = paths.study_dir(config)
    store.write_labels(toy_labels(), folder)
    provenance = {"config": config.model_dump(mode="json"), "skipped_images": []}
    store.write_json(provenance, paths.study_json(folder))
    return folder


def _write_images(folder: Path, paths: pd.Series, shape: tuple[int, int]) -> None:
    """Soft discs on a ramp, each a little different: something an eye can follow."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = shape
    y, x = np.mgrid[0:height, 0:width] / max(shape)
    for number, path in enumerate(paths):
        disc = np.exp(-((x - 0.2 - 0.6 * (number % 17) / 17) ** 2 + (y - 0.5) ** 2) * 30)
        pixels = 40 + 60 * y + 150 * disc
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / path)
