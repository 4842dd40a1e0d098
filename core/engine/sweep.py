"""The sweep of one run: the dense model and its pruned versions over the test split.

Pixels were read and decoded once, for all runs and sparsities; each (run, sparsity) is written
whole or not at all, so the store itself says what is left to do.
"""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import nn
from torch.fx.experimental.optimization import fuse

from core.analysis.metrics import metrics_table
from core.engine.checkpoints import CheckpointInfo, device, load_checkpoint
from core.engine.onnx import OnnxNetwork
from core.engine.pixels import Pixels
from core.engine.preprocessing import (
    IMAGENET,
    SIGMOID,
    Activation,
    Normalisation,
    to_input,
    to_unit,
)
from core.engine.pruning import (
    IN_PROJECTION,
    achieved_sparsity,
    apply_masks,
    head_weights,
    make_masks,
    prunable_weights,
)
from core.engine.registry import chosen
from core.engine.repair import REPAIRS, Material
from core.errors import WorkError
from core.study import paths, store
from core.study.config import StudyConfig
from core.study.labels import Labels, label_matrix
from core.study.progress import Advance, further
from core.study.trainings import trained_checkpoint

log = logging.getLogger(__name__)
Cell = tuple[int, float]


def sweep_run(
    config: StudyConfig, labels: Labels, pixels: Pixels, folder: Path, run: int, advance: Advance
) -> None:
    """Predict the test and the validation split at every sparsity of the grid.

    What is finished is skipped, each split by itself: a study of an older version, which kept
    validation predictions of its dense models only, gets the others. A damaged file is named in
    the log and made again. A cell's rows join the study's tables before its predictions appear,
    and its validation predictions are there first.
    """
    test, class_names = labels.split("test"), labels.class_names
    ids, truth = test["image_id"], label_matrix(test, class_names)
    validation = labels.split("validation")["image_id"]  # may be empty where nothing is trained
    grid, each = config.sweep.sparsities, len(ids) + len(validation)
    total = len(grid) * each
    metrics_path, achieved_path = (
        paths.class_metrics_path(folder),
        paths.achieved_sparsity_path(folder),
    )
    with_metrics, with_achieved = cells_of(metrics_path), cells_of(achieved_path)
    model, info = load_checkpoint(trained_checkpoint(folder, run))
    normalise = Normalisation.described(info.preprocessing)
    activation = Activation.described(info.preprocessing)
    attention = _prunes_attention(achieved_path, model)
    repair = chosen(REPAIRS, config.repair.method, "repair")
    material = Material(config, labels, pixels, model, info.seed)

    def predictions(network: nn.Module, of: pd.Series, report: Advance) -> np.ndarray:
        rows, batch_size = pixels.rows(of), config.sweep.batch_size
        return predict(network, pixels, rows, batch_size, report, normalise, activation)

    for position, sparsity in enumerate(grid):
        before, cell = position * each, (run, sparsity)
        path = paths.prediction_path(folder, run, sparsity)
        beside = paths.validation_cell_path(folder, run, sparsity)
        to_predict = _to_make(path, ids, class_names)
        to_validate = len(validation) > 0 and _to_make(beside, validation, class_names)
        if to_predict or to_validate or cell not in with_achieved:
            pruned = pruned_copy(model, config.pruning.method, sparsity, info, attention)
            repair(pruned, material)
            network = for_inference(pruned, config.sweep.precision)
        if to_predict or cell not in with_achieved:
            join_cell(achieved_path, achieved_sparsity(pruned, attention), cell)
        if to_validate:
            probabilities = predictions(network, validation, further(advance, before, total))
            store.write_predictions(validation, probabilities, class_names, beside)
        before += len(validation)
        if to_predict:
            probabilities = predictions(network, ids, further(advance, before, total))
        elif cell not in with_metrics:
            probabilities = store.read_predictions(path, ids, class_names)
        if to_predict or cell not in with_metrics:
            join_cell(metrics_path, metrics_table(truth, probabilities, class_names), cell)
        if to_predict:
            store.write_predictions(ids, probabilities, class_names, path)
        advance(before + len(ids), total)


