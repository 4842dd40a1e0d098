"""Studies that come with an image appear in the cache folder, once, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.study.shipped import unpack

DEMO = "demo-0123456789"
LOCKS = {f"studies/{DEMO}/running.lock", "trainings/0123456789abcdef/run=00.lock", "trainings.lock"}


@pytest.fixture
def image(tmp_path, monkeypatch) -> Path:
    """What an image brings: a study and its pictures."""
    folder = tmp_path / "image"
    for name in (
        f"studies/{DEMO}/study.json",
        "phantoms/0-2600/a.png",
        "pixels/ab-64/all.npy",
        "trainings/0123456789abcdef/run=00.safetensors",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for lock in LOCKS:
        (folder / lock).touch()
    monkeypatch.setenv("PRUNESCOPE_SHIPPED", str(folder))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(folder))
    return folder


def files(folder: Path) -> set[str]:
    marks = folder / "shipped"
    found = (path for path in folder.rglob("*") if path.is_file() and marks not in path.parents)
    return {str(path.relative_to(folder)) for path in found}


def test_an_empty_volume_gets_the_study_and_its_pictures(image, cache):
    said: list[str] = []
    unpack(said.append)
    assert files(cache) == files(image) - LOCKS
    assert DEMO in said[0]


def test_a_volume_with_other_studies_gets_it_too_and_keeps_them(image, cache):
    (cache / "studies" / "mine-9876543210").mkdir(parents=True)
    (cache / "studies" / "mine-9876543210" / "study.json").write_text("mine")
    unpack()
    assert (cache / "studies" / DEMO / "study.json").exists()
    assert (cache / "studies" / "mine-9876543210" / "study.json").read_text() == "mine"


def test_a_study_of_the_same_name_is_left_alone(image, cache):
    (cache / "studies" / "demo-ffffffffff").mkdir(parents=True)
    said: list[str] = []
    unpack(said.append)
    assert not (cache / "studies" / DEMO).exists()
    assert "called demo already" in said[0]


def test_a_study_whose_name_begins_alike_is_another_study(image, cache):
    (cache / "studies" / "demo-two-ffffffffff").mkdir(parents=True)
    unpack()
    assert (cache / "studies" / DEMO).exists()


def test_a_deleted_study_does_not_come_back(image, cache):
    unpack()
    shutil.rmtree(cache / "studies" / DEMO)
    unpack()
    assert not (cache / "studies" / DEMO).exists()


def test_a_newer_image_s_study_comes_once_the_older_one_is_deleted(image, cache):
    unpack()
    (image / "studies" / DEMO).rename(image / "studies" / "demo-aaaaaaaaaa")
    unpack()
    assert not (cache / "studies" / "demo-aaaaaaaaaa").exists()
    shutil.rmtree(cache / "studies" / DEMO)
    unpack()
    assert (cache / "studies" / "demo-aaaaaaaaaa").exists()


def test_a_copy_that_breaks_off_leaves_no_study_and_the_next_start_copies_it(image, cache):
    unreadable = image / "studies" / DEMO / "labels.parquet"
    unreadable.symlink_to("nowhere")
    said: list[str] = []
    unpack(said.append)
    assert not (cache / "studies" / DEMO).exists()
    assert "could not be copied" in said[0]
    unreadable.unlink()
    unpack()
    assert (cache / "studies" / DEMO / "study.json").exists()


def test_without_an_image_nothing_happens(cache, monkeypatch):
    monkeypatch.delenv("PRUNESCOPE_SHIPPED", raising=False)
    unpack()
    assert not cache.exists()
