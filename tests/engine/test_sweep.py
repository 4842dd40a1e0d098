"""The sweep's numbers are those of a plain torch loop; what is damaged is named and made again."""

import copy
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from core.engine.models import build_model
from core.engine.preprocessing import MEAN, STD
from core.engine.pruning import apply_masks, make_masks, prunable_weights
from core.engine.sweep import cells_of, for_inference, join_cell, predict
from core.study import paths, store
from core.study.settings import ModelSettings


class RandomPixels:
    """Grey images that need no files; the same contract as decoded ones."""

    def __init__(self, n_images, size):
        self.grey = np.random.default_rng(0).integers(0, 256, (n_images, size, size), np.uint8)

    def read(self, rows):
        return self.grey[rows]


def plain_torch_loop(model: nn.Module, sparsity: float, grey: np.ndarray) -> np.ndarray:
    """Prune with torch's own pruning, then one image at a time through the pruned model."""
    modules = [(m, "weight") for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    attention = [m for m in model.modules() if isinstance(m, nn.MultiheadAttention)]
    modules += [(m, "in_proj_weight") for m in attention]
    prune.global_unstructured(modules, prune.L1Unstructured, amount=sparsity)
    model.eval()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    probabilities = []
    with torch.no_grad():
        for image in grey:
            grey_image = torch.from_numpy(image).float().div(255).expand(3, -1, -1)
            logits = model(((grey_image - mean) / std).unsqueeze(0))
            probabilities.append(torch.sigmoid(logits)[0].numpy())
    return np.array(probabilities)


def warmed_up(settings: ModelSettings, pixels: RandomPixels) -> nn.Module:
    """A model whose batch norms have seen images, so that their folding matters."""
    model = build_model(settings, 5, seed=1).train()
    with torch.no_grad():
        model(torch.from_numpy(pixels.grey).float().div(255)[:, None].expand(-1, 3, -1, -1))
    return model.eval()


@pytest.mark.parametrize(
    ("architecture", "sparsities"),
    [
        ("resnet_small", (0.0, 0.5, 0.95)),
        ("resnet18", (0.5, 0.9)),
        pytest.param("vit_b_16", (0.5,), marks=pytest.mark.slow),
    ],
)
def test_predictions_equal_a_plain_torch_loop(architecture, sparsities):
    settings = ModelSettings(architecture=architecture, image_size=64)
    pixels = RandomPixels(6, 64)
    model = warmed_up(settings, pixels)
    dense = {name: w.detach().clone() for name, w in prunable_weights(model).items()}
    for sparsity in sparsities:
        plain = copy.deepcopy(model)
        apply_masks(model, dense, make_masks(dense, "l1_global", sparsity))
        ours = predict(for_inference(model, "fp32"), pixels, np.arange(6), 4, lambda *_: None)
        apply_masks(model, dense, make_masks(dense, "l1_global", 0.0))
        theirs = plain_torch_loop(plain, sparsity, pixels.grey)
        assert ours.shape == (6, 5)
        assert np.abs(ours - theirs).max() < 1e-4


def test_bf16_stays_near_fp32():
    pixels = RandomPixels(8, 64)
    model = warmed_up(ModelSettings(architecture="resnet_small", image_size=64), pixels)
    rows = np.arange(8)
    full = predict(for_inference(model, "fp32"), pixels, rows, 8, lambda *_: None)
    half = predict(for_inference(model, "bf16"), pixels, rows, 8, lambda *_: None)
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.05


def test_joining_a_cell_replaces_it_and_keeps_the_others(tmp_path):
    path = tmp_path / "table.parquet"
    for cell, value in [((1, 0.5), 1.0), ((0, 0.5), 2.0), ((1, 0.5), 3.0)]:
        join_cell(path, pd.DataFrame({"ap": [value]}), cell)
    table = store.read_table(path)
    assert table[["run", "sparsity", "ap"]].to_numpy().tolist() == [[0, 0.5, 2.0], [1, 0.5, 3.0]]


def test_a_damaged_table_is_named_and_holds_no_cells(tmp_path, caplog):
    path = tmp_path / "table.parquet"
    join_cell(path, pd.DataFrame({"ap": [1.0]}), (0, 0.9))
    assert cells_of(path) == {(0, 0.9)}
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING):
        assert cells_of(path) == set()
    assert "table.parquet" in caplog.text


def test_file_names_hold_whole_percents(tmp_path):
    path = paths.prediction_path(tmp_path, 3, 0.9)
    assert path.relative_to(tmp_path).as_posix() == "predictions/run=03/sparsity=90.parquet"
