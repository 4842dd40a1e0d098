"""Checkpoints that describe themselves: safetensors weights, and JSON of all their use takes."""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.engine.models import build_model
from core.errors import WorkError
from core.study.settings import ModelSettings
from core.study.store import read_json, whole_file, write_json


@dataclass(frozen=True)
class CheckpointInfo:
    """What weights cannot say themselves. `run` is the run's number, `seed` its random input."""

    model: dict[str, Any]
    class_names: list[str]
    preprocessing: dict[str, Any]
    run: int
    seed: int
    epoch: int
    validation_loss: float | None
    versions: dict[str, str]
    # Of weights that were given: the file's digest, and what was made of it. Else absent.
    source: dict[str, Any] | None = None


REQUIRED = {field.name for field in fields(CheckpointInfo) if field.default is MISSING}


def save_checkpoint(model: nn.Module, info: CheckpointInfo, path: Path) -> None:
    """Write `path` and its JSON beside it; the weights come last, so a checkpoint is complete
    once its weights are there."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(state, temporary)
        write_json({**_plain(info), "sha256": _sha256(temporary)}, path.with_suffix(".json"))


def load_checkpoint(path: Path) -> tuple[nn.Module, CheckpointInfo]:
    """The model in evaluation mode, on the CPU, with its description.

    Raises WorkError that names a missing, damaged or mismatched checkpoint.
    """
    if not is_complete(path):
        raise WorkError(f"{path} or its .json is missing or damaged.")
    described: Any = read_json(path.with_suffix(".json"))
    info = CheckpointInfo(**{key: described[key] for key in _known(described)})
    model = build_model(
        ModelSettings(**{**info.model, "weights": "none"}), len(info.class_names), info.seed
    )
    try:
        model.load_state_dict(load_file(path))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise WorkError(f"{path} is missing or damaged: {error}") from error
    return model.eval(), info


def is_complete(path: Path) -> bool:
    """Whether weights and description are there and belong together, by the weights' SHA-256."""
    described = read_json(path.with_suffix(".json"))
    if not isinstance(described, dict) or not path.exists():
        return False
    return described.keys() >= REQUIRED and described.get("sha256") == _sha256(path)


def _plain(info: CheckpointInfo) -> dict[str, Any]:
    plain = asdict(info)
    return plain if info.source else {name: plain[name] for name in plain if name != "source"}


def _known(described: dict[str, Any]) -> list[str]:
    return [field.name for field in fields(CheckpointInfo) if field.name in described]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions of what a number may depend on."""
    import platform
    from importlib.metadata import version

    packages = ("torch", "torchvision", "numpy", "pandas", "pillow")
    found = {name: version(name) for name in packages}
    return {"python": platform.python_version(), **found, "device": device().type}


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
