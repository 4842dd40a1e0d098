"""Files as training code saves them, read in this process by what the child runs: in a moment."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.engine.foreign import child

CLASSES = ("Effusion", "Nodule", "Hernia")


def state(scale: float = 1.0, n_layers: int = 3) -> dict[str, torch.Tensor]:
    """Weights with the names of a small network."""
    made = {}
    for layer in range(n_layers):
        made[f"layer{layer}.conv.weight"] = torch.full((4, 4, 3, 3), float(scale))
        made[f"layer{layer}.bn.weight"] = torch.arange(4.0) * scale
        made[f"layer{layer}.bn.num_batches_tracked"] = torch.tensor(7)
    return made | {"fc.weight": torch.full((3, 4), float(scale)), "fc.bias": torch.zeros(3)}


def put(tensors: dict, prefix: str) -> dict:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


@pytest.fixture
def read(tmp_path):
    """(what the child says, the tensors it wrote) of something saved."""

    def of(what, network=None, rename=(), suffix=".pt", **options):
        path, out = tmp_path / f"model{suffix}", tmp_path / "plain.safetensors"
        if suffix == ".safetensors":
            save_file(what, path, options.get("metadata"))
        else:
            torch.save(what, path, **options)
        said = child.read(path, out, network, list(rename))
        return said, {} if "error" in said else load_file(out)

    return of


class Node:
    """As OmegaConf keeps a value, and a dictionary of such."""


def omega(content) -> Node:
    made = Node()
    if isinstance(content, dict):
        made.__dict__["_content"] = {key: omega(value) for key, value in content.items()}
    elif isinstance(content, list):
        made.__dict__["_content"] = [omega(value) for value in content]
    else:
        made.__dict__["_val"] = content
    return made
