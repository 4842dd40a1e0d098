"""Thumbnails are made once, kept whole and bounded; samples reach the viewer in full depth."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.pictures import thumbnails as pictures
from core.pictures.images import read_grey
from core.pictures.samples import BadImage
from core.pictures.thumbnails import IN_MEMORY, ByteCache, evict, picture, pixels
from core.study import paths
from tests.dicoms import write_dicom
from tests.renderings import in_viewer

NOISE = np.random.default_rng(0).integers(0, 256, (300, 200), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    IN_MEMORY.clear()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(NOISE).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def thumbnails() -> list[Path]:
    return sorted(paths.thumbnails_dir().glob("*/*"))


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png), formats=("PNG",)))


def test_a_thumbnail_keeps_the_aspect_and_is_never_enlarged(image):
    assert opened(picture(image, 128)).shape == (128, 85)
    np.testing.assert_array_equal(opened(picture(image, 1024)), NOISE)
    np.testing.assert_array_equal(opened(picture(image, None)), NOISE)
    assert len(thumbnails()) == 2  # the whole image is not kept a second time


def test_a_kept_thumbnail_is_served_without_reading_the_image(image, monkeypatch):
    first = picture(image, 128)
    IN_MEMORY.clear()
    monkeypatch.setattr(pictures, "read_grey", lambda path: pytest.fail("read again"))
    assert picture(image, 128) == first
    assert thumbnails()[0].read_bytes() == first


def test_a_changed_image_has_another_thumbnail(image):
    before = picture(image, 128)
    Image.fromarray(255 - NOISE).save(image)
    assert picture(image, 128) != before


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_thumbnail_is_made_again(image, damage):
    whole = picture(image, 128)
    (kept,) = thumbnails()
    content = bytearray(whole)
    content[len(content) // 2] ^= 0x10
    kept.write_bytes({"cut": whole[:-9], "flip": bytes(content), "empty": b""}[damage])
    IN_MEMORY.clear()
    assert picture(image, 128) == whole
    assert kept.read_bytes() == whole


def test_without_a_place_to_keep_them_thumbnails_are_still_made(image, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "file"))
    assert opened(picture(image, 128)).shape == (128, 85)


def test_a_broken_and_a_missing_image_are_no_thumbnails(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(BadImage):
        picture(tmp_path / "a.png", 128)
    with pytest.raises(OSError, match="No such file"):
        picture(tmp_path / "gone.png", 128)
    assert thumbnails() == []


def test_the_oldest_thumbnails_go_first(tmp_path):
    for number in range(10):
        path = paths.thumbnail_path(f"{number:02x}" * 32)
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    evict(most=1000)
    assert len(thumbnails()) == 10
    evict(most=500)  # down to nine tenths of it
    assert [path.parent.name for path in thumbnails()] == ["06", "07", "08", "09"]


def test_memory_is_bounded_by_bytes():
    kept = ByteCache(800)
    for number in range(20):
        kept.put(str(number), bytes(90))
    assert kept.size <= 800
    assert kept.get("19") is not None
    assert kept.get("0") is None
    kept.put("large", bytes(101))
    assert kept.get("large") is None
    kept.put("19", bytes(10))
    kept.clear()
    assert (kept.size, kept.get("19")) == (0, None)


def test_8_bit_samples_are_the_grey_itself(image):
    content, headers = pixels(image)
    told = json.loads(headers["X-Xray"])
    assert content == NOISE.tobytes()
    assert (told["width"], told["height"], told["bits"]) == (200, 300, 8)
    presets = told["windows"]
    assert presets[0] == {
        "name": "Full range", "center": 127.5, "width": 255, "function": "LINEAR_EXACT",
        "curve": None,
    }  # fmt: skip
    middle = presets[1]
    below = np.mean(middle["center"] - middle["width"] / 2 > NOISE)
    assert below == pytest.approx(0.01, abs=0.01)


def test_16_bit_png_keeps_its_depth(tmp_path):
    deep = (np.arange(4096, dtype=np.uint16) + 1000).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / "a.png")
    content, headers = pixels(tmp_path / "a.png")
    told = json.loads(headers["X-Xray"])
    np.testing.assert_array_equal(np.frombuffer(content, "<u2").reshape(64, 64), deep - 1000)
    assert (told["bits"], told["windows"][0]["width"]) == (16, 4095)
    assert (told["slope"], told["intercept"]) == (1, 1000), "the file's own values are shown"


def test_the_first_view_of_the_samples_is_the_picture(tmp_path):
    """Windowing the samples as the headers say gives what `read_grey` gives."""
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        path = write_dicom(
            tmp_path / "a.dcm", ramp, BitsStored=12, WindowCenter=1500, WindowWidth=1200,
            RescaleSlope=0.5, RescaleIntercept=100, PhotometricInterpretation=photometric,
        )  # fmt: skip
        np.testing.assert_allclose(in_viewer(path), read_grey(path), atol=0.6)
        told = json.loads(pixels(path)[1]["X-Xray"])
        names = [window["name"] for window in told["windows"]]
        assert names[:3] == ["File window 1", "Full range", "Middle 98 %"]


def test_a_constant_image_has_a_window_of_some_width(tmp_path):
    Image.fromarray(np.full((5, 5), 700, np.uint16)).save(tmp_path / "a.png")
    content, headers = pixels(tmp_path / "a.png")
    assert not any(content)
    assert all(window["width"] > 0 for window in json.loads(headers["X-Xray"])["windows"])
