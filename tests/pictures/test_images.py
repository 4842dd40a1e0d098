"""However an X-ray is saved, its grey is read; a damaged one is named with its reason."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.pictures.images import read_grey
from core.pictures.samples import BadImage

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "nih-cxr-64" / "images"
GREY = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)


def saved(folder: Path, image: Image.Image, name: str = "image.png", **options) -> Path:
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_8_bit_modes_give_back_the_grey_they_hold(tmp_path, mode):
    path = saved(tmp_path, Image.fromarray(GREY).convert(mode))
    assert Image.open(path).mode == mode
    image = read_grey(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, GREY)


def test_bilevel_is_black_and_white(tmp_path):
    checks = np.indices((8, 8)).sum(axis=0) % 2 == 0
    image = read_grey(saved(tmp_path, Image.fromarray(checks)))
    np.testing.assert_array_equal(image, np.where(checks, 255, 0))


def test_cmyk_black_ink_is_dark(tmp_path):
    ink = Image.merge("CMYK", [Image.new("L", (20, 12))] * 3 + [Image.fromarray(255 - GREY)])
    np.testing.assert_array_equal(read_grey(saved(tmp_path, ink, "image.tif")), GREY)


def test_colour_becomes_luma(tmp_path):
    red, green, blue = (
        int(read_grey(saved(tmp_path, Image.new("RGB", (2, 2), colour)))[0, 0])
        for colour in ("#ff0000", "#00ff00", "#0000ff")
    )
    assert (red, green, blue) == (76, 150, 29)  # 0.299, 0.587, 0.114 of 255


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_transparent_image_keeps_its_picture(tmp_path, mode):
    image = Image.fromarray(GREY).convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.arange(20, dtype=np.uint8), (12, 1))))
    np.testing.assert_array_equal(read_grey(saved(tmp_path, image)), GREY)


@pytest.mark.parametrize(
    ("dtype", "name"), [(np.uint16, "a.png"), (np.int32, "a.tif"), (np.float32, "a.tif")]
)
def test_deep_images_are_stretched_over_their_own_range(tmp_path, dtype, name):
    values = np.array([[1000, 1010], [1020, 5080]], dtype)  # 4080 = 255 * 16
    image = read_grey(saved(tmp_path, Image.fromarray(values), name))
    np.testing.assert_array_equal(image, [[0, 1], [1, 255]])


def test_a_constant_deep_image_is_black(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.full((3, 3), 4000, np.uint16)))
    assert not read_grey(path).any()


def test_float_images_must_be_finite(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.array([[0, np.nan]], np.float32)), "image.tif")
    with pytest.raises(BadImage, match="not finite"):
        read_grey(path)


def test_resizing_is_that_of_torchvision_on_a_pil_image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 130), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise))
    expected = Image.fromarray(noise).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(read_grey(path, 32), np.asarray(expected))
    # Antialiased: 32 x 32 of white noise vary less than the noise itself.
    assert read_grey(path, 32).std() < noise.std() / 2


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    path = saved(tmp_path, Image.fromarray(GREY), exif=exif)
    np.testing.assert_array_equal(read_grey(path), np.rot90(GREY, -1))


def test_a_truncated_image_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name in ("whole.png", "whole.jpg"):
        content = saved(tmp_path, Image.fromarray(noise), name).read_bytes()
        path = tmp_path / f"cut-{name}"
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(
            BadImage, match=rf"{path.name} cannot be used: it is damaged.*truncated"
        ):
            read_grey(path)


def test_what_follows_a_png_is_left_alone(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    path = saved(tmp_path, Image.fromarray(grey), "whole.png")
    path.write_bytes(path.read_bytes() + b"\xff" * 40)
    assert (read_grey(path) == grey).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is no image", "no image in a known format"),
        (b"", "it is empty"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image in a known format"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content, reason):
    path = tmp_path / "fake.png"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=reason) as caught:
        read_grey(path)
    assert caught.value.path == path
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(BadImage, match=r"gone\.png cannot be used: there is no such file"):
        read_grey(tmp_path / "gone.png")
    with pytest.raises(BadImage, match="directory"):
        read_grey(tmp_path)


def test_more_than_one_frame_is_refused(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    path = saved(tmp_path, frames[0], "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(BadImage, match="2 frames"):
        read_grey(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_400, 60_000])
def test_a_small_file_that_claims_a_huge_picture_is_refused(tmp_path, side):
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with pytest.raises(BadImage, match=r"claims .* pixels"):
        read_grey(path)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the real NIH sample is not at ../shared/data")
def test_real_rgba_x_rays_have_the_greys_of_their_rgb(tmp_path):
    rgba = [path for path in sorted(SAMPLE.glob("*.png")) if Image.open(path).mode == "RGBA"]
    assert len(rgba) == 15
    for path in rgba:
        as_rgb = saved(tmp_path, Image.fromarray(np.asarray(Image.open(path))[:, :, :3]))
        np.testing.assert_array_equal(read_grey(path), read_grey(as_rgb))
        assert read_grey(path).std() > 10  # a picture, not a blank
