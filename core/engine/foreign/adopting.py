"""A given checkpoint becomes one of ours: taken out of its file once, then a study's run 0.

The weights keep all their outputs in the cache; a study's own copy keeps those that stand for its
classes, in the dataset's order. Outputs without a class are left out before anything is pruned.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from core.checkpoints.preflight import PreflightOptions
from core.engine.checkpoints import (
    CheckpointInfo,
    is_complete,
    load_checkpoint,
    save_checkpoint,
    versions,
)
from core.engine.foreign.given import Given
from core.engine.foreign.graph_files import match_given, read_given
from core.engine.foreign.guessing import Match
from core.engine.foreign.reading import Reader
from core.engine.foreign.stated import order_of
from core.engine.models import build_model, output_layers
from core.engine.onnx import OnnxNetwork
from core.engine.preprocessing import activation_of, describe, framing_of, seen_by
from core.errors import InputError
from core.study import paths
from core.study.config import StudyConfig
from core.study.labels import Labels
from core.study.progress import Advance
from core.study.settings import CheckpointSettings, ModelSettings
from core.study.trainings import trained_checkpoint

# What a network is built with besides architecture, size and channels.
DETAILS = {"norm_eps", "head"}


def not_finite(given: Given) -> dict[str, int]:
    """Weights with NaN or infinite values, and how many. Not torchxrayvision's operating points,
    which are missing of classes that its network does not know."""
    found = given.not_finite.items()
    return {name: count for name, count in found if not name.endswith("op_threshs")}


def network_of(found: Match) -> nn.Module:
    """The architecture with the file's weights, in evaluation mode; names and shapes must agree."""
    model = build_model(found.settings, found.n_outputs, seed=0)
    if isinstance(model, OnnxNetwork):
        model.load_state_dict(found.tensors)
        return model.eval()
    state = model.state_dict()
    for name, tensor in found.tensors.items():
        if name in state:
            state[name] = tensor.reshape(state[name].shape).to(state[name].dtype)
    model.load_state_dict(state)
    return model.eval()


def adopted_path(checkpoint: CheckpointSettings, model: ModelSettings) -> Path:
    """Where the cache has its weights: one file for each network of a file, and way to name and
    build it."""
    chosen: list[Any] = [checkpoint.network, checkpoint.rename]
    if details := model.model_dump(mode="json", include=DETAILS, exclude_defaults=True):
        chosen.append(details)
    if not any(chosen):
        return paths.adopted_path(checkpoint.sha256, model.architecture)
    which = hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:8]
    return paths.adopted_path(checkpoint.sha256, f"{which}-{model.architecture}")


def adopt(
    given: Given, found: Match, name: str, model: nn.Module, checkpoint: CheckpointSettings
) -> None:
    """Write `model`, which is `network_of(found)`, into the cache in our own format."""
    path = adopted_path(checkpoint, found.settings)
    if is_complete(path):
        return
    info = CheckpointInfo(
        model=found.settings.model_dump(),
        class_names=_output_names(given, found.n_outputs),
        preprocessing=describe(found.settings.image_size),
        run=0,
        seed=0,
        epoch=0,
        validation_loss=None,
        versions=versions(),
        source={
            "sha256": given.sha256,
            "file": name,
            "format": given.format,
            "wrapper": given.wrapper,
            "network": checkpoint.network,
            "rename": list(checkpoint.rename),
            "prefix": found.prefix,
            "library": found.library,
            "joined_masks": list(given.joined),
        },
    )
    save_checkpoint(model, info, path)


def _output_names(given: Given, n_outputs: int) -> list[str]:
    names, _ = order_of(given.orders, n_outputs)
    if len(names) == n_outputs and all(names):
        return list(names)
    return [f"output {number}" for number in range(1, n_outputs + 1)]


