"""Training: truths about the loop that can be read off its checkpoint."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from core.engine.checkpoints import load_checkpoint
from core.engine.preprocessing import augment, to_input, to_unit
from core.engine.schedules import SCHEDULES
from core.engine.training import train_run
from core.errors import WorkError
from core.study import paths
from core.study.labels import Labels
from tests.toys import toy_config


class BrightPixels:
    """Images as bright as their label says, so that anything can learn them."""

    def __init__(self, labels: Labels):
        rng = np.random.default_rng(0)
        self.ids = pd.Index(labels.table["image_id"])
        level = 60 + 120 * labels.table["Bright"].fillna(0).to_numpy(int)
        noise = rng.integers(-20, 20, (len(self.ids), 32, 32))
        self.grey = (level[:, None, None] + noise).astype(np.uint8)

    def rows(self, image_ids):
        return self.ids.get_indexer(image_ids)

    def read(self, rows):
        return self.grey[rows]


@pytest.fixture
def labels():
    n = 60
    bright = np.arange(n) % 2
    table = pd.DataFrame({"Bright": bright, "Dark": 1 - bright}, dtype="Int8")
    table.loc[4, "Dark"] = pd.NA  # uncertain
    keys = {key: [f"{key}-{i}" for i in range(n)] for key in ("image_id", "patient_id", "path")}
    split = np.where(np.arange(n) < 41, "train", np.where(np.arange(n) < 50, "validation", "test"))
    return Labels(pd.DataFrame(keys).assign(split=split).join(table), ("Bright", "Dark"))


def config_of(**training):
    settings = {"epochs": 4, "batch_size": 8, "learning_rate": 1e-3, "patience": 4}
    return toy_config(training=settings | training)


def train(labels, folder, run=0, **training):
    path = paths.checkpoint_path(folder, run)
    train_run(config_of(**training), labels, BrightPixels(labels), path, run, lambda *_: None)
    return load_checkpoint(path)


def test_train_mode_really_is_train_mode_after_each_validation(labels, tmp_path):
    model, info = train(labels, tmp_path)
    # 41 images in batches of 8: five full ones; the last, of a single image, is left out.
    batches_seen = model.stem[1].num_batches_tracked.item()
    assert batches_seen == 5 * (info.epoch + 1)


def test_the_best_validation_loss_is_kept_and_the_history_saved(labels, tmp_path):
    _, info = train(labels, tmp_path)
    history = json.loads(paths.history_path(paths.checkpoint_path(tmp_path, 0)).read_text())[
        "epochs"
    ]
    losses = [entry["validation_loss"] for entry in history]
    assert info.validation_loss == min(losses)
    assert info.epoch == int(np.argmin(losses))
    assert not paths.training_state_path(paths.checkpoint_path(tmp_path, 0)).exists()


def test_what_can_be_learnt_is_learnt(labels, tmp_path):
    model, _ = train(labels, tmp_path, epochs=8)
    pixels = BrightPixels(labels)
    test = labels.split("test")
    with torch.no_grad():
        images = to_input(to_unit(pixels.read(pixels.rows(test["image_id"])), torch.device("cpu")))
        bright = torch.sigmoid(model(images))[:, 0].numpy()
    truth = test["Bright"].to_numpy(int)
    assert bright[truth == 1].min() > bright[truth == 0].max()


def test_runs_differ_by_seed_only_and_repeat_exactly(labels, tmp_path):
    one, _ = train(labels, tmp_path / "a", run=0)
    same, _ = train(labels, tmp_path / "b", run=0)
    other, _ = train(labels, tmp_path / "a", run=1)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_stopped_run_goes_on_from_its_last_finished_epoch(labels, tmp_path, schedule):
    whole, _ = train(labels, tmp_path / "whole", schedule=schedule)
    n_epoch = 41 + 9  # training and validation images

    class Stopped(Exception):  # noqa: N818
        pass

    def stop_in_the_third_epoch(done, total):
        if done > 2 * n_epoch + 10:
            raise Stopped

    config = config_of(schedule=schedule)
    pixels, path = BrightPixels(labels), paths.checkpoint_path(tmp_path / "stopped", 0)
    with pytest.raises(Stopped):
        train_run(config, labels, pixels, path, 0, stop_in_the_third_epoch)
    seen = []
    train_run(config, labels, pixels, path, 0, lambda done, _: seen.append(done))
    assert min(seen) > 2 * n_epoch
    resumed, _ = load_checkpoint(path)
    assert torch.equal(resumed.classifier.weight, whole.classifier.weight)


def test_an_image_without_a_certain_label_harms_nothing(labels, tmp_path):
    table = labels.table.copy()
    table.loc[[0, 45], ["Bright", "Dark"]] = pd.NA
    unsure = Labels(table, labels.class_names)
    _, info = train(unsure, tmp_path, batch_size=2, epochs=1)
    assert np.isfinite(info.validation_loss)


def test_patience_stops_a_run_that_no_longer_gains(labels, tmp_path):
    train(labels, tmp_path, epochs=200, patience=1, learning_rate=1e-2)
    history = json.loads(paths.history_path(paths.checkpoint_path(tmp_path, 0)).read_text())[
        "epochs"
    ]
    assert len(history) < 200
    assert history[-1]["validation_loss"] >= history[-2]["validation_loss"]


def test_a_loss_that_is_no_number_stops_with_a_hint(labels, tmp_path):
    with pytest.raises(WorkError, match="learning_rate"):
        train(labels, tmp_path, learning_rate=1e30)


def test_no_augmentation_changes_nothing_and_a_flip_mirrors():
    images = torch.rand(16, 9, 9)
    generator = torch.Generator().manual_seed(0)
    assert torch.allclose(augment(images, False, 0.0, generator), images, atol=1e-5)
    flipped = augment(images, True, 0.0, generator)
    mirrored = [
        torch.allclose(a, b.flip(-1), atol=1e-5) for a, b in zip(flipped, images, strict=True)
    ]
    kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(flipped, images, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert 0 < sum(mirrored) < 16


def test_a_turn_of_ninety_degrees_is_a_turn_of_ninety_degrees(monkeypatch):
    images = torch.rand(1, 8, 8)
    monkeypatch.setattr(torch, "rand", lambda n, generator: torch.ones(n))  # the full turn
    turned = augment(images, False, 90.0, torch.Generator())[0]
    assert torch.allclose(turned, images[0].rot90(), atol=1e-4) or torch.allclose(
        turned, images[0].rot90(-1), atol=1e-4
    )
