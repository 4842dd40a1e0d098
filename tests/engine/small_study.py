"""A phantom study of two runs and three sparsities, made in seconds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from core.study import store

STUDY = """
[study]
name = "small"
[dataset]
kind = "phantom"
n_patients = 60
size = 64
[model]
architecture = "resnet_small"
image_size = 32
[training]
epochs = 3
batch_size = 32
learning_rate = 1e-3
rotation_degrees = 10
[runs]
count = 2
[sweep]
sparsities = [0, 0.5, 0.9]
"""


def contents(folder: Path) -> dict[str, bytes | pd.DataFrame]:
    """Every artefact that holds results, by its path below the study's folder, and the weights."""
    found: dict[str, bytes | pd.DataFrame] = {
        path.relative_to(folder).as_posix(): store.read_table(path)
        for path in sorted(folder.rglob("*.parquet"))
    }
    training = folder.parents[1] / "trainings" / store.read_provenance(folder)["training"]
    weights = sorted(training.glob("run=*.safetensors"))
    assert weights
    return found | {path.name: path.read_bytes() for path in weights}


def assert_equal_studies(a: Path, b: Path) -> None:
    first, second = contents(a), contents(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, second[name], check_exact=True, obj=name)
        else:
            assert value == second[name], name