def _prunes_attention(achieved: Path, model: nn.Module) -> bool:
    """False in a study that was begun when attention's weights were left out: it goes on so."""
    ours = [name for name in prunable_weights(model) if name.endswith(IN_PROJECTION)]
    if not ours or not cells_of(achieved):
        return True
    return ours[0] in set(store.read_table(achieved)["layer"])


def pruned_copy(
    model: nn.Module, method: str, sparsity: float, info: CheckpointInfo, attention: bool = True
) -> nn.Module:
    """Which of equal weights go depends on their places, so a given network's are ranked where its
    file had them, as its owner's own pruning would."""
    network, dense = copy.deepcopy(model), prunable_weights(model, attention)
    in_file = rows_in_file(info)
    if not dense:  # an ONNX graph
        return network
    if in_file is None:
        masks = make_masks(dense, method, sparsity, info.seed)
    else:
        heads = head_weights(model, dense)
        there = {head: dense[head][in_file] for head in heads}
        masks = make_masks(dense | there, method, sparsity, info.seed)
        masks |= {head: masks[head][np.argsort(in_file)] for head in heads}
    apply_masks(network, dense, masks)
    return network


def rows_in_file(info: CheckpointInfo) -> list[int] | None:
    """The rows of the last layer in the order of the file they came from; None of our own."""
    classes = (info.source or {}).get("classes")
    return [info.class_names.index(name) for name in classes if name] if classes else None


def for_inference(model: nn.Module, precision: str) -> nn.Module:
    """A copy on the device with batch norms folded into convolutions, channels last.

    `precision` is fp32 or bf16 (weights and activations; probabilities are fp32 again). A network
    that a library builds stays as it is: not all of them can be traced.
    """
    network = copy.deepcopy(model).eval()
    norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    if norms and not hasattr(network, "output_layers"):
        network = fuse(network)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    return network.to(device(), dtype=dtype).to(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(
    network: nn.Module,
    pixels: Pixels,
    rows: np.ndarray,
    batch_size: int,
    advance: Advance,
    normalise: Normalisation = IMAGENET,
    activation: Activation = SIGMOID,
) -> np.ndarray:
    """(images, classes) float32 probabilities of the images in `rows`, in that order."""
    parameter = next(network.parameters(), torch.empty(0))  # an ONNX graph has none
    if isinstance(network, OnnxNetwork):
        batch_size = network.images_at_once(pixels.image_size)
    batches = []
    for start in range(0, len(rows), batch_size):
        images = to_unit(pixels.read(rows[start : start + batch_size]), parameter.device)
        logits = network(to_input(images, normalise).to(parameter.dtype))
        batches.append(activation(logits.float()).cpu().numpy())
        advance(min(start + batch_size, len(rows)), len(rows))
    return np.concatenate(batches)


def join_cell(path: Path, rows: pd.DataFrame, cell: Cell) -> None:
    """Put the rows of one (run, sparsity) into a study's table in place of what it had of it."""
    run, sparsity = cell
    rows = rows.copy()
    rows.insert(0, "run", run)
    rows.insert(1, "sparsity", sparsity)
    with FileLock(paths.tables_lock_path(path.parent)):
        if path.exists():
            table = store.read_table(path)
            others = table[(table["run"] != run) | (table["sparsity"] != sparsity)]
            rows = pd.concat([others, rows]) if len(others) else rows
        rows = rows.sort_values(["run", "sparsity"], kind="stable", ignore_index=True)
        store.write_table(rows, path)


def cells_of(path: Path) -> set[Cell]:
    """The cells a study's table holds; a damaged table is named, removed, and holds none."""
    if not path.exists():
        return set()
    try:
        table = store.read_table(path)
    except WorkError as error:
        log.warning("Made again: %s", error)
        path.unlink()
        return set()
    return set(table[["run", "sparsity"]].itertuples(index=False, name=None))


def _to_make(path: Path, image_ids: pd.Series, class_names: tuple[str, ...]) -> bool:
    problem = store.predictions_problem(path, image_ids, class_names)
    if problem not in (None, "missing"):
        log.warning("Made again: %s", problem)
    return problem is not None