def adopt_run(
    config: StudyConfig, labels: Labels, folder: Path, run: int, advance: Advance
) -> None:
    """Write run `run` of a study of a given checkpoint; nothing where it exists.

    Raises InputError where the weights are gone from the cache and the file is not where it was,
    or is not the same file any more.
    """
    target = trained_checkpoint(folder, run)
    if is_complete(target):
        return
    checkpoint = config.checkpoint
    if checkpoint is None:
        raise ValueError("the study has no checkpoint")
    path = adopted_path(checkpoint, config.model)
    if not is_complete(path):
        _adopt_again(config, checkpoint)
    advance(1, 2)
    model, kept = load_checkpoint(path)
    rows = output_rows(checkpoint.classes, labels.class_names, len(kept.class_names))
    keep_outputs(model, rows)
    seen, activation = seen_by(checkpoint, config.model.channels), activation_of(checkpoint, rows)
    info = CheckpointInfo(
        model=config.model.model_dump(),
        class_names=list(labels.class_names),
        preprocessing=describe(config.model.image_size, seen, activation, framing_of(checkpoint)),
        run=run,
        seed=config.runs.first_seed + run,
        epoch=0,
        validation_loss=None,
        versions=versions(),
        source=(kept.source or {}) | {"classes": list(checkpoint.classes)},
    )
    save_checkpoint(model, info, target)
    advance(2, 2)


def _adopt_again(config: StudyConfig, checkpoint: CheckpointSettings) -> None:
    if checkpoint.path is None or not checkpoint.path.exists():
        where = f" and {checkpoint.path} is not there" if checkpoint.path else ""
        raise InputError(
            f"The weights of checkpoint {checkpoint.sha256[:16]} are not in the cache{where}. "
            "Run prunescope preflight with the file once more."
        )
    with Reader() as reader:
        options = PreflightOptions(network=checkpoint.network, rename=checkpoint.rename)
        given = read_given(reader, checkpoint.path, options, config.model.image_size)
    if given.sha256 != checkpoint.sha256:
        raise InputError(
            f"{checkpoint.path} is not the file the study was set up with (SHA-256 "
            f"{given.sha256[:16]}, not {checkpoint.sha256[:16]})."
        )
    if given.wrong_choice:
        raise InputError(given.wrong_choice)
    found = match_given(given, config.model.architecture, None)
    details = {name: getattr(config.model, name) for name in DETAILS}
    found = replace(found, settings=found.settings.model_copy(update=details))
    if not found.keys.fit or not_finite(given):
        raise InputError(
            f"{checkpoint.path} does not fit {config.model.architecture}; "
            "prunescope preflight says where."
        )
    adopt(given, found, checkpoint.path.name, network_of(found), checkpoint)


def output_rows(
    classes: tuple[str, ...], class_names: tuple[str, ...], n_outputs: int
) -> list[int]:
    """The output of each of the study's classes."""
    if len(classes) != n_outputs:
        raise InputError(
            f"checkpoint.classes names {len(classes)} outputs; the network has {n_outputs}."
        )
    return [classes.index(name) for name in class_names]


def keep_outputs(model: nn.Module, rows: list[int]) -> None:
    """Leave the layers of the outputs these ones, in this order."""
    if isinstance(model, OnnxNetwork):
        model.keep(rows)
    for last in output_layers(model):
        last.weight = nn.Parameter(last.weight.detach()[rows].clone())
        if last.bias is not None:
            last.bias = nn.Parameter(last.bias.detach()[rows].clone())
        last.__dict__["out_features" if isinstance(last, nn.Linear) else "out_channels"] = len(rows)


def studied_labels(labels: Labels, checkpoint: CheckpointSettings) -> Labels:
    """The labels of those classes that an output stands for, in the dataset's order."""
    named = {name for name in checkpoint.classes if name}
    unknown = sorted(named - set(labels.class_names))
    if unknown:
        raise InputError(
            f"checkpoint.classes names {unknown[0]!r}; the dataset's classes are: "
            f"{', '.join(labels.class_names)}."
        )
    kept = tuple(name for name in labels.class_names if name in named)
    dropped = [name for name in labels.class_names if name not in named]
    return Labels(labels.table.drop(columns=dropped), kept) if dropped else labels
