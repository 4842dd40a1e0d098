"""Trainings have an id of their own, and stay as long as a study refers to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.actions.deletion import delete_study
from core.study import paths, store
from core.study.config import training_id
from core.study.trainings import refer, take_home, trained_checkpoint
from tests.toys import toy_config, write_toy_study

DATA = {"dataset_fingerprint": "0" * 16, "pixels_digest": "1" * 64}
TRAINING = "0123456789abcdef"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return paths.cache_dir()


def study_with_training(name: str, training: str = TRAINING) -> Path:
    folder = write_toy_study(name, n_images=20, images=False)
    refer(folder, training, store.read_provenance(folder))
    weights = trained_checkpoint(folder, 0)
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"weights")
    return folder


def test_the_id_of_a_training_is_pinned():
    assert training_id(toy_config(), DATA) == "2814a10d7a9728fe"


@pytest.mark.parametrize(
    "sections",
    [
        {"study": {"name": "other"}},
        {"pruning": {"method": "random_global"}},
        {"sweep": {"sparsities": [0, 0.2], "precision": "bf16"}},
        {"runs": {"count": 7}},
        {"groups": {"head_above": 0.3}},
        {"operating_point": {"specificity": 0.8}},
        {"training": {"loss": "bce", "sampler": "uniform", "epochs": 60}},  # the defaults
    ],
    ids=str,
)
def test_what_comes_after_training_leaves_its_id(sections):
    assert training_id(toy_config(**sections), DATA) == training_id(toy_config(), DATA)


@pytest.mark.parametrize(
    "sections",
    [
        {"model": {"architecture": "resnet18", "image_size": 32}},
        {"model": {"architecture": "resnet_small", "image_size": 64}},
        {"training": {"epochs": 59}},
        {"runs": {"first_seed": 1}},
    ],
    ids=str,
)
def test_what_decides_the_weights_changes_the_id(sections):
    assert training_id(toy_config(**sections), DATA) != training_id(toy_config(), DATA)


@pytest.mark.parametrize("key", DATA)
def test_other_labels_and_other_images_are_another_training(key):
    other = DATA | {key: "2" * 16}
    assert training_id(toy_config(), other) != training_id(toy_config(), DATA)


def test_a_training_goes_with_the_last_study_that_refers_to_it(cache):
    one, other = study_with_training("one"), study_with_training("other")
    apart = study_with_training("apart", "f" * 16)
    assert trained_checkpoint(one, 0) == trained_checkpoint(other, 0)
    delete_study(one, "ann")
    assert trained_checkpoint(other, 0).read_bytes() == b"weights"
    delete_study(other, "ann")
    assert [path.name for path in (cache / "trainings").iterdir()] == ["f" * 16]
    assert trained_checkpoint(apart, 0).exists()
    assert not list(paths.deleted_dir().iterdir())


def test_a_training_stays_while_nobody_can_tell_who_refers_to_it(cache):
    one, damaged = study_with_training("one"), study_with_training("damaged")
    paths.study_json(damaged).write_text("{")
    delete_study(one, "ann")
    assert paths.checkpoint_path(paths.training_dir(TRAINING), 0).exists()


def test_a_study_whose_deletion_was_cut_short_still_has_its_weights():
    folder = study_with_training("one")
    take_home(folder)
    assert not paths.training_dir(TRAINING).exists()
    assert trained_checkpoint(folder, 0).read_bytes() == b"weights"
    take_home(folder)  # deleted again
    assert trained_checkpoint(folder, 0).read_bytes() == b"weights"


def test_an_older_study_keeps_its_weights_where_they_lie():
    folder = write_toy_study("old", n_images=20, images=False)
    weights = folder / "checkpoints" / "run=00.safetensors"
    weights.parent.mkdir()
    refer(folder, TRAINING, store.read_provenance(folder))
    assert "training" not in store.read_provenance(folder)
    assert trained_checkpoint(folder, 0) == weights
