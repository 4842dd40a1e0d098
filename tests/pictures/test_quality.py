"""Measures of image quality: right on images one can judge, kept, resumed, never stale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from core.errors import InputError
from core.pictures import quality
from core.pictures.quality import MEASURES, image_quality, kept_quality, measure
from core.results import pies
from core.study import paths, store
from core.study.study import Study
from tests.page_studies import write_imported_study
from tests.toys import write_toy_study


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(n_images=60)


def test_blurring_raises_blur_and_halving_lowers_contrast():
    checks = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((8, 8))).astype(np.uint8) * 200
    sharp = measure(checks)
    soft = measure(np.asarray(Image.fromarray(checks).filter(ImageFilter.GaussianBlur(4))))
    dim = measure(checks // 2)
    assert soft["blur"] > sharp["blur"]
    assert dim["contrast"] == pytest.approx(sharp["contrast"] / 2)
    assert sharp["brightness"] == pytest.approx(100 / 255)
    assert (sharp["black_share"], sharp["white_share"]) == (0.5, 0)
    assert sharp["entropy"] == pytest.approx(1)  # two greys, equally often: one bit


def test_a_constant_and_a_tiny_image_have_no_blur():
    for grey in (np.zeros((50, 50), np.uint8), np.arange(4, dtype=np.uint8).reshape(2, 2)):
        assert np.isnan(measure(grey)["blur"])


def test_every_test_image_is_measured_once_in_test_order(folder, monkeypatch):
    assert kept_quality(folder) is None
    heard = []
    table = image_quality(folder, lambda done, total: heard.append((done, total)))
    test = store.read_labels(folder).split("test")
    assert list(table["image_id"]) == list(test["image_id"])
    assert list(table.columns) == ["image_id", *MEASURES]
    assert table.notna().all(axis=None)
    assert heard == [(0, 30), (30, 30)]
    monkeypatch.setattr(quality, "measure", lambda grey: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(image_quality(folder), table)
    pd.testing.assert_frame_equal(kept_quality(folder), table)


def test_a_stopped_run_goes_on_where_it_was(folder, monkeypatch):
    monkeypatch.setattr(quality, "CHUNK", 10)

    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_quality(folder, stop)
    assert kept_quality(folder) is None
    heard = []
    image_quality(folder, lambda done, total: heard.append(done))
    assert heard == [20, 30]


def test_changed_and_unreadable_images(folder):
    before = image_quality(folder)
    images = paths.images_dir(store.read_config(folder).dataset)
    changed, broken = before["image_id"][3], before["image_id"][4]
    Image.fromarray(np.full((64, 48), 255, np.uint8)).save(images / changed)
    (images / broken).write_bytes(b"no image")
    assert kept_quality(folder) is None
    after = image_quality(folder).set_index("image_id")
    assert after.loc[changed, "brightness"] == 1
    assert after.loc[broken].isna().all()
    same = before.set_index("image_id").drop([changed, broken])
    pd.testing.assert_frame_equal(after.drop([changed, broken]), same)


def test_a_study_without_images_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="imported without images"):
        image_quality(write_imported_study(n_images=100))


def test_the_tables_of_a_study(folder):
    table = pies.pie_quality(Study(folder))
    assert list(table["measure"]) == list(MEASURES)
    assert set(table["n_pie"] + table["n_non_pie"]) == {30}
    with pytest.raises(InputError, match="do not record which of them are wrong"):
        pies.pie_label_noise(Study(folder))
    for table in (pies.quality_truth, pies.pie_poor_quality):
        with pytest.raises(InputError, match="do not record which images are poor"):
            table(Study(folder))
